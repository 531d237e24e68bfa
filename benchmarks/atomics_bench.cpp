// Passive and active target synchronisation, atomics and derived types on PSNAM windows and on the MPI library's own:
// rank 0 works on the window of rank 1, nobody contends. Whatever the MPI library may put off, it has done when the
// measured unit ends: each unit has its flush, unlock or complete in it.
#include <mpi.h>

#include <cstdint>
#include <string>
#include <vector>

#include "rounds.hpp"

namespace psnam::bench {
namespace {

constexpr MPI_Aint kWindowBytes = MPI_Aint{4} << 20;
constexpr int kShort = 2'000;
constexpr int kLong = 200;
constexpr int kDoubles = 1024;

/// Blocks of `length` 8-byte elements, one in two of them.
MPI_Datatype strided(int blocks, int length) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_vector(blocks, length, 2 * length, MPI_INT64_T, &type);
  MPI_Type_commit(&type);
  return type;
}

class Bench {
 public:
  Bench() : buffer_(static_cast<std::size_t>(kWindowBytes / 8)), result_(buffer_.size()) {
    MPI_Comm_group(MPI_COMM_WORLD, &group_);
    const int other = 1 - my_rank();
    MPI_Group_incl(group_, 1, &other, &other_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  ~Bench() {
    MPI_Group_free(&group_);
    MPI_Group_free(&other_);
    for (MPI_Datatype& type : types_) MPI_Type_free(&type);
  }

  void add_window(const std::string& contestant, const char* manifestation) {
    const MPI_Win win = allocate(kWindowBytes, manifestation);
    windows_.push_back(win);
    add_atomics(contestant, win);
    add_puts(contestant, win);
    add_epochs(contestant, win);
  }

  void run(int rounds) {
    rounds_.run(rounds);
    for (MPI_Win& win : windows_) MPI_Win_free(&win);
  }

 private:
  /// One `operation` of rank 0, with a flush behind it, in an epoch that is open already.
  template <class Operation>
  void add_flushed(const char* name, const std::string& contestant, MPI_Win win, int operations, Operation operation) {
    rounds_.add(name, contestant, [win, operations, operation] {
      double result = 0;
      MPI_Win_lock_all(0, win);
      MPI_Barrier(MPI_COMM_WORLD);
      if (my_rank() == 0) {
        const auto start = Clock::now();
        for (int i = 0; i < operations; ++i) {
          operation();
          MPI_Win_flush(kTarget, win);
        }
        result = nanoseconds_since(start, operations);
      }
      MPI_Barrier(MPI_COMM_WORLD);
      MPI_Win_unlock_all(win);
      return result;
    });
  }

  void add_atomics(const std::string& contestant, MPI_Win win) {
    add_flushed("fetch_and_op 8 B", contestant, win, kShort, [this, win] {
      MPI_Fetch_and_op(buffer_.data(), result_.data(), MPI_INT64_T, kTarget, 0, MPI_SUM, win);
    });
    add_flushed("compare_and_swap 8 B", contestant, win, kShort, [this, win] {
      MPI_Compare_and_swap(buffer_.data(), buffer_.data() + 1, result_.data(), MPI_INT64_T, kTarget, 8, win);
    });
    add_flushed("accumulate 1 double", contestant, win, kShort, [this, win] {
      MPI_Accumulate(buffer_.data(), 1, MPI_DOUBLE, kTarget, 64, 1, MPI_DOUBLE, MPI_SUM, win);
    });
    add_flushed("accumulate 1024 doubles", contestant, win, kLong, [this, win] {
      MPI_Accumulate(buffer_.data(), kDoubles, MPI_DOUBLE, kTarget, 4096, kDoubles, MPI_DOUBLE, MPI_SUM, win);
    });
    add_flushed("get_accumulate 1024 doubles", contestant, win, kLong, [this, win] {
      MPI_Get_accumulate(buffer_.data(), kDoubles, MPI_DOUBLE, result_.data(), kDoubles, MPI_DOUBLE, kTarget, 4096,
                         kDoubles, MPI_DOUBLE, MPI_SUM, win);
    });
  }

  void add_puts(const std::string& contestant, MPI_Win win) {
    add_flushed("put + flush 8 B", contestant, win, kShort,
                [this, win] { MPI_Put(buffer_.data(), 1, MPI_INT64_T, kTarget, 0, 1, MPI_INT64_T, win); });
    add_flushed("get + flush 8 B", contestant, win, kShort,
                [this, win] { MPI_Get(result_.data(), 1, MPI_INT64_T, kTarget, 0, 1, MPI_INT64_T, win); });
    add_vector("put vector 64 x 8 B", contestant, win, 64, 1);
    add_vector("put vector 1024 x 64 B", contestant, win, 1024, 8);
    add_vector("put vector 16 x 64 KiB", contestant, win, 16, 8192);
  }

  /// The same strided type on both sides.
  void add_vector(const char* name, const std::string& contestant, MPI_Win win, int blocks, int length) {
    types_.push_back(strided(blocks, length));
    const MPI_Datatype type = types_.back();
    add_flushed(name, contestant, win, kLong / 4,
                [this, win, type] { MPI_Put(buffer_.data(), 1, type, kTarget, 0, 1, type, win); });
  }

  void add_epochs(const std::string& contestant, MPI_Win win) {
    rounds_.add("lock + put + unlock 8 B", contestant, [this, win] {
      double result = 0;
      MPI_Barrier(MPI_COMM_WORLD);
      if (my_rank() == 0) {
        const auto start = Clock::now();
        for (int i = 0; i < kShort; ++i) {
          MPI_Win_lock(MPI_LOCK_EXCLUSIVE, kTarget, 0, win);
          MPI_Put(buffer_.data(), 1, MPI_INT64_T, kTarget, 0, 1, MPI_INT64_T, win);
          MPI_Win_unlock(kTarget, win);
        }
        result = nanoseconds_since(start, kShort);
      }
      MPI_Barrier(MPI_COMM_WORLD);
      return result;
    });
    rounds_.add("post, start, put, complete, wait", contestant, [this, win] {
      MPI_Barrier(MPI_COMM_WORLD);
      const auto start = Clock::now();
      for (int i = 0; i < kLong; ++i) {
        if (my_rank() == 0) {
          MPI_Win_start(other_, 0, win);
          MPI_Put(buffer_.data(), 1, MPI_INT64_T, kTarget, 0, 1, MPI_INT64_T, win);
          MPI_Win_complete(win);
        } else {
          MPI_Win_post(other_, 0, win);
          MPI_Win_wait(win);
        }
      }
      const double result = nanoseconds_since(start, kLong);
      MPI_Barrier(MPI_COMM_WORLD);
      return result;
    });
  }

  std::vector<std::int64_t> buffer_;
  std::vector<std::int64_t> result_;
  MPI_Group group_ = MPI_GROUP_NULL;
  MPI_Group other_ = MPI_GROUP_NULL;
  std::vector<MPI_Datatype> types_;
  std::vector<MPI_Win> windows_;
  Rounds rounds_;
};

}  // namespace
}  // namespace psnam::bench

int main(int argc, char** argv) { return psnam::bench::run_bench<psnam::bench::Bench>(argc, argv); }
