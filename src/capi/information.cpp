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
  PSNAM_TRY(const auto nams, store->nams());
  nam_stat_t found{};
  found.nam_count = static_cast<std::int32_t>(std::ranges::count_if(nams, &nam::NamReport::reachable));
  const std::uint32_t index = allocation ? allocation->details().nam_index : nams.front().index;
  found.nam_index = static_cast<std::int32_t>(index);
  if (const auto nam = std::ranges::find(nams, index, &nam::NamReport::index); nam != nams.end()) {
    found.capacity_bytes = nam->capacity_bytes;
    found.free_bytes = nam->free_bytes;
  }
  if (allocation) {
    const format::AllocationRecord record = allocation->details();
    found.address = record.id;
    found.size = record.size_bytes;
    found.created = static_cast<std::int64_t>(record.created_unix_seconds);
    found.persistent = record.consistency == format::Consistency::persistent ? 1 : 0;
    found.flag = record.kind == format::AllocationKind::checkpoint ? NM_CPRS : 0;
    PSNAM_TRY(const auto its_nam, allocation->store());
    PSNAM_TRY(const std::uint64_t users, its_nam->count_users(record.id));
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
