// The locks for elements that no single instruction of the processor can change: long ones and unaligned ones.
//
// Which elements these are, and which lock is whose, is agreed upon by all processes of all jobs that use a region, and
// so by all versions of this library that may meet there: a change of kStripes, of kStripeBytes or of
// detail::by_one_instruction() (kernels.hpp) is a change of the format of what the locks are kept in.
#pragma once

#include <cstddef>

namespace psnam::backends {

inline constexpr std::size_t kStripes = 64;
/// Neighbouring elements share a lock, so that a long run takes one lock for many.
inline constexpr std::size_t kStripeBytes = 256;

/// The stripe of the element that begins `offset` bytes from the beginning of the region.
[[nodiscard]] constexpr std::size_t stripe_of(std::size_t offset) noexcept { return offset / kStripeBytes % kStripes; }

/// kStripes locks that live with a region and exclude every thread of every process that uses it. Held for a few
/// hundred nanoseconds, one at a time, never while anything is called.
class StripeLocks {
 public:
  virtual void lock(std::size_t stripe) noexcept = 0;
  virtual void unlock(std::size_t stripe) noexcept = 0;

 protected:
  ~StripeLocks() = default;
};

}  // namespace psnam::backends
