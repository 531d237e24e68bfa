// Compares the catalog of the embedded store with its files and with itself.
//
// The writer's lock is held meanwhile, so nothing that is compared can change: records do not change without it, a file
// of a findable window is removed only after a transaction, and a file is made only after its record. Files of windows
// that are still volatile may be on their way, so only their size limit is judged.
#include <fmt/format.h>

#include <algorithm>

#include "nam/contents.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {
namespace {

template <class Record>
std::map<std::uint64_t, Record> by_id(std::vector<Record> records) {
  std::map<std::uint64_t, Record> map;
  for (auto& record : records) {
    const std::uint64_t id = record.id;
    map.emplace(id, std::move(record));
  }
  return map;
}

Result<Contents> read_contents(CatalogTransaction& transaction, const FileArea& memory, const FileArea& control,
                               const FileArea& locks) {
  Contents contents;
  PSNAM_TRY(contents.store, transaction.store());
  PSNAM_TRY(auto windows, transaction.windows());
  contents.windows = by_id(std::move(windows));
  PSNAM_TRY(auto allocations, transaction.allocations());
  contents.allocations = by_id(std::move(allocations));
  PSNAM_TRY(auto uses, transaction.uses());
  contents.uses = by_id(std::move(uses));
  PSNAM_TRY(auto names, transaction.names());
  contents.names = {names.begin(), names.end()};
  PSNAM_TRY(auto allocation_names, transaction.allocation_names());
  contents.allocation_names = {allocation_names.begin(), allocation_names.end()};
  PSNAM_TRY(const auto extents, transaction.extents());
  for (const auto& row : extents) contents.extents[row.parent_id].push_back(row.extent);
  PSNAM_TRY(contents.free_extents, transaction.free_extents());
  PSNAM_TRY(contents.references, transaction.references());
  PSNAM_TRY(auto services, transaction.services());
  contents.services = {services.begin(), services.end()};
  PSNAM_TRY(contents.users, transaction.users());
  PSNAM_TRY(contents.memory, memory.list());
  PSNAM_TRY(contents.control, control.list());
  PSNAM_TRY(contents.locks, locks.list());
  return contents;
}

void check_windows(const Contents& all, Findings& findings) {
  for (const auto& [id, window] : all.windows) {
    const auto name = all.names.find(window.name);
    const bool found = name != all.names.end() && name->second == id;
    if (is_findable(window) && !found)
      findings.push_back(fmt::format("window {} \"{}\" is persistent and not found by its name", id, window.name));
    if (!is_findable(window) && found)
      findings.push_back(fmt::format("window {} \"{}\" is volatile and found by its name", id, window.name));
  }
  for (const auto& [name, id] : all.names)
    if (!all.windows.contains(id))
      findings.push_back(fmt::format("the name \"{}\" leads to window {}, which is missing", name, id));
  for (const auto& [service, record] : all.services) {
    const auto window = all.windows.find(record.window_id);
    if (window == all.windows.end() || window->second.name != record.port_name)
      findings.push_back(
          fmt::format("the service \"{}\" leads to \"{}\", which is no window's name", service, record.port_name));
  }
}

Status check_uses(CatalogTransaction& transaction, const Contents& all, Findings& findings) {
  for (const auto& [id, use] : all.uses) {
    if (!all.has_object(use.object_id))
      findings.push_back(fmt::format("use {} is of window {}, which is missing", id, use.object_id));
    PSNAM_TRY(const auto uses, transaction.uses_of(use.object_id));
    if (std::find(uses.begin(), uses.end(), id) == uses.end())
      findings.push_back(fmt::format("{} does not know its use {}", use.object_id, id));
  }
  PSNAM_TRY(const std::uint64_t known, transaction.entries(Table::object_uses));
  if (known != all.uses.size())
    findings.push_back(fmt::format("windows and allocations know {} uses, there are {}", known, all.uses.size()));
  PSNAM_TRY(const std::uint64_t led, transaction.entries(Table::window_services));
  if (led != all.services.size())
    findings.push_back(fmt::format("the windows know {} services, there are {}", led, all.services.size()));
  return {};
}

void check_files(const Contents& all, const FileArea& memory, const FileArea& control, Findings& findings) {
  std::map<std::uint64_t, std::uint64_t> sizes;
  for (const auto& file : all.memory) {
    sizes.emplace(file.id, file.size_bytes);
    const auto found = all.allocations.find(file.id);
    if (found == all.allocations.end() || found->second.parent_id != 0)
      findings.push_back(fmt::format("{} belongs to no allocation", memory.shown(file.id)));
    else if (file.size_bytes > found->second.size_bytes)
      findings.push_back(fmt::format("{} has {} bytes, its record says {}", memory.shown(file.id), file.size_bytes,
                                     found->second.size_bytes));
  }
  for (const auto& file : all.control)
    if (!all.uses.contains(file.id)) findings.push_back(fmt::format("{} belongs to no use", control.shown(file.id)));
  for (const auto& [id, allocation] : all.allocations) {
    if (allocation.parent_id != 0 || !all.is_lasting(allocation)) continue;
    const auto window = all.windows.find(allocation.window_id);
    const std::string& name = window == all.windows.end() ? allocation.name : window->second.name;
    const auto size = sizes.find(id);
    if (size == sizes.end())
      findings.push_back(fmt::format("{}, memory of \"{}\", is missing", memory.shown(id), name));
    else if (size->second < allocation.size_bytes)
      findings.push_back(fmt::format("{}, memory of \"{}\", has {} bytes, its record says {}", memory.shown(id), name,
                                     size->second, allocation.size_bytes));
  }
}

}  // namespace

Result<Findings> Store::check() {
  PSNAM_TRY(const Rights rights, this->rights());
  PSNAM_CHECK(rights.require_administrator("check", impl_->folder.path().string()));
  PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->write(Purpose::removal));
  PSNAM_TRY(const Contents contents, read_contents(transaction, impl_->memory, impl_->control, impl_->locks));
  Findings findings;
  check_windows(contents, findings);
  PSNAM_CHECK(check_uses(transaction, contents, findings));
  check_memory(contents, findings);
  check_files(contents, impl_->memory, impl_->control, findings);
  PSNAM_TRY(const auto pages, impl_->notifications.list());
  for (const auto& page : pages)
    if (!contents.allocations.contains(page.id))
      findings.push_back(fmt::format("{} belongs to no allocation", impl_->notifications.shown(page.id)));
  for (const auto& file : contents.locks)
    if (!contents.windows.contains(file.id))
      findings.push_back(fmt::format("{} belongs to no window", impl_->locks.shown(file.id)));
  return findings;
}

}  // namespace psnam::nam
