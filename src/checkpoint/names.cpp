#include "checkpoint/names.hpp"

#include <fmt/format.h>

namespace psnam::checkpoint {

std::string series_name(std::uint32_t uid, std::string_view name) {
  return fmt::format("psnam-checkpoint:{}:{}", uid, name);
}

std::string copy_name(const format::Uuid& series, std::uint32_t rank, int index) {
  return fmt::format("psnam-checkpoint-copy:{}:{}:{}", format::to_string(series), rank, index);
}

std::string area_prefix(const format::Uuid& series, std::uint32_t set) {
  return fmt::format("psnam-checkpoint-parity:{}:{}:", format::to_string(series), set);
}

std::string new_area_name(const format::Uuid& series, std::uint32_t set) {
  return fmt::format("{}{:016x}", area_prefix(series, set), format::random_challenge());
}

}  // namespace psnam::checkpoint
