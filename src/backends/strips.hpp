// Walking the sides of an accumulate in type-map order, in strips of elements that lie at equal distances on all of
// them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>

#include "backends/cursor.hpp"
#include "backends/element.hpp"
#include "backends/kernels.hpp"
#include "backends/transfer.hpp"

namespace psnam::backends {

/// One side: where the next elements are. A side that nobody reads or writes is null and goes on forever.
class Places {
 public:
  Places(const Side* side, Element element) noexcept : element_{element} {
    if (side == nullptr) return;
    cursor_.emplace(reinterpret_cast<std::uintptr_t>(side->address), side->count, *side->layout);
  }

  [[nodiscard]] std::byte* address() const noexcept {
    return cursor_ ? reinterpret_cast<std::byte*>(cursor_->address()) : nullptr;
  }
  [[nodiscard]] std::ptrdiff_t stride() const noexcept {
    if (!cursor_) return 0;
    return static_cast<std::ptrdiff_t>(is_block() ? cursor_->stride() : element_.bytes());
  }
  /// Elements from here on at that distance.
  [[nodiscard]] std::size_t n() const noexcept {
    if (!cursor_) return std::numeric_limits<std::size_t>::max();
    if (in_pieces()) return 1;
    return is_block() ? cursor_->blocks() : cursor_->left() / element_.bytes();
  }
  void skip(std::size_t n) noexcept {
    if (!cursor_) return;
    if (in_pieces()) {
      cursor_->skip_bytes(sizeof(short));
      cursor_->skip_bytes(sizeof(int));
    } else if (is_block()) {
      cursor_->skip_blocks(n);
    } else {
      cursor_->skip_bytes(n * element_.bytes());
    }
  }

 private:
  // The only element with a gap inside: its value and its index are bytes of different blocks.
  [[nodiscard]] bool in_pieces() const noexcept { return element_.kind() == Kind::short_int; }
  // All blocks are whole elements: only blocks that touch have been merged.
  [[nodiscard]] bool is_block() const noexcept {
    return cursor_->at_block_start() && cursor_->length() == element_.bytes();
  }

  Element element_;
  std::optional<Cursor> cursor_;
};

/// Calls `body` for all elements of the target, strip by strip. `origin` and `result` may be null. All sides are built
/// of `element` and hold equally many.
template <class Body>
void for_each_strip(Element element, const Side& target, const Side* origin, const Side* result, Body&& body) noexcept {
  std::size_t n = target.count * target.layout->size / element.bytes();
  if (n == 0) return;
  Places to{&target, element}, from{origin, element}, back{result, element};
  while (n != 0) {
    Strip strip{to.address(), from.address(), back.address(), to.stride(), from.stride(), back.stride(), 0};
    strip.n = std::min({n, to.n(), from.n(), back.n()});
    body(strip);
    to.skip(strip.n);
    from.skip(strip.n);
    back.skip(strip.n);
    n -= strip.n;
  }
}

}  // namespace psnam::backends
