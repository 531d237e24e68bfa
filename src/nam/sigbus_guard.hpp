// Keeps this process alive when memory that it maps goes away below it: a client that has a descriptor of its own
// memory may cut the file short, and whoever touches a page beyond the new end gets a SIGBUS. A range that is guarded
// gets a page of zeros there instead, private to this process, and is marked; what is written to it is lost, which is
// that client's loss alone. A fault anywhere else goes to whoever handled the signal before.
//
// The table of ranges is read in the signal's handler, so it is never locked there: an entry carries a number that is
// odd while it changes and higher afterwards, and tables are linked together and never freed. Whoever touches a range
// keeps it registered meanwhile, so its entry is found; an entry that changes meanwhile is somebody else's.
//
// The handler is the process's, so its state is too: a mutable static, never destroyed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/result.hpp"

namespace psnam::nam {

struct GuardEntry;

/// A range of a mapping, guarded while this lives, which is no longer than the mapping does. Thread-safe to make and
/// destroy.
class GuardedRange {
 public:
  GuardedRange() noexcept = default;
  /// Guards the pages of `bytes` at `data`. Sets the handler when it is called first.
  [[nodiscard]] static Result<GuardedRange> over(std::byte* data, std::size_t bytes);
  GuardedRange(GuardedRange&& other) noexcept : entry_{std::exchange(other.entry_, nullptr)} {}
  GuardedRange& operator=(GuardedRange&& other) noexcept;
  GuardedRange(const GuardedRange&) = delete;
  GuardedRange& operator=(const GuardedRange&) = delete;
  ~GuardedRange() { release(); }

  /// Whether a page of it was missing when it was touched.
  [[nodiscard]] bool faulted() const noexcept;

 private:
  explicit GuardedRange(GuardEntry* entry) noexcept : entry_{entry} {}
  void release() noexcept;

  GuardEntry* entry_ = nullptr;
};

}  // namespace psnam::nam
