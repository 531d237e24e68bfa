#include "checkpoint/inventory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/log.hpp"
#include "checkpoint/names.hpp"
#include "checkpoint/seen_memory.hpp"
#include "parity/area.hpp"

namespace psnam::checkpoint {
namespace {

/// The NAM and those beside it that answer.
std::vector<ServicePointer> all_nams(const ServicePointer& home) {
  std::vector<ServicePointer> all{home};
  const auto nams = home->nams();
  if (!nams) return all;
  for (const auto& nam : *nams) {
    if (nam.address.empty() || !nam.reachable) continue;
    if (auto service = home->nam(nam.index))
      all.emplace_back(home, *service);
    else
      log::warn("NAM {} is left out: {}", nam.index, service.error().message);
  }
  return all;
}

void read_page(FoundSeries& found) {
  auto read = [&]() -> Result<Series> {
    PSNAM_TRY(const SeenMemory memory, SeenMemory::look(found.page->service, found.page->record()));
    PSNAM_CHECK(memory.need_all());
    return decode_series(memory.bytes());
  }();
  if (!read) {
    found.problem = read.error().message;
    return;
  }
  found.id = format::to_string(read->id);
  found.series = std::move(*read);
}

void read_area(FoundSet& found) {
  const FoundPart& part = found.areas.front();
  const auto read = [&]() -> Status {
    PSNAM_TRY(const SeenMemory memory, SeenMemory::look(part.service, part.record()));
    PSNAM_CHECK(memory.need(0, format::kParityPage));
    PSNAM_TRY(const parity::Area area, parity::Area::open(memory.bytes()));
    found.name = area.name();
    found.id = area.id();
    found.members = area.shape().members;
    found.parities = area.shape().parities;
    return {};
  }();
  if (!read) found.problem = read.error().message;
}

/// Sorts the allocations of all services into what they belong to.
class Sorter {
 public:
  void add(const ServicePointer& service, bool is_home, std::vector<nam::AllocationReport> reports) {
    const format::NodeRecord node = service->node();
    for (nam::AllocationReport& report : reports) {
      const format::AllocationRecord& record = report.allocation;
      if (record.kind != format::AllocationKind::checkpoint) continue;
      const auto parts = parse_name(record.name);
      const bool is_area = parts && parts->kind == NameParts::Kind::area;
      if (record.consistency != format::Consistency::persistent && !is_area) continue;
      FoundPart part{service, node.path, std::move(report), parts ? parts->number : 0};
      if (!parts)
        add_area(std::move(part));
      else if (parts->kind == NameParts::Kind::copy)
        copies_[parts->series].push_back(std::move(part));
      else if (parts->kind == NameParts::Kind::area)
        areas_[parts->series].push_back(std::move(part));
      else if (is_home)
        add_page(*parts, std::move(part));
    }
  }

  Inventory finish() {
    for (FoundSeries& series : inventory_.series) {
      if (series.id.empty()) continue;
      series.copies = take(copies_, series.id);
      series.areas = take(areas_, series.id);
    }
    std::set<std::string> left;
    for (const auto& [id, parts] : copies_) left.insert(id);
    for (const auto& [id, parts] : areas_) left.insert(id);
    for (const std::string& id : left) add_rest(id);
    std::ranges::stable_sort(inventory_.series, {}, [](const FoundSeries& one) { return std::pair{one.name, one.id}; });
    std::ranges::sort(inventory_.sets, {}, [](const FoundSet& one) { return one.areas.front().record().id; });
    return std::move(inventory_);
  }

 private:
  using Parts = std::map<std::string, std::vector<FoundPart>>;

