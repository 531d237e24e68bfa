// Put and get in full generality, and the checks that all operations begin with.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <climits>

#include "backends/transfer.hpp"
#include "rma/remote_pieces.hpp"
#include "win/access_checks.hpp"
#include "win/window.hpp"

namespace psnam::win {

std::uint32_t Window::allowed() const noexcept {
  std::uint32_t permissions = Permission::access;
  // The histogram counts every message, so with it nothing is simple.
  if (context_.histogram() == nullptr) {
    permissions |= Permission::fast_get;
    if (parts_->right == nam::AccessRight::read_write) permissions |= Permission::fast_put;
  }
  return permissions;
}

Status Window::check_right(Direction direction) const {
  if (direction == Direction::put && parts_->right == nam::AccessRight::read_only)
    return Error{Code::access, fmt::format("put to window \"{}\": it was connected with psnam_access = \"read_only\"",
                                           record().name)};
  return {};
}

Status Window::check_epoch(const char* operation, const Target* target) const {
  std::uint32_t permissions = permissions_.load(std::memory_order_relaxed);
  if (target != nullptr) permissions |= target->permissions.load(std::memory_order_relaxed);
  if ((permissions & Permission::access) != 0) return {};
  if (target == nullptr && epochs_.mode() != sync::Epochs::Mode::none) return {};
  return Error{
      Code::sync,
      fmt::format(
          "{} outside an epoch: no MPI_Win_fence, MPI_Win_lock, MPI_Win_lock_all or MPI_Win_start has opened one for "
          "this target",
          operation)};
}

Result<Target*> Window::check_rank(int rank) {
  if (rank < 0 || static_cast<std::uint32_t>(rank) >= target_total_)
    return Error{Code::rank, fmt::format("target_rank = {}: the window has the ranks 0 to {}", rank,
                                         static_cast<std::int64_t>(target_total_) - 1)};
  return &(*parts_->regions)[static_cast<std::size_t>(rank)];
}

void Window::count(std::uint64_t bytes, int target_rank, Carrier carrier) const noexcept {
  trace::Histogram* const histogram = context_.histogram();
  if (histogram == nullptr) return;
  const auto manifestation = record().regions[static_cast<std::size_t>(target_rank)].manifestation;
  if (context_.counts(manifestation, carrier)) histogram->record(bytes);
}

Status Window::transfer(Direction direction, const Transfer& transfer, MPI_Request* request) {
  const char* const operation = direction == Direction::put ? "put" : "get";
  PSNAM_CHECK(check_right(direction));
  if (transfer.target_rank == MPI_PROC_NULL) {
    PSNAM_CHECK(check_epoch(operation, nullptr));
    return complete_request(request);
  }
  PSNAM_TRY(Target* const target, check_rank(transfer.target_rank));
  PSNAM_CHECK(check_epoch(operation, target));
  PSNAM_TRY(const rma::LayoutRef origin_layout, context_.types().find(transfer.origin_type));
  PSNAM_TRY(const rma::LayoutRef target_layout, context_.types().find(transfer.target_type));
  PSNAM_TRY(const std::uint64_t bytes,
            backends::matching_bytes(transfer.origin_count, *origin_layout, transfer.target_count, *target_layout));
  PSNAM_TRY(const std::int64_t displacement,
            displacement_bytes(transfer.target_displacement, target->displacement_unit));
  PSNAM_CHECK(backends::check_bounds(displacement, transfer.target_count, *target_layout, target->size_bytes));
  PSNAM_CHECK(check_buffer("origin_addr", transfer.origin, *origin_layout, bytes));
  if (bytes == 0) return complete_request(request);
  if (!target->local()) {
    count(bytes, transfer.target_rank, Carrier::mpi);
    return transfer_exposed(direction, transfer, *target, displacement, request);
  }
  PSNAM_TRY(const Reach reach, parts_->regions->reach(static_cast<std::size_t>(transfer.target_rank)));
  const backends::Side origin{static_cast<std::byte*>(transfer.origin),
                              static_cast<std::uint64_t>(transfer.origin_count), origin_layout.get()};
  const auto target_count = static_cast<std::uint64_t>(transfer.target_count);
  if (reach.remote != nullptr) {
    PSNAM_CHECK(
        transfer_remote(direction, origin, rma::relative_side(displacement, target_count, *target_layout), reach));
    count(bytes, transfer.target_rank, Carrier::fabric);
    // A request is of one operation, and tells of its completion alone; here all are completed with it.
    if (request != nullptr || context_.options().completion == Completion::immediate)
      PSNAM_CHECK(reach.remote->flush());
    return complete_request(request);
  }
  const backends::Side side{reach.base + displacement, target_count, target_layout.get()};
  if (direction == Direction::put)
    backends::transfer(side, origin);
  else
    backends::transfer(origin, side, backends::NextReader::caller);
  count(bytes, transfer.target_rank, Carrier::mapped);
  return complete_request(request);
}

Status Window::transfer_exposed(Direction direction, const Transfer& t, const Target& target,
                                MPI_Aint displacement_bytes, MPI_Request* request) {
  const Real& real = context_.real();
  const MPI_Aint address = target.host_address + displacement_bytes;
  const bool put = direction == Direction::put;
  const bool fits = t.origin_count <= INT_MAX && t.target_count <= INT_MAX;
  if (!fits && (request != nullptr || real.Put_c == nullptr || real.Get_c == nullptr))
    return Error{
        Code::count,
        fmt::format("count {}: at most {} elements are moved at once between nodes by this call of this MPI library",
                    std::max(t.origin_count, t.target_count), INT_MAX)};
  const auto origin_count = static_cast<int>(t.origin_count);
  const auto target_count = static_cast<int>(t.target_count);
  const auto move = [&](auto function, auto from, auto to, auto... more) {
    return function(t.origin, from, t.origin_type, target.host, address, to, t.target_type, native(), more...);
  };
  int rc = MPI_SUCCESS;
  if (request != nullptr)
    rc = put ? move(real.Rput, origin_count, target_count, request)
             : move(real.Rget, origin_count, target_count, request);
  else if (fits)
    rc = put ? move(real.Put, origin_count, target_count) : move(real.Get, origin_count, target_count);
  else
    rc = put ? move(real.Put_c, t.origin_count, t.target_count) : move(real.Get_c, t.origin_count, t.target_count);
  if (rc != MPI_SUCCESS)
    return sync::raised_mpi_error(real, put ? "MPI_Put to another node" : "MPI_Get from another node", rc);
  return {};
}

Status Window::transfer_remote(Direction direction, const backends::Side& origin, const backends::Side& side,
                               const Reach& reach) {
  const auto move = [&](std::span<const backends::Piece> pieces) {
    return direction == Direction::put ? reach.remote->write(pieces) : reach.remote->read(pieces);
  };
  if (origin.layout->contiguous && side.layout->contiguous) {
    const auto offset =
        reinterpret_cast<std::uint64_t>(side.address) + static_cast<std::uint64_t>(side.layout->true_lb);
    const backends::Piece whole{reach.offset_bytes + offset, origin.address + origin.layout->true_lb,
                                origin.count * origin.layout->size};
    return move({&whole, 1});
  }
  std::array<backends::Piece, rma::kPiecesPerBatch> placed;
  return rma::for_each_batch(origin, side, [&](std::span<const backends::Piece> pieces) -> Status {
    std::ranges::transform(pieces, placed.begin(), [&](backends::Piece piece) {
      piece.offset_bytes += reach.offset_bytes;
      return piece;
    });
    return move({placed.data(), pieces.size()});
  });
}

Status Window::complete_request(MPI_Request* request) {
  if (request == nullptr) return {};
  look_around();
  // A send to nobody is a request of the MPI library that is complete: it waits and tests like any other, mixed with
  // any other.
  const int rc = context_.real().Isend(nullptr, 0, MPI_BYTE, MPI_PROC_NULL, 0, MPI_COMM_SELF, request);
  if (rc != MPI_SUCCESS) return sync::mpi_error(context_.real(), "MPI_Isend to MPI_PROC_NULL", rc);
  return {};
}

}  // namespace psnam::win
