// An allocation that this process uses: its record, its mapped memory, its notifications.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/system.hpp"
#include "capi/nams.hpp"
#include "capi/remote_transfers.hpp"
#include "nam.h"
#include "nam/service.hpp"

namespace psnam::capi {

/// Bytes of an allocation.
struct Range {
  std::size_t offset = 0;
  std::size_t bytes = 0;
};

class Allocation {
 public:
  /// A new one, volatile until keep(), with `name` (may be empty) once it is persistent.
  /// `nam_index` as for nam_of(), among the NAMs that `home` knows.
  static Result<std::shared_ptr<Allocation>> allocate(const ServicePointer& home, std::size_t bytes, int flag,
                                                      const std::string& name, int nam_index = -1);
  /// The one that `record` tells. Code::access for a wrong challenge or user, Code::invalid_argument for a wrong NAM or
  /// size.
  static Result<std::shared_ptr<Allocation>> connect(const ServicePointer& home, const nam_allocation_t& record);

  Allocation(const Allocation&) = delete;
  Allocation& operator=(const Allocation&) = delete;
  ~Allocation();

  /// Makes it persistent.
  Status keep();
  /// Another process has made it persistent.
  void was_kept() noexcept;
  /// Ends this process's use. Idempotent; transfers under way in other threads finish.
  Status close();
  /// Ends the use, and the allocation itself if it is persistent. Code::busy if something lies in it: then nothing
  /// ends.
  Status release();

  /// As a program sees it.
  [[nodiscard]] nam_allocation_t record() const noexcept;
  [[nodiscard]] format::AllocationRecord details() const;
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool persistent() const noexcept;

  /// Code::range unless the bytes are inside.
  [[nodiscard]] Status check(const char* function, Range range) const;
  /// `range` was checked. Complete when it returns.
  Status put(const void* from, Range range);
  Status get(void* to, Range range);
  /// The same, begun: nothing if it is complete already, else what finish() is to be called with.
  Result<std::optional<RemoteTransfers::Number>> start_put(const void* from, Range range);
  Result<std::optional<RemoteTransfers::Number>> start_get(void* to, Range range);
  Status finish(RemoteTransfers::Number number) { return remote_->finish(number); }
  /// What was put is safe from a loss of power when it returns. Code::unsupported where memory is memory only.
  Status persist();

  /// The store, or Code::invalid_argument after close().
  Result<std::shared_ptr<nam::Service>> store();
  /// The queue, made on first use. It lives as long as this.
  Result<nam::NotificationQueue*> notifications();

 private:
  Allocation(std::shared_ptr<nam::Service> store, nam::AllocationUse use, nam::Memory memory);
  static Result<std::shared_ptr<Allocation>> map(std::shared_ptr<nam::Service> store, nam::AllocationUse use);

  const std::uint64_t id_;
  const std::size_t bytes_;
  const nam::Memory memory_;
  const std::unique_ptr<RemoteTransfers> remote_;  ///< null: mapped
  mutable std::mutex mutex_;                       ///< guards what follows
  std::shared_ptr<nam::Service> store_;
  format::AllocationRecord details_;
  std::uint64_t use_id_;
  std::unique_ptr<nam::NotificationQueue> notifications_;
};

}  // namespace psnam::capi
