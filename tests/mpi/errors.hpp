// What every test of errors checks: the class, the words of the text, the same on all ranks, the handler called once,
// and a store without leftovers.
#pragma once

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "window.hpp"

namespace psnam::test {

/// The memory and control files of this process's store and, in a job with a manager, of the manager's.
[[nodiscard]] inline std::vector<std::string> store_files() {
  std::vector<std::string> files;
  if (std::getenv("PSNAM_STORE") == nullptr) return {"PSNAM_STORE is not set"};
  for (const char* variable : {"PSNAM_STORE", "TEST_MANAGER_STORE"}) {
    const char* const store = std::getenv(variable);
    if (store == nullptr) continue;
    for (const char* part : {"memory", "control"}) {
      const std::filesystem::path folder = std::filesystem::path{store} / part;
      if (!std::filesystem::exists(folder)) continue;
      for (const auto& entry : std::filesystem::directory_iterator{folder})
        files.push_back(std::string{part} + "/" + entry.path().filename().string());
    }
  }
  return files;
}

/// After all ranks of `comm` have come here, the stores of a rank have `memory_files` files of memory and no file of
/// control.
inline void expect_files(std::size_t memory_files, MPI_Comm comm) {
  MPI_Barrier(comm);
  const auto files = store_files();
  std::string names;
  for (const auto& file : files) names += file + " ";
  EXPECT_EQ(files.size(), memory_files) << names;
  for (const auto& file : files) EXPECT_TRUE(file.starts_with("memory/")) << file;
  MPI_Barrier(comm);
}

/// `code` has the class `expected_class` and a text with all `words`.
inline void expect_error(int code, int expected_class, const std::vector<std::string>& words) {
  ASSERT_NE(code, MPI_SUCCESS);
  EXPECT_EQ(error_class(code), expected_class) << error_text(code);
  const std::string text = error_text(code);
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << "no \"" << word << "\" in: " << text;
}

/// The same on all ranks of `comm`, with the same class and the same text.
inline void expect_same_error(int code, int expected_class, const std::vector<std::string>& words, MPI_Comm comm) {
  struct Told {
    int error_class;
    char text[MPI_MAX_ERROR_STRING];
  } mine{};
  mine.error_class = code == MPI_SUCCESS ? MPI_SUCCESS : error_class(code);
  const std::string text = error_text(code);
  std::memcpy(mine.text, text.data(), std::min(text.size(), sizeof mine.text - 1));
  std::vector<Told> all(static_cast<std::size_t>(size_of(comm)));
  MPI_Allgather(&mine, sizeof mine, MPI_BYTE, all.data(), sizeof mine, MPI_BYTE, comm);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    EXPECT_EQ(all[rank].error_class, expected_class) << "rank " << rank << ": " << all[rank].text;
    EXPECT_STREQ(all[rank].text, all[0].text) << "rank " << rank;
  }
  for (const std::string& word : words)
    EXPECT_NE(text.find(word), std::string::npos) << "no \"" << word << "\" in: " << text;
}

/// The codes that error handlers of this process were called with.
[[nodiscard]] inline std::vector<int>& handled() {
  static std::vector<int> codes;
  return codes;
}
inline void handle_comm(MPI_Comm*, int* code, ...) { handled().push_back(*code); }
inline void handle_win(MPI_Win*, int* code, ...) { handled().push_back(*code); }

/// The handler was called exactly once since the last look, with `code`.
inline void expect_handled_once(int code) {
  EXPECT_EQ(handled(), std::vector<int>{code});
  handled().clear();
}

/// A duplicate of the world whose errors go to handle_comm() and return.
class HandledComm {
 public:
  HandledComm() {
    MPI_Comm_dup(MPI_COMM_WORLD, &comm_);
    MPI_Comm_create_errhandler(handle_comm, &handler_);
    MPI_Comm_set_errhandler(comm_, handler_);
    handled().clear();
  }
  ~HandledComm() {
    MPI_Comm_free(&comm_);
    MPI_Errhandler_free(&handler_);
  }
  HandledComm(const HandledComm&) = delete;
  HandledComm& operator=(const HandledComm&) = delete;
  operator MPI_Comm() const noexcept { return comm_; }

 private:
  MPI_Comm comm_ = MPI_COMM_NULL;
  MPI_Errhandler handler_ = MPI_ERRHANDLER_NULL;
};

/// From now on the errors of `win` go to handle_win() and return.
inline void handle_errors_of(MPI_Win win) {
  MPI_Errhandler handler = MPI_ERRHANDLER_NULL;
  MPI_Win_create_errhandler(handle_win, &handler);
  MPI_Win_set_errhandler(win, handler);
  MPI_Errhandler_free(&handler);
  handled().clear();
}

/// A window can be made on `comm`, used and freed.
inline void expect_usable(MPI_Comm comm) {
  const int me = rank_in(comm);
  int sum = 0;
  const int one = 1;
  EXPECT_EQ(MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, comm), MPI_SUCCESS);
  EXPECT_EQ(sum, size_of(comm));
  const PartedWindow window{kKinds[5], 16, 1, comm};
  window.fence();
  EXPECT_EQ(MPI_Put(&me, 1, MPI_INT, (me + 1) % sum, 8, 1, MPI_INT, window), MPI_SUCCESS);
  window.fence();
  int received = -1;
  EXPECT_EQ(MPI_Get(&received, 1, MPI_INT, me, 8, 1, MPI_INT, window), MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(received, (me + sum - 1) % sum);
}

}  // namespace psnam::test
