// What test scripts ask a store directly, as its next user would: opening it releases what the dead have left.
//
//   store-tool check FOLDER        findings, one a line, and one line of numbers; fails if there is a finding
//   store-tool remove FOLDER NAME  removes a window
//
// FOLDER may be -: the NAM that the environment names, which is asked as its clients ask it.
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>

#include "base/options.hpp"
#include "nam/embedded.hpp"
#include "nam/store.hpp"

namespace {

using psnam::Error;

int fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 2;
}

/// Bytes that the allocations of the store's windows have, each counted once.
std::uint64_t allocated_bytes(const std::vector<psnam::nam::WindowReport>& reports) {
  std::uint64_t bytes = 0;
  for (const auto& report : reports) {
    std::map<std::uint64_t, std::uint64_t> ends;
    for (const auto& region : report.window.regions)
      if (region.allocation_id != 0)
        ends[region.allocation_id] = std::max(ends[region.allocation_id], region.offset_bytes + region.size_bytes);
    for (const auto& [id, end] : ends) bytes += end;
  }
  return bytes;
}

int check(psnam::nam::Service& store) {
  const auto collected = store.collect();
  if (!collected) return fail(collected.error());
  const auto findings = store.check();
  if (!findings) return fail(findings.error());
  const auto summary = store.summary();
  if (!summary) return fail(summary.error());
  const auto reports = store.list();
  if (!reports) return fail(reports.error());
  for (const auto& report : *reports)
    for (const auto& use : report.uses)
      for (const auto& process : use.processes)
        std::printf("use %ju of \"%s\" by process %u, started at tick %ju\n", std::uintmax_t{use.id},
                    report.window.name.c_str(), process.pid, std::uintmax_t{process.start_time_ticks});
  for (const std::string& finding : *findings) std::printf("finding: %s\n", finding.c_str());
  std::printf("windows=%ju allocations=%ju uses=%ju services=%ju reserved=%ju allocated=%ju\n",
              std::uintmax_t{summary->windows}, std::uintmax_t{summary->allocations}, std::uintmax_t{summary->uses},
              std::uintmax_t{summary->services}, std::uintmax_t{summary->reserved_bytes},
              std::uintmax_t{allocated_bytes(*reports)});
  return findings->empty() ? 0 : 1;
}

psnam::Result<std::shared_ptr<psnam::nam::Service>> open(const std::string& folder) {
  if (folder == "-") {
    PSNAM_TRY(const psnam::Options options, psnam::parse_options(psnam::environment_variable));
    return psnam::nam::open_service(options, false);
  }
  PSNAM_TRY(std::shared_ptr<psnam::nam::Service> store,
            psnam::nam::Store::open({.folder = folder, .capacity_bytes = 0, .create = false}));
  return store;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  if ((command != "check" || argc != 3) && (command != "remove" || argc != 4)) {
    std::fprintf(stderr, "usage: store-tool check FOLDER | remove FOLDER NAME\n");
    return 2;
  }
  const auto store = open(argv[2]);
  if (!store) return fail(store.error());
  if (command == "check") return check(**store);
  const auto removed = (*store)->remove(argv[3]);
  if (!removed) return fail(removed.error());
  return *removed ? 0 : 3;  // 3: in use, goes later
}
