// What goes to the fabric as one operation: a few pieces of memory here and as many there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "backends/remote_memory.hpp"

namespace psnam::backends {

/// Which remote memory a piece lies in.
struct RemoteRange {
  std::uint64_t key = 0;
  std::uint64_t base = 0;
};

struct RemotePiece {
  std::byte* local = nullptr;
  std::uint64_t address = 0;
  std::uint64_t key = 0;
  std::size_t bytes = 0;
};

/// Collects pieces until the limits of one operation. Pieces that continue each other on both sides become one.
class Message {
 public:
  static constexpr std::size_t kMostPieces = 8;

  Message() noexcept = default;
  Message(std::size_t most_pieces, std::size_t most_bytes) noexcept
      : most_pieces_{most_pieces < kMostPieces ? most_pieces : kMostPieces}, most_bytes_{most_bytes} {}

  /// False if it does not go in any more.
  [[nodiscard]] bool add(const RemotePiece& piece) noexcept {
    if (bytes_ + piece.bytes > most_bytes_) return false;
    if (count_ > 0 && continues(pieces_[count_ - 1], piece)) {
      pieces_[count_ - 1].bytes += piece.bytes;
    } else {
      if (count_ == most_pieces_) return false;
      pieces_[count_++] = piece;
    }
    bytes_ += piece.bytes;
    return true;
  }
  void clear() noexcept { count_ = bytes_ = 0; }

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::span<const RemotePiece> pieces() const noexcept { return {pieces_.data(), count_}; }

 private:
  static bool continues(const RemotePiece& first, const RemotePiece& next) noexcept {
    return first.local + first.bytes == next.local && first.address + first.bytes == next.address &&
           first.key == next.key;
  }

  std::array<RemotePiece, kMostPieces> pieces_{};
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::size_t most_pieces_ = 1;
  std::size_t most_bytes_ = 0;
};

/// How many pieces, from the first on, are better read as the whole span from the first to the last: small ones, in
/// ascending order, with small gaps, that would be several operations otherwise. 0 or 1: none.
[[nodiscard]] inline std::size_t pieces_of_one_span(std::span<const Piece> pieces, std::size_t most_pieces,
                                                    std::size_t most_bytes) noexcept {
  constexpr std::size_t kSmall_bytes = 1024;  // copying so much costs less than an operation of its own
  constexpr std::size_t kGap_bytes = 1024;
  std::size_t count = 0;
  std::uint64_t end = 0;
  for (const Piece& piece : pieces) {
    if (count == most_pieces || piece.bytes > kSmall_bytes) break;
    if (count > 0 && (piece.offset_bytes < end || piece.offset_bytes - end > kGap_bytes)) break;
    if (piece.offset_bytes + piece.bytes - pieces.front().offset_bytes > most_bytes) break;
    end = piece.offset_bytes + piece.bytes;
    ++count;
  }
  return count;
}

}  // namespace psnam::backends
