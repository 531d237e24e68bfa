#include "win/split_get.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "rma/remote_pieces.hpp"
#include "sync/team.hpp"

namespace psnam::win {

namespace {

/// From the first byte of `count` elements, at least one, to the last, as displacements of the type.
struct Hull {
  std::int64_t begin;
  std::int64_t end;
};

Result<Hull> hull_of(const backends::Layout& layout, MPI_Count count) {
  std::int64_t to_last = 0;
  Hull hull{};
  if (__builtin_mul_overflow(count - 1, layout.extent, &to_last) ||
      __builtin_add_overflow(layout.true_lb, std::min<std::int64_t>(0, to_last), &hull.begin) ||
      __builtin_add_overflow(layout.true_ub, std::max<std::int64_t>(0, to_last), &hull.end))
    return Error{Code::count, fmt::format("{} elements, {} bytes apart, reach beyond 63 bits", count, layout.extent)};
  return hull;
}

Error never_came() {
  return Error{Code::request, "the data of this MPIX_Iget will never come: a process of its window has ended"};
}

/// How packed bytes lie.
const backends::Layout& packed() {
  static const backends::Layout byte{1, 1, 0, 1, true, {backends::Run{0, 1, 0, 1}}, {}};
  return byte;
}

void pack(std::byte* to, std::uint64_t bytes, const backends::Side& from) {
  backends::transfer({to, bytes, &packed()}, from, backends::NextReader::caller);
}

}  // namespace

Result<SplitGet::Memory> SplitGet::make_room(std::uint64_t bytes) {
  Memory memory{static_cast<std::byte*>(::operator new(bytes, kAlignment, std::nothrow))};
  if (memory == nullptr)
    return Error{Code::no_memory, fmt::format("the process has no memory for the {} bytes of MPIX_Iget", bytes)};
  return memory;
}

void SplitGet::keep(Memory memory, std::uint64_t bytes) noexcept {
  copy_ = std::move(memory);
  data_ = {bytes == 0 ? nullptr : copy_.get(), bytes};
}

Status SplitGet::copy_from(const backends::Side& side) {
  const std::uint64_t bytes = side.count * side.layout->size;
  PSNAM_TRY(Memory memory, make_room(bytes));
  pack(memory.get(), bytes, side);
  keep(std::move(memory), bytes);
  return {};
}

// The copy is bytes, whatever the type is: the MPI library moves a type's bytes in the order of its type map, and all
// processes of a job have one representation.
Status SplitGet::fetch(const Source& source, std::uint64_t bytes) {
  const bool fits = source.count <= INT_MAX && bytes <= INT_MAX;
  if (!fits && real_.Rget_c == nullptr)
    return Error{Code::count, fmt::format("{} elements, {} bytes: this MPI library gets at most {} at once",
                                          source.count, bytes, INT_MAX)};
  PSNAM_TRY(Memory memory, make_room(bytes));
  keep(std::move(memory), bytes);
  const int rc = fits ? real_.Rget(copy_.get(), static_cast<int>(bytes), MPI_BYTE, source.rank, source.displacement,
                                   static_cast<int>(source.count), source.type, source.native, &pending_)
                      : real_.Rget_c(copy_.get(), static_cast<MPI_Count>(bytes), MPI_BYTE, source.rank,
                                     source.displacement, source.count, source.type, source.native, &pending_);
  if (rc != MPI_SUCCESS) return sync::raised_mpi_error(real_, "MPI_Rget for MPIX_Iget", rc);
  return {};
}

Status SplitGet::fetch_remote(backends::RemoteMemory& remote, const backends::Side& side) {
  const std::uint64_t bytes = side.count * side.layout->size;
  PSNAM_TRY(Memory memory, make_room(bytes));
  keep(std::move(memory), bytes);
  remote_ = &remote;
  Status begun = rma::for_each_batch({copy_.get(), bytes, &packed()}, side,
                                     [&](std::span<const backends::Piece> pieces) { return remote.read(pieces); });
  // What was begun before that failed still comes, and must find its place.
  if (!begun) static_cast<void>(settle().ok());
  return begun;
}

Status SplitGet::fetch_hull(const Source& source, const backends::Layout& layout) {
  PSNAM_TRY(const Hull hull, hull_of(layout, source.count));
  if (!backends::is_one_block(layout, source.count))
    unpacked_ = std::make_unique<Unpacked>(Unpacked{layout, static_cast<std::uint64_t>(source.count), hull.begin});
  const MPI_Count bytes = hull.end - hull.begin;
  Source block{source.native, source.rank, source.displacement, bytes, MPI_BYTE};
  if (hull.begin == 0) return fetch(block, static_cast<std::uint64_t>(bytes));
  // The unit of the target's displacements is not known here, so the beginning goes into a type.
  const MPI_Aint begin = hull.begin;
  if (bytes > INT_MAX)
    return Error{Code::count,
                 fmt::format("{} bytes from {} on: at most {} are gotten from there at once", bytes, begin, INT_MAX)};
  int rc = real_.Type_create_hindexed_block(1, static_cast<int>(bytes), &begin, MPI_BYTE, &block.type);
  if (rc != MPI_SUCCESS) return sync::raised_mpi_error(real_, "MPI_Type_create_hindexed_block", rc);
  block.count = 1;
  real_.Type_commit(&block.type);
  Status started = fetch(block, static_cast<std::uint64_t>(bytes));
  real_.Type_free(&block.type);
  return started;
}

Status SplitGet::finish() {
  if (unpacked_ != nullptr) {
    const auto address = reinterpret_cast<std::uintptr_t>(copy_.get()) - static_cast<std::uintptr_t>(unpacked_->begin);
    PSNAM_CHECK(copy_from({reinterpret_cast<std::byte*>(address), unpacked_->count, &unpacked_->layout}));
    unpacked_ = nullptr;
  }
  known_complete_ = true;
  return {};
}

Status SplitGet::settle() {
  if (backends::RemoteMemory* const remote = std::exchange(remote_, nullptr)) PSNAM_CHECK(remote->flush());
  if (pending_ != MPI_REQUEST_NULL)
    if (const int rc = real_.Wait(&pending_, MPI_STATUS_IGNORE); rc != MPI_SUCCESS)
      return sync::raised_mpi_error(real_, "MPI_Wait for MPIX_Iget", rc);
  return {};
}

Status SplitGet::wait() {
  if (lost_) return never_came();
  PSNAM_CHECK(settle());
  return finish();
}

Result<bool> SplitGet::test() {
  int flag = 1;
  if (lost_) return never_came();
  if (remote_ != nullptr) PSNAM_CHECK(settle());
  if (pending_ != MPI_REQUEST_NULL)
    if (const int rc = real_.Test(&pending_, &flag, MPI_STATUS_IGNORE); rc != MPI_SUCCESS)
      return sync::raised_mpi_error(real_, "MPI_Test for MPIX_Iget", rc);
  if (flag != 0) PSNAM_CHECK(finish());
  return flag != 0;
}

Result<SplitGet::Data> SplitGet::data() const {
  if (lost_) return Error{Code::request, "the data of this MPIX_Iget never came: a process of its window has ended"};
  if (!known_complete_)
    return Error{Code::request,
                 "the data of an MPIX_Iget is there after MPIX_Iget_wait, or after MPIX_Iget_test has said so"};
  return data_;
}

Status SplitGet::window_ends() {
  Status settled = settle();
  window_ = MPI_WIN_NULL;
  return settled;
}

void SplitGet::abandon() noexcept {
  window_ = MPI_WIN_NULL;
  if (pending_ != MPI_REQUEST_NULL || remote_ != nullptr) {
    static_cast<void>(copy_.release());  // somebody may still write there
    pending_ = MPI_REQUEST_NULL;
    remote_ = nullptr;
    lost_ = true;
  }
}

Result<std::shared_ptr<SplitGet>> get_from_native_window(const Real& real, rma::TypeTable& types,
                                                         const SplitGet::Source& source) {
  auto get = std::make_shared<SplitGet>(real, source.native);
  const auto fetch = [&]() -> Status {
    // Of a window that is none, only the MPI library can complain.
    if (source.native == MPI_WIN_NULL) return get->fetch(source, 0);
    PSNAM_TRY(const rma::LayoutRef layout, types.find(source.type));
    PSNAM_TRY(const std::uint64_t bytes, backends::total_bytes(source.count, *layout));
    if (bytes == 0 || source.rank == MPI_PROC_NULL) return get->fetch(source, 0);
    return get->fetch_hull(source, *layout);
  };
  PSNAM_CHECK(fetch());
  return get;
}

}  // namespace psnam::win
