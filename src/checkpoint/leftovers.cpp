#include "checkpoint/leftovers.hpp"

#include <algorithm>
#include <functional>
#include <string>

#include "base/log.hpp"
#include "checkpoint/names.hpp"

namespace psnam::checkpoint {
namespace {

using Prefix = std::function<std::string(const format::Uuid&)>;

void remove_others(nam::Service& service, const Prefix& prefix, const format::Uuid& series,
                   std::span<const format::Uuid> keep) {
  const std::string family = family_of(prefix(series));
  const auto reports = service.allocations();
  if (!reports) return log::warn("what is left of {}... stays: {}", family, reports.error().message);
  for (const auto& report : *reports) {
    const format::AllocationRecord& record = report.allocation;
    if (!record.name.starts_with(family)) continue;
    if (std::ranges::any_of(keep, [&](const format::Uuid& id) { return record.name.starts_with(prefix(id)); }))
      continue;
    const auto gone = service.free_allocation(record.id, false);
    if (!gone && gone.error().code != Code::name_not_found)
      log::warn("allocation {} stays: {}", record.id, gone.error().message);
  }
}

}  // namespace

void remove_other_copies(nam::Service& store, const format::Uuid& series, std::span<const format::Uuid> keep) {
  for (const CopyKind kind : {CopyKind::own, CopyKind::partner})
    remove_others(
        store, [kind](const format::Uuid& id) { return copy_prefix(kind, id); }, series, keep);
}

void remove_other_areas(nam::Service& nam, const format::Uuid& series, std::span<const format::Uuid> keep) {
  remove_others(
      nam, [](const format::Uuid& id) { return area_prefix(id); }, series, keep);
}

}  // namespace psnam::checkpoint
