#include "capi/checkpoint_set.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <map>

#include "base/log.hpp"
#include "capi/records.hpp"
#include "checkpoint/uses.hpp"

namespace psnam::capi {
namespace {

using checkpoint::AreaMemory;
using checkpoint::AreaTicket;

class Records final : public checkpoint::AreaRecords {
 public:
  explicit Records(std::vector<std::int32_t> global_ranks) : global_ranks_{std::move(global_ranks)} {}

  [[nodiscard]] std::string name_for(std::uint64_t capacity_bytes) override {
    SetRecord record;
    record.max_bytes = capacity_bytes;
    record.ranks = global_ranks_.size();
    record.global_ranks = global_ranks_;
    return new_set_name(record);
  }
  // The file is a convenience; the catalog knows.
  void kept(const format::AllocationRecord& allocation) override {
    auto record = set_of(allocation);
    if (!record) return;
    record->global_ranks = global_ranks_;
    auto folder = records_folder();
    const Status written = folder ? write_record(*folder, *record) : std::move(folder).status();
    if (!written) log::warn("a set of checkpoints is in the catalog only: {}", written.error().message);
  }
  void gone(const format::AllocationRecord& allocation) override {
    auto folder = records_folder();
    const Status removed = folder ? remove_record(*folder, allocation.challenge) : std::move(folder).status();
    if (!removed) log::warn("the record of a set of checkpoints stays: {}", removed.error().message);
  }

 private:
  std::vector<std::int32_t> global_ranks_;
};

/// The areas of one set.
struct Found {
  std::vector<AreaTicket> areas;
  std::uint64_t taken_ns = 0;  ///< its newest version; 0 without any
};

}  // namespace

parity::Deadline CheckpointSet::deadline() const {
  // As slow as a gigabyte in 4 s at worst.
  constexpr std::uint64_t kBytesInAMillisecond = 256 << 10;
  const std::uint64_t bytes = parity_->capacity_bytes() * static_cast<std::uint64_t>(parity_->team().size());
  return std::chrono::steady_clock::now() + timeout_ + std::chrono::milliseconds{bytes / kBytesInAMillisecond};
}

std::unique_ptr<checkpoint::AreaRecords> area_records(std::vector<std::int32_t> global_ranks) {
  return std::make_unique<Records>(std::move(global_ranks));
}

namespace {

/// Code::busy if there are sets, and all of them are in use; Code::name_not_found if there are none.
Result<std::vector<AreaTicket>> find_areas_once(const ServicePointer& nam, const WantedSet& wanted) {
  // What a job that was killed had in use is not in use.
  PSNAM_CHECK(checkpoint::release_leftovers(*nam));
  PSNAM_TRY(const auto reports, nam->allocations());
  std::map<std::array<std::uint8_t, 16>, Found> sets;
  std::size_t of_others = 0, in_use = 0;
  for (const auto& report : reports) {
    const format::AllocationRecord& allocation = report.allocation;
    if (allocation.kind != format::AllocationKind::checkpoint || allocation.uid != ::geteuid() ||
        allocation.consistency != format::Consistency::persistent)
      continue;
    const auto record = set_of(allocation);
    if (!record) continue;
    if (record->ranks != wanted.ranks) {
      ++of_others;
      continue;
    }
    if (checkpoint::count_jobs(report) != 0) {
      ++in_use;
      continue;
    }
    const AreaTicket ticket{allocation.id, allocation.challenge};
    const auto memory = AreaMemory::connect(nam, ticket);
    if (!memory) {
      log::warn("parity in allocation {} cannot be used: {}", allocation.id, memory.error().message);
      continue;
    }
    parity::Area& area = (*memory)->area();
    if (!wanted.name.empty() && area.name() != wanted.name) {
      ++of_others;
      continue;
    }
    Found& set = sets[area.id()];
    set.areas.push_back(ticket);
    for (const auto& version : area.versions()) set.taken_ns = std::max(set.taken_ns, version.taken_ns);
  }
  const auto newest = std::ranges::max_element(sets, {}, [](const auto& entry) { return entry.second.taken_ns; });
  if (newest == sets.end())
    return Error{in_use != 0 ? Code::busy : Code::name_not_found,
                 fmt::format("user {} has no set of checkpoints{} of {} processes here that is not in use ({} of them "
                             "are in use, {} are other sets)",
                             ::geteuid(), wanted.name.empty() ? "" : fmt::format(" \"{}\"", wanted.name), wanted.ranks,
                             in_use, of_others)};
  return std::move(newest->second.areas);
}

}  // namespace

Result<std::vector<AreaTicket>> find_areas(const ServicePointer& nam, const WantedSet& wanted) {
  auto found = checkpoint::when_let_go([&] { return find_areas_once(nam, wanted); });
  if (found || found.error().code != Code::busy) return found;
  Error error = found.take_error();
  error.code = Code::name_not_found;
  return error;
}

}  // namespace psnam::capi
