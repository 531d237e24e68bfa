#include "cli/contents.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

namespace psnam::cli {

Result<Contents> Contents::read(nam::Service* store) {
  Contents contents;
  if (store == nullptr) return contents;
  PSNAM_TRY(contents.windows_, store->list());
  PSNAM_TRY(contents.allocations_, store->allocations());
  std::ranges::stable_sort(contents.windows_, {}, [](const nam::WindowReport& report) {
    return std::pair{report.window.name.empty(), report.window.name};
  });
  for (std::size_t index = 0; index < contents.windows_.size(); ++index)
    contents.window_of_id_.emplace(contents.windows_[index].window.id, index);
  std::ranges::sort(contents.allocations_, {}, [](const auto& report) { return report.allocation.id; });
  for (std::size_t index = 0; index < contents.allocations_.size(); ++index)
    if (contents.allocations_[index].allocation.parent_id != 0) contents.segments_.push_back(index);
  std::ranges::sort(contents.segments_, {}, [&](std::size_t index) {
    const auto& segment = contents.allocations_[index].allocation;
    return std::pair{segment.parent_id, segment.offset_bytes};
  });
  return contents;
}

std::vector<const nam::AllocationReport*> Contents::free_standing() const {
  std::vector<const nam::AllocationReport*> found;
  for (const auto& report : allocations_)
    if (report.allocation.window_id == 0 && report.allocation.parent_id == 0) found.push_back(&report);
  return found;
}

const nam::WindowReport* Contents::window(std::uint64_t id) const {
  const auto found = window_of_id_.find(id);
  return found == window_of_id_.end() ? nullptr : &windows_[found->second];
}

const nam::AllocationReport* Contents::allocation(std::uint64_t id) const {
  const auto found =
      std::ranges::lower_bound(allocations_, id, {}, [](const auto& report) { return report.allocation.id; });
  return found == allocations_.end() || found->allocation.id != id ? nullptr : &*found;
}

const nam::WindowReport* Contents::window(std::string_view name) const {
  const nam::WindowReport* found = nullptr;
  if (name.empty()) return found;
  for (const auto& report : windows_) {
    const bool better = found == nullptr || report.window.consistency == format::Consistency::persistent;
    if (report.window.name == name && better) found = &report;
  }
  return found;
}

const nam::AllocationReport* Contents::allocation(std::string_view name) const {
  const nam::AllocationReport* found = nullptr;
  if (name.empty()) return found;
  for (const auto& report : allocations_) {
    const bool better = found == nullptr || report.allocation.consistency == format::Consistency::persistent;
    if (report.allocation.name == name && better) found = &report;
  }
  return found;
}

std::vector<Branch> Contents::tree(std::uint64_t id) const {
  std::vector<Branch> branches;
  std::vector<Branch> pending;
  const auto push_children = [&](std::uint64_t parent, std::size_t depth) {
    const auto children = std::ranges::equal_range(
        segments_, parent, {}, [&](std::size_t at) { return allocations_[at].allocation.parent_id; });
    // The stack gives back the last one first.
    for (const std::size_t index : children | std::views::reverse) pending.push_back({&allocations_[index], depth});
  };
  push_children(id, 0);
  while (!pending.empty()) {
    const Branch branch = pending.back();
    pending.pop_back();
    branches.push_back(branch);
    push_children(branch.report->allocation.id, branch.depth + 1);
  }
  return branches;
}

std::vector<std::uint64_t> Contents::windows_in(std::uint64_t id) const {
  std::vector<std::uint64_t> ids;
  const auto add = [&](const nam::AllocationReport& report) {
    ids.insert(ids.end(), report.referring_windows.begin(), report.referring_windows.end());
  };
  if (const auto* report = allocation(id)) add(*report);
  for (const auto& branch : tree(id)) {
    add(*branch.report);
    if (branch.report->allocation.window_id != 0) ids.push_back(branch.report->allocation.window_id);
  }
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  return ids;
}

std::string Contents::name_of_window(std::uint64_t id) const {
  const auto* const report = window(id);
  return report == nullptr || report->window.name.empty() ? fmt::format("window {}", id) : report->window.name;
}

}  // namespace psnam::cli
