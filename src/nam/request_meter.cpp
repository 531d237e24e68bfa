#include "nam/request_meter.hpp"

#include <algorithm>

namespace psnam::nam {
namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

RequestMeter::RequestMeter(std::span<const std::string_view> kinds)
    : kinds_{kinds.begin(), kinds.end()}, counters_(kinds.size()) {}

void RequestMeter::record(std::size_t kind, std::chrono::nanoseconds took, std::optional<Code> failure) noexcept {
  if (kind >= counters_.size()) return;
  Counters& counters = counters_[kind];
  const auto us = static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  const auto bin = std::lower_bound(kLatencyLimitsUs.begin(), kLatencyLimitsUs.end(), us) - kLatencyLimitsUs.begin();
  counters.requests.fetch_add(1, kRelaxed);
  counters.total_time_us.fetch_add(us, kRelaxed);
  counters.latencies[static_cast<std::size_t>(bin)].fetch_add(1, kRelaxed);
  if (!failure) return;
  counters.failed.fetch_add(1, kRelaxed);
  const auto code = static_cast<std::size_t>(*failure);
  if (code < refusals_.size()) refusals_[code].fetch_add(1, kRelaxed);
}

void RequestMeter::read(Statistics& statistics) const {
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    const Counters& counters = counters_[i];
    RequestStatistics one{.kind = std::string{kinds_[i]},
                          .requests = counters.requests.load(kRelaxed),
                          .failed = counters.failed.load(kRelaxed),
                          .total_time_us = counters.total_time_us.load(kRelaxed)};
    if (one.requests == 0) continue;
    for (std::size_t bin = 0; bin < one.latencies.size(); ++bin)
      one.latencies[bin] = counters.latencies[bin].load(kRelaxed);
    statistics.requests.push_back(std::move(one));
  }
  for (std::size_t code = 0; code < refusals_.size(); ++code) {
    const std::uint64_t count = refusals_[code].load(kRelaxed);
    if (count == 0) continue;
    const std::string kind = refusal_kind(static_cast<Code>(code));
    const auto known = std::find_if(statistics.refusals.begin(), statistics.refusals.end(),
                                    [&](const RefusalStatistics& one) { return one.kind == kind; });
    if (known != statistics.refusals.end())
      known->count += count;
    else
      statistics.refusals.push_back({kind, count});
  }
}

}  // namespace psnam::nam
