// A client under load, which is killed, or whose manager is, or whose cable: it writes one generation of words after
// the other into a persistent window of its own, reads each back, and makes and frees a volatile window in between.
// Errors are what it expects from time to time: then it tries again. Words that it did not write are never right.
//
//   board=FILE name=NAME bytes=SIZE [rounds=N] [control=no]
//
// Each rank has a window of its own, so no rank waits for another; the board and the name of rank r end in .r.
#include "fault/load_board.hpp"

#include <algorithm>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr std::size_t kPieces = 8;
constexpr std::size_t kPassingBytes = 4096;

[[nodiscard]] std::uint64_t word(std::uint64_t generation, std::size_t index) {
  return generation << 32 | (index * 0x9E3779B1U & 0xFFFFFFFFU);
}

class Load : public testing::Test {
 protected:
  Load()
      : board_{open_board(argument("board") + suffix())},
        name_{argument("name") + suffix()},
        words_(std::stoull(argument("bytes", "262144")) / sizeof(std::uint64_t)),
        buffer_(words_) {
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
  }

  static std::string suffix() { return "." + std::to_string(world_rank()); }

  /// One MPI call: how long it takes is what the test is about.
  template <class Call>
  bool timed(std::atomic<std::uint64_t>& first_error, Call&& call) {
    const std::uint64_t began = monotonic_ns();
    board_.in_call_since = began;
    const int rc = call();
    const std::uint64_t ended = monotonic_ns();
    board_.in_call_since = 0;
    board_.longest_call_ns = std::max(board_.longest_call_ns.load(), ended - began);
    if (rc == MPI_SUCCESS) return true;
    if (first_error == 0) first_error = ended;
    board_.errors += 1;
    last_error_ = error_text(rc);
    if (board_.errors <= 50) std::printf("rank %d: %s\n", world_rank(), last_error_.c_str());
    std::fflush(stdout);
    return false;
  }
  template <class Call>
  bool moves(Call&& call) {
    return timed(board_.first_data_error, call);
  }
  template <class Call>
  bool asks(Call&& call) {
    return timed(board_.first_call_error, call);
  }

  [[nodiscard]] MPI_Win make(const std::string& consistency, std::size_t bytes) {
    const bool keeps = consistency == "persistent";
    Info info{{"psnam_manifestation", "psnam_manifestation_libnam"},
              {"psnam_consistency", "psnam_consistency_" + consistency}};
    if (keeps) info.set("psnam_window_name", name_);
    void* base = nullptr;
    MPI_Win win = MPI_WIN_NULL;
    if (!asks([&] { return MPI_Win_allocate(static_cast<MPI_Aint>(bytes), 1, info, MPI_COMM_SELF, &base, &win); }))
      return MPI_WIN_NULL;
    return_errors(win);
    return win;
  }

  /// The window that an earlier job of this name left, or a new one.
  [[nodiscard]] MPI_Win find_or_make() {
    MPI_Comm inter = MPI_COMM_NULL;
    const int rc = connect(name_, inter, "", 0, MPI_COMM_SELF);
    if (rc != MPI_SUCCESS) return error_class(rc) == MPI_ERR_PORT ? make("persistent", bytes()) : MPI_WIN_NULL;
    MPI_Win win = MPI_WIN_NULL;
    const bool made = asks([&] { return MPI_Win_create_dynamic(MPI_INFO_NULL, inter, &win); });
    MPI_Comm_disconnect(&inter);
    if (!made) return MPI_WIN_NULL;
    return_errors(win);
    return win;
  }

  [[nodiscard]] std::size_t bytes() const { return words_ * sizeof(std::uint64_t); }
  [[nodiscard]] int piece() const { return static_cast<int>(bytes() / kPieces); }

  /// In an epoch of its own, which ends whatever happens in it.
  template <class Operation>
  bool in_epoch(MPI_Win win, int kind, Operation&& operation) {
    if (!moves([&] { return MPI_Win_lock(kind, 0, 0, win); })) return false;
    bool good = true;
    for (std::size_t i = 0; i < kPieces && good; ++i) good = moves([&] { return operation(static_cast<int>(i)); });
    return moves([&] { return MPI_Win_unlock(0, win); }) && good;
  }
  bool write(MPI_Win win, std::uint64_t generation) {
    for (std::size_t i = 0; i < words_; ++i) buffer_[i] = word(generation, i);
    auto* const from = reinterpret_cast<std::byte*>(buffer_.data());
    return in_epoch(win, MPI_LOCK_EXCLUSIVE, [&](int i) {
      return MPI_Put(from + std::ptrdiff_t{i} * piece(), piece(), MPI_BYTE, 0, MPI_Aint{i} * piece(), piece(), MPI_BYTE,
                     win);
    });
  }
  bool read(MPI_Win win) {
    std::fill(buffer_.begin(), buffer_.end(), ~std::uint64_t{0});
    auto* const to = reinterpret_cast<std::byte*>(buffer_.data());
    return in_epoch(win, MPI_LOCK_SHARED, [&](int i) {
      return MPI_Get(to + std::ptrdiff_t{i} * piece(), piece(), MPI_BYTE, 0, MPI_Aint{i} * piece(), piece(), MPI_BYTE,
                     win);
    });
  }
  /// Every word is of a generation from `first` to `last`. A window that was never written is zero.
  void check(std::uint64_t first, std::uint64_t last) {
    for (std::size_t i = 0; i < words_; ++i) {
      bool right = buffer_[i] == 0 && first == 0;
      for (std::uint64_t generation = first; generation <= last && !right; ++generation)
        right = buffer_[i] == word(generation, i);
      if (right) continue;
      board_.wrong += 1;
      ADD_FAILURE() << name_ << ": word " << i << " is " << std::hex << buffer_[i] << ", not one of generation "
                    << first << " to " << last;
      return;
    }
  }
  /// A volatile window for one moment; it may be lost with the manager.
  void pass_by() {
    MPI_Win passing = make("volatile", kPassingBytes);
    if (passing == MPI_WIN_NULL) return;
    if (!asks([&] { return MPI_Win_free(&passing); })) board_.lost += 1;
  }

  LoadBoard& board_;
  const std::string name_;
  const std::size_t words_;
  std::vector<std::uint64_t> buffer_;
  std::string last_error_;
};

TEST_F(Load, GoesOnUntilItIsKilledOrDone) {
  const auto rounds = std::stoull(argument("rounds", "1000000000"));
  const bool control = argument("control", "yes") == "yes";
  MPI_Win win = MPI_WIN_NULL;
  while (win == MPI_WIN_NULL) win = find_or_make();
  board_.process = static_cast<std::uint64_t>(::getpid());
  const std::uint64_t before = board_.acknowledged;
  while (!read(win)) {
  }
  check(before, before + 1);
  for (std::uint64_t generation = before + 1; generation <= before + rounds && !HasFailure(); ++generation) {
    while (!write(win, generation)) {
    }
    board_.acknowledged = generation;
    while (!read(win)) {
    }
    check(generation, generation);
    board_.verified += 1;
    if (control) pass_by();
  }
  while (!asks([&] { return MPI_Win_free(&win); }) && win != MPI_WIN_NULL) {
  }
}

}  // namespace
}  // namespace psnam::test
