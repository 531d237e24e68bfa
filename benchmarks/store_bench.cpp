// What an allocation costs when there are many: allocations are made and freed while a thousand, ten thousand, a
// hundred thousand others are there, in a store that serves, without a connection in between. Prints, for each number,
// the rate of making and freeing one, volatile and persistent, and what the catalog takes for each that is there.
//
//   store_bench [MOST [FOLDER]]    up to MOST others (100000); a folder that does not exist yet, removed at the end
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "nam/store.hpp"

namespace {

using namespace psnam;
using Clock = std::chrono::steady_clock;

constexpr int kPairs = 2000;
constexpr std::uint64_t kBytes = 64;

std::uint64_t bytes_of(const std::filesystem::path& file) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(file, error);
  return error ? 0 : bytes;
}

/// Resident memory of this process, in bytes.
std::uint64_t resident() {
  std::ifstream file{"/proc/self/statm"};
  std::uint64_t all = 0;
  std::uint64_t pages = 0;
  file >> all >> pages;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

class Bench {
 public:
  Bench(nam::Store& store, std::filesystem::path folder)
      : store_{store}, catalog_{std::move(folder) / "catalog.mdb"}, empty_{bytes_of(catalog_)}, resident_{resident()} {}

  Status fill(std::uint64_t count) {
    for (; there_ < count; ++there_) PSNAM_CHECK(allocate(format::Consistency::volatile_).status());
    return {};
  }
  Status measure() {
    PSNAM_TRY(const double volatile_rate, rate(format::Consistency::volatile_));
    PSNAM_TRY(const double persistent_rate, rate(format::Consistency::persistent));
    const auto each = [&](std::uint64_t now, std::uint64_t then) {
      return static_cast<double>(now > then ? now - then : 0) / static_cast<double>(there_);
    };
    std::printf("%llu\t%.0f\t%.0f\t%.0f\t%.0f\n", static_cast<unsigned long long>(there_), volatile_rate,
                persistent_rate, each(bytes_of(catalog_), empty_), each(resident(), resident_));
    std::fflush(stdout);
    return {};
  }

 private:
  Result<nam::AllocationUse> allocate(format::Consistency consistency) {
    return store_.allocate({.size_bytes = kBytes, .consistency = consistency}, users_);
  }
  /// Pairs of making and freeing one, in a second.
  Result<double> rate(format::Consistency consistency) {
    const auto begin = Clock::now();
    for (int pair = 0; pair < kPairs; ++pair) {
      PSNAM_TRY(const auto use, allocate(consistency));
      if (consistency == format::Consistency::persistent)
        PSNAM_CHECK(store_.free_allocation(use.allocation.id, false).status());
      PSNAM_CHECK(static_cast<nam::Service&>(store_).close(use.use_id));
    }
    return kPairs / std::chrono::duration<double>(Clock::now() - begin).count();
  }

  nam::Store& store_;
  std::filesystem::path catalog_;
  std::uint64_t empty_;
  std::uint64_t resident_;
  std::uint64_t there_ = 0;
  std::vector<format::ProcessIdentity> users_{nam::session_user(1, 0, 1)};
};

Status run(const std::filesystem::path& folder, std::uint64_t most) {
  PSNAM_TRY(const auto store,
            nam::Store::open({.folder = folder,
                              .serving = nam::Serving{.instance = format::random_uuid(),
                                                      .lives = [](std::uint64_t session) { return session == 1; }}}));
  Bench bench{*store, folder};
  std::printf("others\tvolatile/s\tpersistent/s\tcatalog bytes each\tprocess bytes each\n");
  for (std::uint64_t count = 1000; count <= most; count *= 10) {
    PSNAM_CHECK(bench.fill(count));
    PSNAM_CHECK(bench.measure());
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t most = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  const std::filesystem::path folder = argc > 2 ? argv[2] : "/dev/shm/psnam-store-bench-" + std::to_string(::getpid());
  if (std::filesystem::exists(folder)) {
    std::fprintf(stderr, "%s exists already\n", folder.c_str());
    return 2;
  }
  const Status done = run(folder, most);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
