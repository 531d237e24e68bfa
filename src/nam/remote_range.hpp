// Memory of a server that outlives the connection to it: the fabric's RemoteMemory is good for one connection and one
// key, this takes another one when that is lost.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>

#include "backends/remote_memory.hpp"
#include "nam/client_link.hpp"

namespace psnam::nam {

/// A part of the file of a root.
struct RangeOfRoot {
  std::uint64_t root_id = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t bytes = 0;
  AccessRight right = AccessRight::read_only;
};

/// Thread-safe. What was started on a connection that was lost fails, once: the flush after it says so. Operations that
/// are started later go over a new connection.
class RemoteRange final : public backends::RemoteMemory {
 public:
  [[nodiscard]] static Result<std::shared_ptr<RemoteMemory>> open(std::shared_ptr<ClientLink> link, RangeOfRoot range);
  ~RemoteRange() override;

  [[nodiscard]] Status write(std::span<const backends::Piece> pieces) override;
  [[nodiscard]] Status read(std::span<const backends::Piece> pieces) override;
  [[nodiscard]] Status flush() override;
  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return range_.bytes; }

 private:
  /// What is good for one connection.
  struct Reached {
    std::shared_ptr<backends::FabricClient> connection;
    std::shared_ptr<backends::RemoteMemory> memory;
    std::uint64_t key = 0;
    std::uint64_t session = 0;  ///< of the control connection, by which the server may have let go of the key
  };
  RemoteRange(std::shared_ptr<ClientLink> link, RangeOfRoot range) : link_{std::move(link)}, range_{range} {}
  template <class Transfer>
  [[nodiscard]] Status watched(Transfer&& transfer);

  [[nodiscard]] Status reach();
  /// Whether the control connection is still the one that the key was given over. Looked at now and then only: it costs
  /// a call of the system.
  [[nodiscard]] Result<bool> is_current();
  /// Where an operation that begins now goes.
  [[nodiscard]] Result<std::shared_ptr<backends::RemoteMemory>> ready();

  const std::shared_ptr<ClientLink> link_;
  const RangeOfRoot range_;
  std::uint64_t object_id_ = 0;
  std::mutex mutex_;
  Reached reached_;
  std::chrono::steady_clock::time_point looked_at_{};
  std::uint64_t started_ = 0;  ///< operations ever, ...
  std::uint64_t flushed_ = 0;  ///< ... and how many of them a flush has ended for
};

}  // namespace psnam::nam
