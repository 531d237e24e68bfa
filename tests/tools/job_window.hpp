// What the programs of the tests with several jobs share: windows whose bytes follow from rank and offset, and
// connections.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "tools/arguments.hpp"

namespace psnam::test {

/// When all ranks have come here, rank 0 tells the test's script that the job stands here, and waits for a line; the
/// other ranks wait for rank 0.
inline std::string stop_at(const std::string& point) {
  std::string word;
  MPI_Barrier(MPI_COMM_WORLD);
  if (world_rank() == 0) {
    std::cout << "@" << point << std::endl;
    std::getline(std::cin, word);
  }
  MPI_Barrier(MPI_COMM_WORLD);
  return word;
}

/// Byte `offset` of the region of `rank`; differs from salt to salt, rank to rank, and within every power of two.
[[nodiscard]] inline std::uint8_t pattern(int salt, int rank, std::size_t offset) {
  const auto mixed = static_cast<std::uint64_t>(offset) * 0x9E3779B97F4A7C15U +
                     static_cast<std::uint64_t>(rank) * 0xD6E8FEB86659FD93U +
                     static_cast<std::uint64_t>(salt) * 0xA0761D6478BD642FU;
  return static_cast<std::uint8_t>((mixed ^ (mixed >> 32)) >> 11);
}

[[nodiscard]] inline std::vector<std::uint8_t> pattern_of(int salt, int rank, std::size_t bytes) {
  std::vector<std::uint8_t> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i) data[i] = pattern(salt, rank, i);
  return data;
}

/// The first offset at which `data` is not the pattern, or -1.
[[nodiscard]] inline long first_difference(const std::vector<std::uint8_t>& data, int salt, int rank) {
  for (std::size_t i = 0; i < data.size(); ++i)
    if (data[i] != pattern(salt, rank, i)) return static_cast<long>(i);
  return -1;
}

/// Sizes and displacement units of a window by rank: uneven, with ranks that give nothing.
struct Shape {
  std::string structure;

  [[nodiscard]] std::size_t size_of_rank(int rank) const {
    if (structure == "raw_and_flat") return rank == 0 ? 70001 : 0;
    constexpr std::size_t kSizes[] = {5003, 0, 65536 + 17, 1, 4096};
    return kSizes[rank % 5];
  }
  [[nodiscard]] int unit_of_rank(int rank) const {
    constexpr int kUnits[] = {8, 1, 3, 4, 16};
    return kUnits[rank % 5];
  }
};

[[nodiscard]] inline std::string manifestation_of(const std::string& mix, int rank) {
  if (mix == "mixed") return rank % 2 == 0 ? "psnam_manifestation_libnam" : "psnam_manifestation_pershm";
  return "psnam_manifestation_" + mix;
}

/// Errors of `win` come back as codes.
inline void return_errors(MPI_Win win) { MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN); }

[[nodiscard]] inline MPI_Win allocate(const Info& info, std::size_t bytes, int unit, MPI_Comm comm = MPI_COMM_WORLD) {
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  EXPECT_EQ(MPI_Win_allocate(static_cast<MPI_Aint>(bytes), unit, info, comm, &base, &win), MPI_SUCCESS);
  return_errors(win);
  return win;
}

/// MPI_Comm_connect to a window; `inter` is MPI_COMM_NULL and the code returned on an error.
inline int connect(const std::string& name, MPI_Comm& inter, const std::string& access = "", int root = 0,
                   MPI_Comm comm = MPI_COMM_WORLD) {
  inter = MPI_COMM_NULL;
  MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
  const bool asks = rank_in(comm) == root;
  Info info{};
  if (asks) info.set("psnam_window_connect", "true");
  if (asks && !access.empty()) info.set("psnam_access", access);
  return MPI_Comm_connect(asks ? name.c_str() : nullptr, asks ? static_cast<MPI_Info>(info) : MPI_INFO_NULL, root, comm,
                          &inter);
}

