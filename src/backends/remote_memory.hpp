// Memory that this process does not map: how bytes move to and from it.
//
// Operations are started by write and read and are complete after flush: then the bytes of a write are visible to every
// process that reaches that memory by whatever way, and those of a read are in the caller's buffer. Until then the
// caller's buffers belong to the operations. Several operations are under way at once, in no order among themselves.
//
// Every wait ends: when the other side does not answer within the limit it was opened with, the operations fail with
// Code::unreachable, all that were under way with them. A later operation connects again by itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"

namespace psnam::backends {

/// One contiguous piece of a transfer: `bytes` at `offset_bytes` of the remote memory, and at `local` here.
struct Piece {
  std::uint64_t offset_bytes = 0;
  std::byte* local = nullptr;
  std::size_t bytes = 0;
};

/// A part of remote memory. Thread-safe.
class RemoteMemory {
 public:
  virtual ~RemoteMemory() = default;

  /// Starts to write; only reads what is at the pieces' `local`. Code::range when a piece leaves the part,
  /// Code::access when it may only be read.
  [[nodiscard]] virtual Status write(std::span<const Piece> pieces) = 0;
  [[nodiscard]] virtual Status read(std::span<const Piece> pieces) = 0;
  /// Completes all that any thread has started before. The error of the first that failed since the last flush.
  [[nodiscard]] virtual Status flush() = 0;
  [[nodiscard]] virtual std::uint64_t size_bytes() const noexcept = 0;
};

}  // namespace psnam::backends
