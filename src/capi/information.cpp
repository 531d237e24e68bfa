// nam.h: what there is to know of an allocation and its NAM.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "capi/failure.hpp"
#include "capi/process.hpp"
#include "nam.h"

namespace psnam::capi {
namespace {

Status describe(const nam_allocation_t* handle, nam_stat_t* stat) {
  if (stat == nullptr) return Error{Code::buffer, "nam_stat: the structure's address is NULL"};
  *stat = {};
  std::shared_ptr<Allocation> allocation;
  if (handle != nullptr) {
    PSNAM_TRY(allocation, process().allocation("nam_stat", handle));
  }
  PSNAM_TRY(const auto store, process().store());
  PSNAM_TRY(const nam::StoreSummary summary, store->summary());
  nam_stat_t found{};
  found.nam_count = 1;
  found.capacity_bytes = summary.capacity_bytes;
  const std::uint64_t allowed = summary.capacity_bytes - std::min(summary.capacity_bytes, summary.reserved_bytes);
  found.free_bytes = std::min(allowed, summary.file_system_free_bytes);
  if (allocation) {
    const format::AllocationRecord record = allocation->details();
    found.address = record.id;
    found.size = record.size_bytes;
    found.created = static_cast<std::int64_t>(record.created_unix_seconds);
    found.persistent = record.consistency == format::Consistency::persistent ? 1 : 0;
    found.flag = record.kind == format::AllocationKind::checkpoint ? NM_CPRS : 0;
    PSNAM_TRY(const std::uint64_t users, store->count_users(record.id));
    found.processes = static_cast<std::uint32_t>(users);
    PSNAM_TRY(nam::NotificationQueue* const queue, allocation->notifications());
    PSNAM_TRY(const std::uint64_t waiting, queue->size());
    found.notifications = static_cast<std::uint32_t>(waiting);
  }
  *stat = found;
  return {};
}

Status print(const nam_allocation_t* handle) {
  PSNAM_TRY(const auto allocation, process().allocation("nam_print_allocation", handle));
  const nam_allocation_t record = allocation->record();
  const std::string text =
      fmt::format("allocation {} on NAM {}: {} bytes, {}, challenge {:016x}\n", record.address, record.nam_index,
                  record.size, record.persistent != 0 ? "persistent" : "volatile", record.challenge);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size())
    return Error{Code::system, "nam_print_allocation: standard output takes no more"};
  return {};
}

}  // namespace
}  // namespace psnam::capi

using psnam::capi::boundary;

extern "C" {

int nam_stat(nam_allocation_t* allocation, nam_stat_t* stat) {
  return boundary(-1, [&] { return psnam::capi::describe(allocation, stat); });
}

int nam_print_allocation(nam_allocation_t* allocation) {
  return boundary(-1, [&] { return psnam::capi::print(allocation); });
}

}  // extern "C"
