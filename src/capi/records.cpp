#include "capi/records.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/log.hpp"

namespace psnam::capi {
namespace {

constexpr std::string_view kPrefix = "libnam-set";
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::uint64_t kMaxRanks = std::uint64_t{1} << 24;

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Takes what stands before `separator` off `text`; all of it if there is none.
std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t length = std::min(text.find(separator), text.size());
  const std::string_view part = text.substr(0, length);
  text.remove_prefix(std::min(length + 1, text.size()));
  return part;
}

/// "0-3,7": what most jobs' ranks are is short.
std::string to_ranges(const std::vector<std::int32_t>& ranks) {
  std::string text;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", ranks[i]);
    if (last != i) text += fmt::format("-{}", ranks[last]);
    i = last + 1;
  }
  return text;
}

std::optional<std::vector<std::int32_t>> parse_ranges(std::string_view text, std::uint64_t limit) {
  std::vector<std::int32_t> ranks;
  while (!text.empty()) {
    std::string_view part = take_until(text, ',');
    const bool several = part.find('-') != std::string_view::npos;
    const auto first = number<std::int32_t>(take_until(part, '-'));
    const auto last = several ? number<std::int32_t>(part) : first;
    if (!first || !last || *first < 0 || *last < *first) return std::nullopt;
    if (static_cast<std::uint64_t>(*last - *first) >= limit - std::min<std::uint64_t>(limit, ranks.size()))
      return std::nullopt;
    for (std::int64_t rank = *first; rank <= *last; ++rank) ranks.push_back(static_cast<std::int32_t>(rank));
  }
  return ranks;
}

Error bad_line(int line, std::string_view what, std::string_view content) {
  return Error{Code::corrupt, fmt::format("line {} is no {}: \"{}\"", line, what, content.substr(0, 40))};
}

}  // namespace

std::string new_set_name(const SetRecord& record) {
  const std::string start =
      fmt::format("{}.{}.{}.{}.", kPrefix, format::to_string(format::random_uuid()), record.max_bytes, record.ranks);
  std::string ranges = to_ranges(record.global_ranks);
  // The file beside it has the list then.
  if (start.size() + ranges.size() > kMaxNameBytes) ranges.clear();
  return start + ranges;
}

std::optional<SetRecord> set_of(const format::AllocationRecord& allocation) {
  std::string_view rest = allocation.name;
  if (take_until(rest, '.') != kPrefix) return std::nullopt;
  take_until(rest, '.');  // what makes it unique
  const auto max_bytes = number<std::uint64_t>(take_until(rest, '.'));
  const auto ranks = number<std::uint64_t>(take_until(rest, '.'));
  if (!max_bytes || !ranks || *ranks == 0 || *ranks > kMaxRanks) return std::nullopt;
  const auto global_ranks = parse_ranges(rest, *ranks);
  if (!global_ranks || (!global_ranks->empty() && global_ranks->size() != *ranks)) return std::nullopt;
  return SetRecord{.nam_index = static_cast<std::int32_t>(allocation.nam_index),
                   .challenge = allocation.challenge,
                   .size_bytes = allocation.size_bytes,
                   .address = allocation.id,
                   .max_bytes = *max_bytes,
                   .ranks = *ranks,
                   .global_ranks = *global_ranks};
}

std::string to_text(const SetRecord& record) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n", record.nam_index, record.challenge, record.size_bytes,
                                 record.address, record.max_bytes, record.global_ranks.size());
  for (const std::int32_t rank : record.global_ranks) text += fmt::format("{}\n", rank);
  return text;
}

Result<SetRecord> parse_text(std::string_view text) {
  SetRecord record;
  const std::pair<const char*, std::uint64_t*> fields[] = {{"challenge", &record.challenge},
                                                           {"size", &record.size_bytes},
                                                           {"address", &record.address},
                                                           {"number of bytes", &record.max_bytes},
                                                           {"number of ranks", &record.ranks}};
  int line = 1;
  std::string_view content = take_until(text, '\n');
  const auto nam_index = number<std::int32_t>(content);
  if (!nam_index || *nam_index < 0) return bad_line(line, "index of a NAM", content);
  record.nam_index = *nam_index;
  for (const auto& [name, field] : fields) {
    content = take_until(text, '\n');
    const auto value = number<std::uint64_t>(content);
    ++line;
    if (!value) return bad_line(line, name, content);
    *field = *value;
  }
  if (record.ranks == 0 || record.ranks > kMaxRanks) return bad_line(line, "number of ranks", content);
  for (std::uint64_t i = 0; i < record.ranks; ++i) {
    content = take_until(text, '\n');
    const auto rank = number<std::int32_t>(content);
    ++line;
    if (!rank || *rank < 0) return bad_line(line, "rank", content);
    record.global_ranks.push_back(*rank);
  }
  if (!text.empty()) return bad_line(line + 1, "end of the record", text);
  return record;
}

Result<std::vector<SetRecord>> find_sets(const ServicePointer& home) {
  PSNAM_TRY(const auto nams, reachable_nams(home));
  std::vector<nam::AllocationReport> reports;
  for (const ServicePointer& nam : nams) {
    PSNAM_TRY(auto there, nam->allocations());
    std::ranges::move(there, std::back_inserter(reports));
  }
  std::vector<SetRecord> found;
  for (const auto& report : reports) {
    const format::AllocationRecord& allocation = report.allocation;
    const bool ours = allocation.uid == ::geteuid() && allocation.consistency == format::Consistency::persistent;
    if (auto set = ours ? set_of(allocation) : std::nullopt) found.push_back(std::move(*set));
  }
  const auto folder = records_folder();
  if (!folder) {
    log::warn("records of sets are not read from files: {}", folder.error().message);
    return found;
  }
  for (auto& record : read_records(*folder)) {
    const auto same = std::find_if(found.begin(), found.end(),
                                   [&](const SetRecord& other) { return other.challenge == record.challenge; });
    if (same != found.end()) {
      if (same->global_ranks.empty() && same->ranks == record.ranks) same->global_ranks = record.global_ranks;
      continue;
    }
    const auto known = std::find_if(reports.begin(), reports.end(), [&](const nam::AllocationReport& other) {
      return other.allocation.id == record.address;
    });
    if (known == reports.end() || known->allocation.challenge != record.challenge ||
        known->allocation.size_bytes != record.size_bytes || known->allocation.uid != ::geteuid()) {
      log::debug("record {:016x}: its allocation {} is in none of the NAMs that are reached", record.challenge,
                 record.address);
      continue;
    }
    found.push_back(std::move(record));
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.address < b.address; });
  return found;
}

}  // namespace psnam::capi
