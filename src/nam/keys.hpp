// Keys of the catalog's tables: numbers as 8 bytes each, big endian, so that LMDB's order is that of the numbers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "nam/lmdb.hpp"

namespace psnam::nam {

template <std::size_t N>
class NumberKey {
 public:
  template <class... Numbers>
  explicit NumberKey(Numbers... numbers) noexcept {
    static_assert(sizeof...(numbers) == N);
    std::size_t end = 0;
    for (std::uint64_t number : {static_cast<std::uint64_t>(numbers)...}) {
      end += 8;
      for (std::size_t at = end; at > end - 8; number >>= 8) bytes_[--at] = static_cast<std::byte>(number & 0xFF);
    }
  }
  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }

 private:
  std::array<std::byte, 8 * N> bytes_{};
};
template <class... Numbers>
NumberKey(Numbers...) -> NumberKey<sizeof...(Numbers)>;

using IdKey = NumberKey<1>;

/// The number at place `index` of a key of enough bytes.
[[nodiscard]] inline std::uint64_t number_in(Bytes key, std::size_t index) noexcept {
  std::uint64_t number = 0;
  for (const std::byte byte : key.subspan(8 * index, 8)) number = (number << 8) | std::to_integer<std::uint64_t>(byte);
  return number;
}

}  // namespace psnam::nam