[[nodiscard]] inline MPI_Win window_on(MPI_Comm inter) {
  MPI_Win win = MPI_WIN_NULL;
  EXPECT_EQ(MPI_Win_create_dynamic(MPI_INFO_NULL, inter, &win), MPI_SUCCESS);
  return_errors(win);
  return win;
}

/// Connects, makes the window and gives the handle back at once.
[[nodiscard]] inline MPI_Win connected_window(const std::string& name, const std::string& access = "",
                                              MPI_Comm comm = MPI_COMM_WORLD) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect(name, inter, access, 0, comm);
  EXPECT_EQ(rc, MPI_SUCCESS) << error_text(rc);
  if (rc != MPI_SUCCESS) return MPI_WIN_NULL;
  const MPI_Win win = window_on(inter);
  MPI_Comm_disconnect(&inter);
  return win;
}

inline int put_bytes(MPI_Win win, int target, const std::vector<std::uint8_t>& data) {
  const int count = static_cast<int>(data.size());
  return MPI_Put(data.data(), count, MPI_BYTE, target, 0, count, MPI_BYTE, win);
}
inline int get_bytes(MPI_Win win, int target, std::vector<std::uint8_t>& data) {
  const int count = static_cast<int>(data.size());
  return MPI_Get(data.data(), count, MPI_BYTE, target, 0, count, MPI_BYTE, win);
}

/// Fills the regions whose number is `part` of `parts`; one epoch.
inline void fill(MPI_Win win, const Shape& shape, int regions, int salt, int part, int parts) {
  std::vector<std::vector<std::uint8_t>> data;
  MPI_Win_fence(0, win);
  for (int rank = part; rank < regions; rank += parts) {
    data.push_back(pattern_of(salt, rank, shape.size_of_rank(rank)));
    EXPECT_EQ(put_bytes(win, rank, data.back()), MPI_SUCCESS);
  }
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
}

/// Every rank reads every byte of every region; one epoch.
inline void expect_pattern(MPI_Win win, const Shape& shape, int regions, int salt) {
  std::vector<std::vector<std::uint8_t>> data;
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOPRECEDE, win), MPI_SUCCESS);
  for (int rank = 0; rank < regions; ++rank) {
    data.emplace_back(shape.size_of_rank(rank), std::uint8_t{0xEE});
    EXPECT_EQ(get_bytes(win, rank, data.back()), MPI_SUCCESS);
  }
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
  for (int rank = 0; rank < regions; ++rank)
    EXPECT_EQ(first_difference(data[static_cast<std::size_t>(rank)], salt, rank), -1)
        << "region " << rank << " salt " << salt;
}

/// One byte beyond the region of `target` is refused.
inline void expect_bounds(MPI_Win win, const Shape& shape, int target) {
  const int bytes = static_cast<int>(shape.size_of_rank(target)) + 1;
  std::vector<std::uint8_t> data(static_cast<std::size_t>(bytes));
  EXPECT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  EXPECT_EQ(error_class(MPI_Get(data.data(), bytes, MPI_BYTE, target, 0, bytes, MPI_BYTE, win)), MPI_ERR_RMA_RANGE);
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
}

/// Persistent to volatile, and freed: the window is removed.
inline void remove_window(MPI_Win win) {
  EXPECT_EQ(MPI_Win_set_info(win, Info{{"psnam_consistency", "psnam_consistency_volatile"}}), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

inline void expect_no_window(const std::string& name) {
  MPI_Comm inter = MPI_COMM_NULL;
  const int rc = connect(name, inter);
  EXPECT_EQ(error_class(rc), MPI_ERR_PORT) << name << ": " << error_text(rc);
}

/// Rank 0 writes a word that a later job reads.
inline void write_note(const std::string& key, const std::string& word) {
  if (world_rank() == 0) std::ofstream{argument("folder") + "/" + key} << word;
}
[[nodiscard]] inline std::string read_note(const std::string& key) {
  std::string word;
  std::ifstream{argument("folder") + "/" + key} >> word;
  return word;
}

}  // namespace psnam::test
