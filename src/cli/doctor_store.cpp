// namctl doctor: the store.
#include <fmt/format.h>

#include "cli/allocation_report.hpp"
#include "cli/doctor.hpp"
#include "cli/text.hpp"
#include "nam/store.hpp"

namespace psnam::cli {
namespace {

// Less than this share left, in percent, and the next allocation is likely to fail.
constexpr std::uint64_t kLittlePercent = 5;

std::string_view hint_for(Code code) {
  switch (code) {
    case Code::access:
      return "a store belongs to its user with mode 0700: correct the folder (chmod, chown), or name another with "
             "PSNAM_STORE";
    case Code::unsupported:
      return "name a folder in memory or on a disk of this node with PSNAM_STORE";
    case Code::incompatible:
      return "use the psnam version that made the store, or end its jobs and delete the folder";
    case Code::busy:
      return "name its manager by PSNAM_MANAGER or --manager";
    case Code::corrupt:
      return "end the jobs that use the store, save what is in its folder memory, and delete the folder";
    default:
      return "look at the folder, or name another with PSNAM_STORE";
  }
}

bool is_little(std::uint64_t left, std::uint64_t total) { return left < total / 100 * kLittlePercent; }

void examine_room(const nam::StoreSummary& summary, Diagnosis& diagnosis) {
  const std::uint64_t left = summary.capacity_bytes - std::min(summary.reserved_bytes, summary.capacity_bytes);
  const std::string used = fmt::format("{} of {} reserved, {} left", size_text(summary.reserved_bytes),
                                       size_text(summary.capacity_bytes), size_text(left));
  if (is_little(left, summary.capacity_bytes))
    diagnosis.push_back({Verdict::wrong, "store", used, "namctl list shows the windows, namctl rm removes them"});
  else
    diagnosis.push_back({Verdict::good, "store", used});
  const std::string system = fmt::format("the file system has {} of {} free", size_text(summary.file_system_free_bytes),
                                         size_text(summary.file_system_bytes));
  if (is_little(summary.file_system_free_bytes, summary.file_system_bytes))
    diagnosis.push_back(
        {Verdict::wrong, "store", system, "remove windows, or files of others on the same file system"});
  else if (summary.file_system_free_bytes < left)
    diagnosis.push_back({Verdict::note, "store", fmt::format("{}, less than the store may still give out", system),
                         "allocations may fail before the store is full"});
  else
    diagnosis.push_back({Verdict::good, "store", system});
}

/// As a manager of an earlier version says nothing of it, it may have no limit.
void examine_catalog(const nam::StoreSummary& summary, Diagnosis& diagnosis) {
  const std::uint64_t limit = summary.catalog_limit_bytes;
  if (limit == 0) return;
  const std::string text = fmt::format("records take {} of {}", size_text(summary.catalog_bytes), size_text(limit));
  if (is_little(limit - std::min(summary.catalog_bytes, limit), limit))
    diagnosis.push_back({Verdict::wrong, "store", text,
                         "remove windows and allocations, or let a manager have more by its setting catalog"});
  else
    diagnosis.push_back({Verdict::good, "store", text});
}

/// What is in the allocation `id`, for a sentence: "window a, window 12".
std::string inhabitants_of(std::uint64_t id, const Contents& contents) {
  std::vector<std::string> names;
  for (const std::uint64_t window : contents.windows_in(id))
    names.push_back(fmt::format("\"{}\"", contents.name_of_window(window)));
  return names.empty() ? "" : fmt::format(", and is held by {}", fmt::join(names, ", "));
}

void examine_allocations(const Contents& contents, Diagnosis& diagnosis) {
  const auto reports = contents.free_standing();
  if (reports.empty()) return;
  std::uint64_t bytes = 0;
  std::uint64_t taken = 0;
  for (const auto* const report : reports) {
    bytes += report->allocation.size_bytes;
    taken += report->taken_bytes;
  }
  diagnosis.push_back({Verdict::good, "store",
                       fmt::format("{} of {}, {} in segments", count_text(reports.size(), "free-standing allocation"),
                                   size_text(bytes), size_text(taken))});
  for (const auto* const report : reports) {
    const auto& allocation = report->allocation;
    if (has_expired(allocation))
      diagnosis.push_back(
          {Verdict::note, "store",
           fmt::format("the allocation {} expired {}{}", title_of(allocation),
                       time_text(allocation.expires_unix_seconds), inhabitants_of(allocation.id, contents)),
           fmt::format("it goes when nobody uses it; with all that is in it: namctl free --recursive {}",
                       allocation.id)});
  }
}

void examine_objects(nam::Service& store, Diagnosis& diagnosis) {
  const auto contents = Contents::read(&store);
  if (!contents) {
    diagnosis.push_back(
        {Verdict::wrong, "store", contents.error().message, std::string{hint_for(contents.error().code)}});
    return;
  }
  examine_allocations(*contents, diagnosis);
  for (const auto& report : contents->windows())
    if (report.window.in_doubt)
      diagnosis.push_back(
          {Verdict::note, "store",
           fmt::format("the window \"{}\" waits for its node {} to say whether it exists", report.window.name,
                       report.window.nodes.empty() ? "?" : report.window.nodes.front().host),
           fmt::format("if that node is gone: namctl rm {}", report.window.name)});
}

void examine_contents(nam::Service& store, Diagnosis& diagnosis) {
  const auto findings = store.check();
  // For its administrator; others see what is theirs, which says nothing about the whole.
  if (!findings && findings.error().code == Code::access) return;
  if (!findings) {
    diagnosis.push_back(
        {Verdict::wrong, "store", findings.error().message, std::string{hint_for(findings.error().code)}});
    return;
  }
  for (const auto& finding : *findings)
    diagnosis.push_back({Verdict::wrong, "store", finding,
                         "namctl gc removes files of nobody; namctl rm and namctl free remove what is not whole"});
  if (findings->empty()) diagnosis.push_back({Verdict::good, "store", "catalog and files agree"});
}

}  // namespace

void examine_service(nam::Service& service, const std::string& subject, Diagnosis& diagnosis) {
  const auto summary = service.summary();
  if (!summary) {
    diagnosis.push_back(
        {Verdict::wrong, "store", summary.error().message, std::string{hint_for(summary.error().code)}});
    return;
  }
  diagnosis.push_back({Verdict::good, "store",
                       fmt::format("{} on {}: {}, used by {}", subject, summary->host,
                                   count_text(summary->windows, "window"), count_text(summary->uses, "job"))});
  examine_room(*summary, diagnosis);
  examine_catalog(*summary, diagnosis);
  examine_objects(service, diagnosis);
  examine_contents(service, diagnosis);
}

void examine_store(const Invocation& invocation, Diagnosis& diagnosis) {
  const std::string folder = invocation.folder().string();
  auto opened = nam::Store::open({.folder = invocation.folder(), .create = false});
  if (!opened && opened.error().code == Code::name_not_found) {
    diagnosis.push_back({Verdict::good, "store", fmt::format("{}: not made yet, the first job does", folder)});
    return;
  }
  if (!opened) {
    diagnosis.push_back({Verdict::wrong, "store", opened.error().message, std::string{hint_for(opened.error().code)}});
    return;
  }
  nam::Service& store = **opened;
  examine_service(store, folder, diagnosis);
  const auto released = store.released_at_open();
  if (released.allocations != 0)
    diagnosis.push_back({Verdict::note, "store",
                         fmt::format("{} had expired, or was left by jobs that ended; released now",
                                     count_text(released.allocations, "free-standing allocation"))});
  if (released.uses != 0 || released.windows != 0)
    diagnosis.push_back({Verdict::note, "store",
                         fmt::format("{} and {} of jobs that ended without freeing were left; they are released now",
                                     count_text(released.windows, "window"), size_text(released.bytes))});
}

}  // namespace psnam::cli
