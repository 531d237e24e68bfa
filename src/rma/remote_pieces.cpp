#include "rma/remote_pieces.hpp"

#include <algorithm>
#include <array>

#include "backends/cursor.hpp"

namespace psnam::rma {
namespace {

using backends::Piece;

/// Pieces that wait for delivery.
class Batch {
 public:
  explicit Batch(const DeliverPieces& deliver) noexcept : deliver_{deliver} {}

  Status add(const Piece& piece) {
    if (n_ != 0 && follows(pieces_[n_ - 1], piece)) {
      pieces_[n_ - 1].bytes += piece.bytes;
      return {};
    }
    if (n_ == pieces_.size()) PSNAM_CHECK(deliver());
    pieces_[n_++] = piece;
    return {};
  }
  Status deliver() {
    const std::size_t n = std::exchange(n_, 0);
    return n == 0 ? Status{} : deliver_(std::span{pieces_}.first(n));
  }

 private:
  // Numbers, not pointers: the bytes of a side need not be of one object.
  static bool follows(const Piece& last, const Piece& next) noexcept {
    return last.offset_bytes + last.bytes == next.offset_bytes &&
           reinterpret_cast<std::uintptr_t>(last.local) + last.bytes == reinterpret_cast<std::uintptr_t>(next.local);
  }

  const DeliverPieces& deliver_;
  std::array<Piece, kPiecesPerBatch> pieces_;
  std::size_t n_ = 0;
};

backends::Cursor cursor_of(const backends::Side& side) noexcept {
  return {reinterpret_cast<std::uintptr_t>(side.address), side.count, *side.layout};
}

}  // namespace

Status for_each_batch(const backends::Side& local, const backends::Side& remote, const DeliverPieces& deliver) {
  std::size_t bytes = remote.count * remote.layout->size;
  if (bytes == 0) return {};
  backends::Cursor here = cursor_of(local), there = cursor_of(remote);
  Batch batch{deliver};
  while (bytes != 0) {
    const std::size_t n = std::min(here.left(), there.left());
    PSNAM_CHECK(batch.add({there.address(), reinterpret_cast<std::byte*>(here.address()), n}));
    here.skip_bytes(n);
    there.skip_bytes(n);
    bytes -= n;
  }
  return batch.deliver();
}

}  // namespace psnam::rma