  static std::vector<FoundPart> take(Parts& parts, const std::string& id) {
    auto node = parts.extract(id);
    return node ? std::move(node.mapped()) : std::vector<FoundPart>{};
  }
  void add_page(const NameParts& parts, FoundPart page) {
    FoundSeries found{.name = parts.name,
                      .id = {},
                      .uid = page.record().uid,
                      .page = std::move(page),
                      .series = {},
                      .problem = {},
                      .copies = {},
                      .areas = {}};
    read_page(found);
    inventory_.series.push_back(std::move(found));
  }
  void add_rest(const std::string& id) {
    FoundSeries found{.name = {},
                      .id = id,
                      .uid = 0,
                      .page = {},
                      .series = {},
                      .problem = "the page of the series is not here",
                      .copies = take(copies_, id),
                      .areas = take(areas_, id)};
    found.uid = (found.copies.empty() ? found.areas : found.copies).front().record().uid;
    inventory_.series.push_back(std::move(found));
  }
  void add_area(FoundPart part) {
    FoundSet found;
    found.uid = part.record().uid;
    found.areas.push_back(std::move(part));
    read_area(found);
    const auto same = std::ranges::find_if(inventory_.sets, [&](const FoundSet& other) {
      return found.problem.empty() && other.problem.empty() && other.id == found.id && other.uid == found.uid;
    });
    if (same == inventory_.sets.end())
      inventory_.sets.push_back(std::move(found));
    else
      same->areas.push_back(std::move(found.areas.front()));
  }

  Inventory inventory_;
  Parts copies_, areas_;
};

/// True if the memory is gone already. What somebody else has freed before is.
Result<bool> release(const FoundPart& part) {
  if (!part.kept()) return false;
  auto gone = part.service->free_allocation(part.record().id, false);
  if (!gone && gone.error().code == Code::name_not_found) return true;
  return gone;
}

Result<bool> release(const std::vector<FoundPart>& parts) {
  bool all_gone = true;
  for (const FoundPart& part : parts) {
    PSNAM_TRY(const bool gone, release(part));
    all_gone = all_gone && gone;
  }
  return all_gone;
}

std::size_t most_jobs(const std::vector<FoundPart>& parts) {
  std::size_t most = 0;
  for (const FoundPart& part : parts) most = std::max(most, count_jobs(part.report));
  return most;
}

Error busy(const std::string& what) {
  return Error{Code::busy, what + " is in use by a job; --force removes it all the same"};
}

}  // namespace

std::size_t FoundSeries::jobs() const {
  if (page) return count_jobs(page->report);
  // Each rank of a job has its own copies in use, so there may be one job more often.
  return std::max(most_jobs(copies), most_jobs(areas)) == 0 ? 0 : 1;
}

std::size_t FoundSet::jobs() const { return most_jobs(areas); }

Result<Inventory> Inventory::take(const ServicePointer& nam, const std::vector<ServicePointer>& stores) {
  // What a job that was killed had in use is not in use.
  PSNAM_CHECK(release_leftovers(*nam));
  Sorter sorter;
  std::set<format::Uuid> seen;
  std::vector<ServicePointer> services = all_nams(nam);
  services.insert(services.end(), stores.begin(), stores.end());
  for (const ServicePointer& service : services) {
    if (!seen.insert(service->node().store).second) continue;
    PSNAM_TRY(auto reports, service->allocations());
    sorter.add(service, service == services.front(), std::move(reports));
  }
  return sorter.finish();
}

Result<bool> remove(const FoundSeries& series, bool force) {
  const std::string what =
      series.name.empty() ? "series " + series.id : fmt::format("the series of checkpoints \"{}\"", series.name);
  std::uint64_t use_id = 0;
  std::size_t jobs = series.jobs();
  if (series.page) {
    // A job that comes now sees this use of the page, and does not begin.
    nam::Service& nam = *series.page->service;
    PSNAM_TRY(const auto me, nam.user(0));
    PSNAM_TRY(const auto use,
              nam.open_allocation(series.page->record().id, std::nullopt, nam::AccessRight::read_write, {&me, 1}));
    use_id = use.use_id;
    PSNAM_TRY(jobs, count_jobs(nam, series.page->record().id));
    jobs -= std::min<std::size_t>(jobs, 1);
  }
  auto gone = [&]() -> Result<bool> {
    if (jobs != 0 && !force) return busy(what);
    PSNAM_TRY(const bool areas_gone, release(series.areas));
    PSNAM_TRY(const bool copies_gone, release(series.copies));
    if (series.page) PSNAM_CHECK(release(*series.page).status());
    return areas_gone && copies_gone && jobs == 0;
  }();
  if (use_id != 0) PSNAM_CHECK(series.page->service->close(use_id));
  return gone;
}

Result<bool> remove(const FoundSet& set, bool force) {
  if (set.jobs() != 0 && !force) return busy(fmt::format("the set of checkpoints {}", set.areas.front().record().id));
  return release(set.areas);
}

}  // namespace psnam::checkpoint
