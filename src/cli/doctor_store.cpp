// namctl doctor: the store.
#include <fmt/format.h>

#include "cli/doctor.hpp"
#include "cli/text.hpp"

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

void examine_windows(nam::Store& store, Diagnosis& diagnosis) {
  const auto reports = store.list();
  if (!reports) {
    diagnosis.push_back(
        {Verdict::wrong, "store", reports.error().message, std::string{hint_for(reports.error().code)}});
    return;
  }
  for (const auto& report : *reports)
    if (report.window.in_doubt)
      diagnosis.push_back(
          {Verdict::note, "store",
           fmt::format("the window \"{}\" waits for its node {} to say whether it exists", report.window.name,
                       report.window.nodes.empty() ? "?" : report.window.nodes.front().host),
           fmt::format("if that node is gone: namctl rm {}", report.window.name)});
}

void examine_contents(nam::Store& store, Diagnosis& diagnosis) {
  const auto findings = store.check();
  if (!findings) {
    diagnosis.push_back(
        {Verdict::wrong, "store", findings.error().message, std::string{hint_for(findings.error().code)}});
    return;
  }
  for (const auto& finding : *findings)
    diagnosis.push_back({Verdict::wrong, "store", finding,
                         "namctl gc removes files of nobody; namctl rm removes a window that is not whole"});
  if (findings->empty()) diagnosis.push_back({Verdict::good, "store", "catalog and files agree"});
}

}  // namespace

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
  nam::Store& store = **opened;
  const auto summary = store.summary();
  if (!summary) {
    diagnosis.push_back(
        {Verdict::wrong, "store", summary.error().message, std::string{hint_for(summary.error().code)}});
    return;
  }
  diagnosis.push_back({Verdict::good, "store",
                       fmt::format("{} on {}: {}, used by {}", folder, summary->host,
                                   count_text(summary->windows, "window"), count_text(summary->uses, "job"))});
  if (const auto released = store.released_at_open(); released.uses != 0 || released.windows != 0)
    diagnosis.push_back({Verdict::note, "store",
                         fmt::format("{} and {} of jobs that ended without freeing were left; they are released now",
                                     count_text(released.windows, "window"), size_text(released.bytes))});
  examine_room(*summary, diagnosis);
  examine_windows(store, diagnosis);
  examine_contents(store, diagnosis);
}

}  // namespace psnam::cli
