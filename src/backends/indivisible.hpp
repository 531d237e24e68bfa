// An accumulating operation as a value, for whom the memory is out of reach: the process that maps it executes the
// request by the same kernels and locks as all that map it use, so that it is indivisible against them too.
//
// Who sends a request is not trusted: check() refuses whatever would touch a byte outside the region, work for long or
// use room without limit. The types here are plain, so that any message may carry them; their enumerators are numbers
// of the format of that message.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "backends/element.hpp"
#include "backends/layout.hpp"
#include "backends/operation.hpp"
#include "backends/stripe_locks.hpp"
#include "base/result.hpp"

namespace psnam::backends {

/// What one request may name at most. Larger operations are several requests: MPI promises no more than that each
/// element is indivisible.
inline constexpr std::size_t kMaxIndivisibleBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxIndivisibleRuns = 4096;

/// From one element to the next where elements lie in a row, in memory and in the packed bytes of a request: its data,
/// and the gap inside of the only element that has one between its value and its index.
[[nodiscard]] constexpr std::size_t packed_bytes(Kind kind) noexcept {
  const Element element{kind, Element::kNoRow};
  return kind == Kind::short_int ? element.extent() : element.bytes();
}

struct IndivisibleRequest {
  enum class Action : std::uint8_t { accumulate, compare_and_swap };

  Action action = Action::accumulate;
  Op op = Op::no_op;  ///< of an accumulate
  Kind kind = Kind::none;
  /// Where the elements are, in order: offsets from the beginning of the region, lengths of whole elements.
  std::vector<Run> target;
  bool wants_old = false;          ///< of an accumulate; a compare-and-swap always returns the old value
  std::vector<std::byte> operand;  ///< elements, packed; none for Op::no_op
  std::vector<std::byte> compare;  ///< one element, of a compare-and-swap

  bool operator==(const IndivisibleRequest&) const = default;
};

/// Whether `request` may be executed on a region of `region_bytes`. Code::range when an element would leave it,
/// Code::count beyond the limits above, Code::operation where MPI does not allow the operation on the kind,
/// Code::datatype for a kind that nothing can be done with, Code::invalid_argument for all else that no origin sends.
[[nodiscard]] Status check(const IndivisibleRequest& request, std::uint64_t region_bytes);

/// Checks and executes: the old values, packed, where they are wanted, else nothing. `region` is mapped, with its
/// beginning at the same place of a page as in all other processes, and `locks` are those that they use for it. Only
/// an Op::no_op leaves the memory unwritten. Thread-safe.
[[nodiscard]] Result<std::vector<std::byte>> execute(const IndivisibleRequest& request, std::span<std::byte> region,
                                                     StripeLocks& locks);

}  // namespace psnam::backends
