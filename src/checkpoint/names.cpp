#include "checkpoint/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace psnam::checkpoint {
namespace {

constexpr std::string_view kSeries = "psnam-checkpoint:", kMoved = "psnam-checkpoint-moved:",
                           kCopy = "psnam-checkpoint-copy:", kPartner = "psnam-checkpoint-partner:",
                           kArea = "psnam-checkpoint-parity:";
constexpr std::size_t kIdLength = 32;
constexpr std::size_t kFamilyBytes = 8;
constexpr std::size_t kFamilyCharacters = 2 * kFamilyBytes;

/// The number before the next colon, which goes with it.
std::optional<std::uint32_t> take_number(std::string_view& text) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || length == text.size() || *end != ':') return {};
  text.remove_prefix(length + 1);
  return number;
}

}  // namespace

std::string series_name(std::uint32_t uid, std::string_view name, int index) {
  return fmt::format("{}{}:{}", index == 0 ? kSeries : kMoved, uid, name);
}

std::string copy_prefix(CopyKind kind, const format::Uuid& series) {
  return fmt::format("{}{}:", kind == CopyKind::own ? kCopy : kPartner, format::to_string(series));
}

std::string copy_name(CopyKind kind, const format::Uuid& series, std::uint32_t rank, int index) {
  return fmt::format("{}{}:{}", copy_prefix(kind, series), rank, index);
}

std::string area_prefix(const format::Uuid& series) { return fmt::format("{}{}:", kArea, format::to_string(series)); }

format::Uuid related_id(const format::Uuid& former) {
  format::Uuid id = format::random_uuid();
  std::copy_n(former.bytes.begin(), kFamilyBytes, id.bytes.begin());
  return id;
}

std::string family_of(const std::string& prefix) {
  const std::size_t id_and_colon = format::to_string(format::Uuid{}).size() + 1;
  return prefix.substr(0, prefix.size() - id_and_colon + kFamilyCharacters);
}

std::string area_prefix(const format::Uuid& series, std::uint32_t set) {
  return fmt::format("{}{}:", area_prefix(series), set);
}

std::string new_area_name(const format::Uuid& series, std::uint32_t set) {
  return fmt::format("{}{:016x}", area_prefix(series, set), format::random_challenge());
}

std::optional<NameParts> parse_name(std::string_view name) {
  for (const std::string_view page : {kSeries, kMoved}) {
    if (!name.starts_with(page)) continue;
    name.remove_prefix(page.size());
    const auto uid = take_number(name);
    if (!uid || name.empty()) return {};
    return NameParts{NameParts::Kind::series, std::string{name}, {}, *uid};
  }
  for (const std::string_view part : {kCopy, kPartner, kArea}) {
    if (!name.starts_with(part)) continue;
    name.remove_prefix(part.size());
    if (name.size() <= kIdLength || name[kIdLength] != ':') return {};
    const std::string series{name.substr(0, kIdLength)};
    name.remove_prefix(kIdLength + 1);
    const auto number = take_number(name);
    if (!number || name.empty()) return {};
    return NameParts{part == kArea ? NameParts::Kind::area : NameParts::Kind::copy, {}, series, *number};
  }
  return {};
}

}  // namespace psnam::checkpoint
