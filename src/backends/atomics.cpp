#include "backends/atomics.hpp"

#include <cassert>
#include <cstring>

#include "backends/strips.hpp"

namespace psnam::backends {
namespace {

std::byte* beginning(const Side& side) noexcept { return side.address + side.layout->true_lb; }

// All sides without a gap: one strip, found without walking.
bool dense(const Side& target, const Side* origin, const Side* result) noexcept {
  return target.layout->contiguous && (origin == nullptr || origin->layout->contiguous) &&
         (result == nullptr || result->layout->contiguous);
}

Strip array_strip(Op op, Element element, std::byte* target, const std::byte* origin, std::byte* result,
                  std::size_t n) noexcept {
  const auto stride = static_cast<std::ptrdiff_t>(element.extent());
  return {target, op == Op::no_op ? nullptr : origin, result, stride, op == Op::no_op ? 0 : stride, stride, n};
}

template <class Body>
void strips(Op op, Element element, const Side& target, const Side& origin, const Side* result, Body&& body) noexcept {
  const Side* const from = op == Op::no_op ? nullptr : &origin;
  if (!dense(target, from, result) || element.bytes() != element.extent())
    return for_each_strip(element, target, from, result, body);
  const std::size_t n = target.count * target.layout->size / element.bytes();
  if (n == 0) return;
  body(array_strip(op, element, beginning(target), from == nullptr ? nullptr : beginning(*from),
                   result == nullptr ? nullptr : beginning(*result), n));
}

}  // namespace

Kernel find_kernel(Op op, Kind kind) noexcept {
  Kernel found = nullptr;
  if (kind >= Kind::float_int)
    found = detail::pair_kernel(op, kind);
  else if (op == Op::replace || op == Op::no_op)
    found = detail::moving_kernel(op, kind);
  else if (kind >= Kind::float32)
    found = detail::floating_kernel(op, kind);
  else
    found = detail::integer_kernel(op, kind);
  assert(found != nullptr);
  return found;
}

void accumulate(Op op, Element element, const Side& target, const Side& origin, const Side* result, StripeLocks& locks,
                const std::byte* region_base) noexcept {
  const Kernel kernel = find_kernel(op, element.kind());
  strips(op, element, target, origin, result, [&](const Strip& strip) { kernel(strip, Stripes{&locks, region_base}); });
}

void accumulate_array(Op op, Element element, std::byte* target, const std::byte* origin, std::byte* result,
                      std::size_t n, StripeLocks& locks, const std::byte* region_base) noexcept {
  if (n == 0) return;
  find_kernel(op, element.kind())(array_strip(op, element, target, origin, result, n), Stripes{&locks, region_base});
}

void detail::compare_and_swap_locked(std::size_t bytes, std::byte* target, const std::byte* origin,
                                     const std::byte* compare, std::byte* result, const Stripes& stripes) noexcept {
  const std::size_t stripe = stripe_of(static_cast<std::size_t>(target - stripes.region_base));
  stripes.locks->lock(stripe);
  std::memcpy(result, target, bytes);
  if (std::memcmp(target, compare, bytes) == 0) std::memcpy(target, origin, bytes);
  stripes.locks->unlock(stripe);
}

}  // namespace psnam::backends
