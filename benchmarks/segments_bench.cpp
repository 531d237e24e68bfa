// What a segment costs when there are many: a window in one segment of one allocation is made and freed while a
// thousand, ten thousand, a hundred thousand others are there. Prints "segments <tab> make <tab> free" in microseconds,
// each the median of 501, and what the last line is of the first.
//
//   segments_bench [FOLDER]    a folder that does not exist yet, for the store; removed at the end
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "nam/store.hpp"

namespace {

using namespace psnam;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMeasured = 501;
constexpr std::uint64_t kParentBytes = std::uint64_t{1} << 40;

double microseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

class Bench {
 public:
  Bench(nam::Store& store, std::uint64_t parent, std::vector<format::ProcessIdentity> users)
      : store_{store}, users_{std::move(users)} {
    source_.kind = nam::AllocationSource::Kind::segment;
    source_.id = parent;
  }

  /// Cuts until there are `count` segments; one in four of them goes again, so that there are holes.
  Status fill(std::size_t count) {
    while (uses_.size() < count) {
      PSNAM_CHECK(make());
      if (random_() % 4 == 0) PSNAM_CHECK(free_one());
    }
    return {};
  }
  /// Median times of making and freeing one.
  Result<std::pair<double, double>> measure() {
    std::vector<double> made;
    std::vector<double> freed;
    for (std::size_t turn = 0; turn < kMeasured; ++turn) {
      auto begin = Clock::now();
      PSNAM_CHECK(make());
      made.push_back(microseconds(begin));
      begin = Clock::now();
      PSNAM_CHECK(free_one());
      freed.push_back(microseconds(begin));
    }
    return std::pair{median(std::move(made)), median(std::move(freed))};
  }

 private:
  Status make() {
    format::WindowRecord draft;
    draft.uuid = format::random_uuid();
    draft.regions.push_back({.size_bytes = 64 + random_() % 8192, .allocation_id = 1});
    PSNAM_TRY(const auto use, store_.create(std::move(draft), {{source_}}, users_));
    uses_.push_back(use.use_id);
    return {};
  }
  Status free_one() {
    std::swap(uses_[random_() % uses_.size()], uses_.back());
    PSNAM_CHECK(store_.close(uses_.back()));
    uses_.pop_back();
    return {};
  }

  nam::Store& store_;
  std::vector<format::ProcessIdentity> users_;
  nam::AllocationSource source_;
  std::mt19937_64 random_{1};
  std::vector<std::uint64_t> uses_;
};

Status run(const std::filesystem::path& folder) {
  PSNAM_TRY(const auto store, nam::Store::open({.folder = folder}));
  PSNAM_TRY(const auto me, nam::this_process(0));
  const std::vector users{me};
  PSNAM_TRY(const auto parent, store->allocate({.size_bytes = kParentBytes, .reserve = format::Reserve::lazy}, users));
  Bench bench{*store, parent.allocation.id, users};
  std::optional<std::pair<double, double>> first;
  std::printf("segments\tmake (us)\tfree (us)\n");
  for (const std::size_t count : {1000U, 10000U, 100000U}) {
    PSNAM_CHECK(bench.fill(count));
    PSNAM_TRY(const auto times, bench.measure());
    std::printf("%zu\t%.1f\t%.1f\n", count, times.first, times.second);
    if (!first) first = times;
    if (count == 100000U)
      std::printf("times the first\t%.2f\t%.2f\n", times.first / first->first, times.second / first->second);
  }
  std::printf("catalog: %ju bytes\n", static_cast<std::uintmax_t>(std::filesystem::file_size(folder / "catalog.mdb")));
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::filesystem::path folder =
      argc > 1 ? argv[1] : "/dev/shm/psnam-segments-bench-" + std::to_string(::getpid());
  if (std::filesystem::exists(folder)) {
    std::fprintf(stderr, "segments_bench: %s exists already\n", folder.c_str());
    return 2;
  }
  const Status done = run(folder);
  std::filesystem::remove_all(folder);
  if (done) return 0;
  std::fprintf(stderr, "segments_bench: %s\n", done.error().message.c_str());
  return 1;
}
