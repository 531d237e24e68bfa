#include "backends/indivisible.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "backends/atomics.hpp"

namespace psnam::backends {
namespace {

using Action = IndivisibleRequest::Action;

Element element_of(const IndivisibleRequest& request) noexcept { return {request.kind, Element::kNoRow}; }

// Numbers of a message may be no enumerators.
Status check_numbers(const IndivisibleRequest& request) {
  const auto action = static_cast<std::size_t>(request.action), op = static_cast<std::size_t>(request.op),
             kind = static_cast<std::size_t>(request.kind);
  if (action > static_cast<std::size_t>(Action::compare_and_swap))
    return Error{Code::invalid_argument, fmt::format("{} is not the number of an indivisible action", action)};
  if (op >= kOps) return Error{Code::operation, fmt::format("{} is not the number of an operation", op)};
  if (kind >= kKinds) return Error{Code::datatype, fmt::format("{} is not the number of a kind of element", kind)};
  return {};
}

Status check_action(const IndivisibleRequest& request) {
  const Element element = element_of(request);
  if (element.bytes() == 0)
    return Error{Code::datatype, fmt::format("nothing can be accumulated to {}", element.name())};
  if (request.action == Action::compare_and_swap) return check_compare_and_swap(element);
  PSNAM_CHECK(check(request.op, element));
  if (request.op == Op::no_op && !request.wants_old)
    return Error{Code::invalid_argument, "MPI_NO_OP without the old values asks for nothing"};
  return {};
}

// The bytes of one run. Each limit is held before a number beyond it is computed with.
Result<std::size_t> run_bytes(const Run& run, std::size_t each, std::uint64_t region_bytes) {
  if (run.length == 0 || run.count == 0 || run.length % each != 0)
    return Error{Code::invalid_argument,
                 fmt::format("{} blocks of {} bytes are no elements of {} bytes each", run.count, run.length, each)};
  if (run.length > kMaxIndivisibleBytes || run.count > kMaxIndivisibleBytes / run.length)
    return Error{Code::count, fmt::format("{} blocks of {} bytes are more than the {} bytes of one request", run.count,
                                          run.length, kMaxIndivisibleBytes)};
  // 64 bits, and 20 times 64 bits: 128 bits hold it.
  __extension__ using Exact = __int128;
  const Exact to_last = Exact{run.stride} * static_cast<Exact>(run.count - 1);
  const Exact first = Exact{run.offset} + std::min(Exact{0}, to_last);
  const Exact end = Exact{run.offset} + std::max(Exact{0}, to_last) + static_cast<Exact>(run.length);
  if (first < 0 || end > Exact{region_bytes})
    return Error{Code::range,
                 fmt::format("{} blocks of {} bytes, {} bytes apart from offset {} on, leave a region of {} bytes",
                             run.count, run.length, run.stride, run.offset, region_bytes)};
  return run.length * run.count;
}

Result<std::size_t> target_bytes(const IndivisibleRequest& request, std::uint64_t region_bytes) {
  if (request.target.size() > kMaxIndivisibleRuns)
    return Error{Code::count, fmt::format("{} runs are more than the {} of one request", request.target.size(),
                                          kMaxIndivisibleRuns)};
  std::size_t sum = 0;
  for (const Run& run : request.target) {
    PSNAM_TRY(const std::size_t bytes, run_bytes(run, packed_bytes(request.kind), region_bytes));
    sum += bytes;
    if (sum > kMaxIndivisibleBytes)
      return Error{Code::count,
                   fmt::format("the runs have more than the {} bytes of one request", kMaxIndivisibleBytes)};
  }
  return sum;
}

Status check_size(const char* what, std::size_t is, std::size_t should_be) {
  if (is == should_be) return {};
  return Error{Code::invalid_argument, fmt::format("{} bytes of {}, {} are needed", is, what, should_be)};
}

// Calls body(strip) for the target's elements in order; origin and result are packed.
template <class Body>
void for_each_strip_of(const IndivisibleRequest& request, std::byte* region, std::byte* result, Body&& body) {
  const std::size_t each = packed_bytes(request.kind);
  const auto distance = static_cast<std::ptrdiff_t>(each);
  const std::byte* origin = request.operand.empty() ? nullptr : request.operand.data();
  const auto strip_at = [&](std::ptrdiff_t offset, std::ptrdiff_t stride, std::size_t n) {
    body(Strip{region + offset, origin, result, stride, origin == nullptr ? 0 : distance, distance, n});
    if (origin != nullptr) origin += n * each;
    if (result != nullptr) result += n * each;
  };
  for (const Run& run : request.target) {
    if (run.length == each) {
      strip_at(run.offset, run.stride, run.count);
      continue;
    }
    for (std::size_t block = 0; block < run.count; ++block)
      strip_at(run.offset + static_cast<std::ptrdiff_t>(block) * run.stride, distance, run.length / each);
  }
}

}  // namespace

Status check(const IndivisibleRequest& request, std::uint64_t region_bytes) {
  PSNAM_CHECK(check_numbers(request));
  PSNAM_CHECK(check_action(request));
  PSNAM_TRY(const std::size_t bytes, target_bytes(request, region_bytes));
  const bool swaps = request.action == Action::compare_and_swap;
  if (swaps) PSNAM_CHECK(check_size("target of a compare-and-swap", bytes, packed_bytes(request.kind)));
  PSNAM_CHECK(check_size("comparand", request.compare.size(), swaps ? bytes : 0));
  const bool has_operand = swaps || request.op != Op::no_op;
  return check_size("operand", request.operand.size(), has_operand ? bytes : 0);
}

Result<std::vector<std::byte>> execute(const IndivisibleRequest& request, std::span<std::byte> region,
                                       StripeLocks& locks) {
  PSNAM_CHECK(check(request, region.size()));
  std::vector<std::byte> old;
  std::byte* const base = region.data();
  if (request.action == Action::compare_and_swap) {
    old.resize(request.operand.size());
    compare_and_swap(element_of(request), base + request.target.front().offset, request.operand.data(),
                     request.compare.data(), old.data(), locks, base);
    return old;
  }
  if (request.wants_old) {
    std::size_t bytes = 0;
    for (const Run& run : request.target) bytes += run.length * run.count;
    old.resize(bytes);
  }
  const Kernel kernel = find_kernel(request.op, request.kind);
  const Stripes stripes{&locks, base};
  for_each_strip_of(request, base, old.empty() ? nullptr : old.data(),
                    [&](const Strip& strip) { kernel(strip, stripes); });
  return old;
}

}  // namespace psnam::backends
