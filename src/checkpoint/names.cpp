#include "checkpoint/names.hpp"

#include <fmt/format.h>

#include <charconv>

namespace psnam::checkpoint {
namespace {

constexpr std::string_view kSeries = "psnam-checkpoint:", kCopy = "psnam-checkpoint-copy:",
                           kArea = "psnam-checkpoint-parity:";
constexpr std::size_t kIdLength = 32;

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

std::string series_name(std::uint32_t uid, std::string_view name) { return fmt::format("{}{}:{}", kSeries, uid, name); }

std::string copy_name(const format::Uuid& series, std::uint32_t rank, int index) {
  return fmt::format("{}{}:{}:{}", kCopy, format::to_string(series), rank, index);
}

std::string area_prefix(const format::Uuid& series, std::uint32_t set) {
  return fmt::format("{}{}:{}:", kArea, format::to_string(series), set);
}

std::string new_area_name(const format::Uuid& series, std::uint32_t set) {
  return fmt::format("{}{:016x}", area_prefix(series, set), format::random_challenge());
}

std::optional<NameParts> parse_name(std::string_view name) {
  if (name.starts_with(kSeries)) {
    name.remove_prefix(kSeries.size());
    const auto uid = take_number(name);
    if (!uid || name.empty()) return {};
    return NameParts{NameParts::Kind::series, std::string{name}, {}, *uid};
  }
  const bool copy = name.starts_with(kCopy);
  if (!copy && !name.starts_with(kArea)) return {};
  name.remove_prefix(copy ? kCopy.size() : kArea.size());
  if (name.size() <= kIdLength || name[kIdLength] != ':') return {};
  const std::string series{name.substr(0, kIdLength)};
  name.remove_prefix(kIdLength + 1);
  const auto number = take_number(name);
  if (!number || name.empty()) return {};
  return NameParts{copy ? NameParts::Kind::copy : NameParts::Kind::area, {}, series, *number};
}

}  // namespace psnam::checkpoint
