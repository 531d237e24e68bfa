#include "checkpoint/names.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::checkpoint {
namespace {

constexpr std::size_t kFamilyBytes = 8;
constexpr std::size_t kFamilyCharacters = 2 * kFamilyBytes;

}  // namespace

std::string series_name(std::uint32_t uid, std::string_view name, int index) {
  return fmt::format("psnam-checkpoint{}:{}:{}", index == 0 ? "" : "-moved", uid, name);
}

std::string copy_prefix(CopyKind kind, const format::Uuid& series) {
  return fmt::format("psnam-checkpoint-{}:{}:", kind == CopyKind::own ? "copy" : "partner", format::to_string(series));
}

std::string copy_name(CopyKind kind, const format::Uuid& series, std::uint32_t rank, int index) {
  return fmt::format("{}{}:{}", copy_prefix(kind, series), rank, index);
}

std::string area_prefix(const format::Uuid& series) {
  return fmt::format("psnam-checkpoint-parity:{}:", format::to_string(series));
}

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

}  // namespace psnam::checkpoint
