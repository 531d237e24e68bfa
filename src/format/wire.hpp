// Reading and writing the fixed-width pieces that records are made of. The reader never leaves its input and never
// promises memory that the input does not justify: counts are checked against the bytes that are left before anything
// is allocated.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace psnam::format {

// Wire structs are copied as they lie in memory.
static_assert(std::endian::native == std::endian::little,
              "records are little endian; another host needs byte swapping here");

/// A struct without padding whose bytes are its wire form.
template <class T>
concept Wire = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>;

class Writer {
 public:
  template <Wire T>
  void put(const T& piece) {
    put_bytes(std::as_bytes(std::span{&piece, 1}));
  }
  void put_text(std::string_view text) { put_bytes(std::as_bytes(std::span{text.data(), text.size()})); }
  void reserve(std::size_t bytes) { bytes_.reserve(bytes); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::vector<std::byte> take() noexcept { return std::move(bytes_); }

 private:
  void put_bytes(std::span<const std::byte> piece) { bytes_.insert(bytes_.end(), piece.begin(), piece.end()); }

  std::vector<std::byte> bytes_;
};

/// Reads pieces one after another; each function is false when the input has not enough bytes left.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) noexcept : rest_{bytes} {}

  template <Wire T>
  [[nodiscard]] bool get(T& piece) noexcept {
    if (rest_.size() < sizeof(T)) return false;
    std::memcpy(&piece, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }
  [[nodiscard]] bool get_text(std::string& text, std::uint64_t bytes) {
    if (rest_.size() < bytes) return false;
    const auto count = static_cast<std::size_t>(bytes);
    text.resize(count);
    if (count != 0) std::memcpy(text.data(), rest_.data(), count);
    rest_ = rest_.subspan(count);
    return true;
  }
  /// True if `count` pieces of at least `each` bytes can follow.
  [[nodiscard]] bool holds(std::uint64_t count, std::size_t each) const noexcept {
    return count <= rest_.size() / each;
  }
  [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace psnam::format
