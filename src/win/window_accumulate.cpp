// Accumulating operations: on mapped regions by the kernels, element by element indivisible for all threads, processes
// and jobs; on remote ones by their service, which uses the same. All those on regions that the native window exposes
// go to it, those to regions of the own node too: the MPI library's way of doing them is indivisible only among its
// own.
#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "backends/atomics.hpp"
#include "backends/transfer.hpp"
#include "rma/operation.hpp"
#include "rma/remote_accumulate.hpp"
#include "win/access_checks.hpp"
#include "win/window.hpp"

namespace psnam::win {
namespace {

backends::Side side_of(const void* address, MPI_Count count, const backends::Layout& layout) noexcept {
  // The kernels only read the origin.
  return {static_cast<std::byte*>(const_cast<void*>(address)), static_cast<std::uint64_t>(count), &layout};
}

/// Has requests for the region of `rank` executed by its service.
rma::SendRequest sender(SeatLocks& locks, int rank) {
  return [&locks, rank](const backends::IndivisibleRequest& request) -> Result<std::vector<std::byte>> {
    PSNAM_TRY(nam::WindowAgent* const agent, locks.agent());
    return agent->execute(static_cast<std::uint32_t>(rank), request);
  };
}

}  // namespace

bool Window::try_accumulate(const void* origin, void* result, std::uint64_t count, MPI_Datatype type, int target_rank,
                            MPI_Aint displacement, MPI_Op mpi_op) const noexcept {
  std::byte* target = nullptr;
  std::uint64_t bytes = 0;
  const auto op = rma::predefined_operation(mpi_op);
  const backends::Element element = types_.predefined_element(type);
  if (!op || !element.allows(*op) || (origin == nullptr && *op != backends::Op::no_op)) return false;
  if (!resolve_simple(Permission::fast_put, count, type, target_rank, displacement, count, type, target, bytes))
    return false;
  nam::ElementLocks* const locks = targets_[target_rank].elements.load(std::memory_order_acquire);
  if (locks == nullptr) return false;
  const auto* const from = static_cast<const std::byte*>(origin);
  auto* const to = static_cast<std::byte*>(result);
  const Target& region = targets_[target_rank];
  if (count == 1)
    backends::accumulate_one(*op, element, target, from, to, *locks, region.base.load(std::memory_order_relaxed));
  else
    backends::accumulate_array(*op, element, target, from, to, count, *locks,
                               region.base.load(std::memory_order_relaxed));
  return true;
}

bool Window::try_compare_and_swap(const void* origin, const void* compare, void* result, MPI_Datatype type,
                                  int target_rank, MPI_Aint displacement) const noexcept {
  std::byte* target = nullptr;
  std::uint64_t bytes = 0;
  const backends::Element element = types_.predefined_element(type);
  if (!element.allows_compare_and_swap() || origin == nullptr || compare == nullptr || result == nullptr) return false;
  if (!resolve_simple(Permission::fast_put, 1, type, target_rank, displacement, 1, type, target, bytes)) return false;
  nam::ElementLocks* const locks = targets_[target_rank].elements.load(std::memory_order_acquire);
  if (locks == nullptr) return false;
  backends::compare_and_swap(element, target, static_cast<const std::byte*>(origin),
                             static_cast<const std::byte*>(compare), static_cast<std::byte*>(result), *locks,
                             targets_[target_rank].base.load(std::memory_order_relaxed));
  return true;
}

Result<Target*> Window::accumulation_target(const char* operation, int rank, bool writes) {
  if (writes) PSNAM_CHECK(check_right(Direction::put));
  if (rank == MPI_PROC_NULL) {
    PSNAM_CHECK(check_epoch(operation, nullptr));
    return static_cast<Target*>(nullptr);
  }
  PSNAM_TRY(Target* const target, check_rank(rank));
  PSNAM_CHECK(check_epoch(operation, target));
  return target;
}

Status Window::accumulate(const Accumulation& a, MPI_Request* request) {
  const Transfer& t = a.sides;
  PSNAM_TRY(const backends::Op op, rma::operation(a.op));
  const bool reads_only = op == backends::Op::no_op;
  if (reads_only && !a.fetches)
    return Error{Code::operation,
                 "MPI_NO_OP: only MPI_Get_accumulate, MPI_Rget_accumulate and MPI_Fetch_and_op take it"};
  PSNAM_TRY(Target* const target,
            accumulation_target(a.fetches ? "get_accumulate" : "accumulate", t.target_rank, !reads_only));
  if (target == nullptr) return complete_request(request);
  rma::TypeTable& types = context_.types();
  PSNAM_TRY(const rma::LayoutRef target_layout, types.find(t.target_type));
  PSNAM_TRY(const rma::LayoutRef origin_layout, types.find(reads_only ? t.target_type : t.origin_type));
  PSNAM_TRY(const rma::LayoutRef result_layout, types.find(a.fetches ? a.result_type : t.target_type));
  const MPI_Count origin_count = reads_only ? t.target_count : t.origin_count;
  PSNAM_TRY(const std::uint64_t bytes,
            backends::matching_bytes(origin_count, *origin_layout, t.target_count, *target_layout));
  if (a.fetches)
    PSNAM_CHECK(backends::matching_bytes(a.result_count, *result_layout, t.target_count, *target_layout).status());
  PSNAM_TRY(const std::int64_t displacement, displacement_bytes(t.target_displacement, target->displacement_unit));
  PSNAM_CHECK(backends::check_bounds(displacement, t.target_count, *target_layout, target->size_bytes));
  if (bytes == 0) return complete_request(request);
  PSNAM_TRY(const backends::Element element, backends::common_element(origin_layout->element, target_layout->element));
  PSNAM_CHECK(backends::check(op, element));
  if (!reads_only) PSNAM_CHECK(check_buffer("origin_addr", t.origin, *origin_layout, bytes));
  if (a.fetches) PSNAM_CHECK(check_buffer("result_addr", a.result, *result_layout, bytes));
  if (target->exposed()) {
    count(bytes, t.target_rank, Carrier::mpi);
    return accumulate_exposed(a, *target, displacement, request);
  }
  PSNAM_TRY(const Reach reach, parts_->regions->reach(static_cast<std::size_t>(t.target_rank)));
  PSNAM_TRY(SeatLocks* const locks, this->locks(*target->seat));
  count(bytes, t.target_rank, reach.remote != nullptr ? Carrier::fabric : Carrier::mapped);
  const backends::Side from = side_of(t.origin, origin_count, *origin_layout);
  const backends::Side old = side_of(a.result, a.result_count, *result_layout);
  const backends::Side* const result = a.fetches ? &old : nullptr;
  if (reach.remote != nullptr) {
    const auto target_count = static_cast<std::uint64_t>(t.target_count);
    PSNAM_CHECK(rma::accumulate_remotely(op, element, rma::relative_side(displacement, target_count, *target_layout),
                                         from, result, sender(*locks, t.target_rank)));
    return complete_request(request);
  }
  const backends::Side to = side_of(reach.base + displacement, t.target_count, *target_layout);
  backends::accumulate(op, element, to, from, result, *locks->elements(), reach.base);
  return complete_request(request);
}

Status Window::accumulate_exposed(const Accumulation& a, const Target& target, MPI_Aint displacement,
                                  MPI_Request* request) {
  const Real& real = context_.real();
  const Transfer& t = a.sides;
  if (std::max({t.origin_count, t.target_count, a.result_count}) > INT_MAX)
    return Error{Code::count, fmt::format("count {}: at most {} elements are accumulated at once between nodes",
                                          std::max(t.origin_count, t.target_count), INT_MAX)};
  const MPI_Aint address = target.host_address + displacement;
  const auto origin_count = static_cast<int>(t.origin_count);
  const auto target_count = static_cast<int>(t.target_count);
  const auto result_count = static_cast<int>(a.result_count);
  const auto plain = [&](auto function, auto... more) {
    return function(t.origin, origin_count, t.origin_type, target.host, address, target_count, t.target_type, a.op,
                    native(), more...);
  };
  const auto fetching = [&](auto function, auto... more) {
    return function(t.origin, origin_count, t.origin_type, a.result, result_count, a.result_type, target.host, address,
                    target_count, t.target_type, a.op, native(), more...);
  };
  int rc = MPI_SUCCESS;
  if (a.fetches)
    rc = request != nullptr ? fetching(real.Rget_accumulate, request) : fetching(real.Get_accumulate);
  else
    rc = request != nullptr ? plain(real.Raccumulate, request) : plain(real.Accumulate);
  if (rc != MPI_SUCCESS) return sync::raised_mpi_error(real, "MPI_Accumulate or its kin between nodes", rc);
  return {};
}

Status Window::compare_and_swap(const void* origin, const void* compare, void* result, MPI_Datatype type,
                                int target_rank, MPI_Aint displacement) {
  PSNAM_TRY(Target* const target, accumulation_target("compare_and_swap", target_rank, true));
  if (target == nullptr) return {};
  PSNAM_TRY(const rma::LayoutRef layout, context_.types().find(type));
  PSNAM_CHECK(backends::check_compare_and_swap(layout->element));
  PSNAM_TRY(const std::int64_t start, displacement_bytes(displacement, target->displacement_unit));
  PSNAM_CHECK(backends::check_bounds(start, 1, *layout, target->size_bytes));
  PSNAM_CHECK(check_buffer("origin_addr", origin, *layout, layout->size));
  PSNAM_CHECK(check_buffer("compare_addr", compare, *layout, layout->size));
  PSNAM_CHECK(check_buffer("result_addr", result, *layout, layout->size));
  if (target->exposed()) {
    count(layout->size, target_rank, Carrier::mpi);
    const int rc = context_.real().Compare_and_swap(origin, compare, result, type, target->host,
                                                    target->host_address + start, native());
    if (rc != MPI_SUCCESS) return sync::raised_mpi_error(context_.real(), "MPI_Compare_and_swap between nodes", rc);
    return {};
  }
  PSNAM_TRY(const Reach reach, parts_->regions->reach(static_cast<std::size_t>(target_rank)));
  PSNAM_TRY(SeatLocks* const locks, this->locks(*target->seat));
  count(layout->size, target_rank, reach.remote != nullptr ? Carrier::fabric : Carrier::mapped);
  const auto* const from = static_cast<const std::byte*>(origin);
  const auto* const expected = static_cast<const std::byte*>(compare);
  auto* const to = static_cast<std::byte*>(result);
  if (reach.remote != nullptr)
    return rma::compare_and_swap_remotely(layout->element, static_cast<std::uint64_t>(start), from, expected, to,
                                          sender(*locks, target_rank));
  backends::compare_and_swap(layout->element, reach.base + start, from, expected, to, *locks->elements(), reach.base);
  return {};
}

}  // namespace psnam::win
