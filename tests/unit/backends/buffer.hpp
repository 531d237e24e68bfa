// Memory for elements of a layout, for tests of src/backends.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

#include "backends/layout.hpp"

namespace psnam::backends::testing {

/// Random bytes that `count` elements of a layout fit into, with guard bytes around. Equal seeds give equal bytes.
class Buffer {
 public:
  Buffer(const Layout& layout, std::int64_t count, unsigned seed) {
    const std::int64_t to_last = count > 0 ? (count - 1) * layout.extent : 0;
    const std::int64_t low = layout.true_lb + std::min<std::int64_t>(0, to_last);
    const std::int64_t high = layout.true_ub + std::max<std::int64_t>(0, to_last);
    bytes_.resize(static_cast<std::size_t>(high - low + 2 * kGuard));
    origin_ = kGuard - low;
    std::mt19937 random{seed};
    for (std::byte& byte : bytes_) byte = static_cast<std::byte>(random());
  }

  /// Where offset 0 would be, which need not be inside.
  [[nodiscard]] std::byte* origin() {
    return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(bytes_.data()) +
                                        static_cast<std::uintptr_t>(origin_));
  }
  [[nodiscard]] std::byte& at(std::int64_t offset) { return bytes_.at(static_cast<std::size_t>(origin_ + offset)); }
  [[nodiscard]] const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  static constexpr std::int64_t kGuard = 16;
  std::vector<std::byte> bytes_;
  std::int64_t origin_ = 0;
};

/// `size` bytes without a gap.
[[nodiscard]] inline Layout bytes_layout(std::size_t size) {
  const auto end = static_cast<std::ptrdiff_t>(size);
  if (size == 0) return Layout{0, 0, 0, 0, true, {}};
  return Layout{size, end, 0, end, true, {backends::Run{0, size, 0, 1}}};
}

}  // namespace psnam::backends::testing
