// A get in two phases (MPIX_Iget): what was started, and the memory that its data is in.
//
// The data is either the region itself, where it is mapped and the data lies there without gaps, or a packed copy that
// belongs to this object. A get from remote memory, or from another node by MPI_Rget, goes into the copy. So is one on
// a window of the MPI library, but for data with gaps: there the request of an MPI_Rget may be complete before the data
// is there (seen with MPICH 4.0.2 on UCX), so everything from the first byte to the last is fetched as one block, and
// packed when it has come.
//
// Not thread-safe: as of any request, MPI lets one thread at a time wait for it. A window is freed before its gets only
// if it is not ours, or if a process of it has died: see window_ends() and abandon().
#pragma once

#include <mpi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "backends/remote_memory.hpp"
#include "backends/transfer.hpp"
#include "base/result.hpp"
#include "rma/real.hpp"
#include "rma/type_table.hpp"

namespace psnam::win {

class SplitGet {
 public:
  struct Data {
    const std::byte* address = nullptr;  ///< null for no bytes
    std::uint64_t bytes = 0;
  };
  /// Where an MPI_Rget goes: a window of the MPI library, its rank and displacement.
  struct Source {
    MPI_Win native;
    int rank;
    MPI_Aint displacement;
    MPI_Count count;
    MPI_Datatype type;
  };

  /// A get on `window` that has no data.
  SplitGet(const Real& real, MPI_Win window) noexcept : real_{real}, window_{window} {}
  SplitGet(const SplitGet&) = delete;
  SplitGet& operator=(const SplitGet&) = delete;

  /// The data is there already.
  void refer_to(const std::byte* address, std::uint64_t bytes) noexcept { data_ = {address, bytes}; }
  /// The data is a packed copy of this; Code::no_memory.
  Status copy_from(const backends::Side& side);
  /// Lets the MPI library fetch and pack `bytes` bytes.
  Status fetch(const Source& source, std::uint64_t bytes);
  /// Begins to fetch and pack `side`, which is relative to `remote`.
  Status fetch_remote(backends::RemoteMemory& remote, const backends::Side& side);
  /// Lets the MPI library fetch all from the first byte to the last.
  Status fetch_hull(const Source& source, const backends::Layout& layout);

  /// The window whose error handler is told; MPI_WIN_NULL when it has gone.
  [[nodiscard]] MPI_Win window() const noexcept { return window_; }

  Status wait();
  Result<bool> test();
  /// Waits until nobody writes into the memory any more: it may go.
  Status settle();
  /// Code::request before wait() or a successful test(), or if the data will never come.
  [[nodiscard]] Result<Data> data() const;

  /// The window is about to be freed: what is on its way is waited for.
  Status window_ends();
  /// The window goes because a process of it has died: what is on its way never comes. A region stays mapped.
  void abandon() noexcept;

 private:
  struct Aligned {
    void operator()(std::byte* bytes) const noexcept { ::operator delete(bytes, kAlignment); }
  };
  static constexpr std::align_val_t kAlignment{64};
  using Memory = std::unique_ptr<std::byte, Aligned>;
  /// How the data lies in the block that was fetched.
  struct Unpacked {
    backends::Layout layout;
    std::uint64_t count;
    std::int64_t begin;  ///< of the block, as a displacement of the type
  };

  static Result<Memory> make_room(std::uint64_t bytes);
  /// The data is `memory`, or will be.
  void keep(Memory memory, std::uint64_t bytes) noexcept;
  /// What is left to do when the request is complete.
  Status finish();

  const Real& real_;
  MPI_Win window_;
  Data data_;
  Memory copy_;
  std::unique_ptr<Unpacked> unpacked_;  ///< until the copy is packed
  MPI_Request pending_ = MPI_REQUEST_NULL;
  backends::RemoteMemory* remote_ = nullptr;  ///< where data is on its way from
  bool known_complete_ = false;
  bool lost_ = false;
};

/// A get on a window of the MPI library. Code::datatype, Code::count; else what that library says.
[[nodiscard]] Result<std::shared_ptr<SplitGet>> get_from_native_window(const Real& real, rma::TypeTable& types,
                                                                       const SplitGet::Source& source);

}  // namespace psnam::win
