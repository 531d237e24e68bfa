#include "checkpoint/condition.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace psnam::checkpoint {

std::vector<std::uint32_t> sets_in_need(const Series& series, const std::vector<Condition>& all) {
  std::vector<std::uint32_t> sets;
  for (std::uint32_t set = 0; set < series.sets; ++set)
    if (std::ranges::any_of(series.ranks_of(set), [&](std::uint32_t rank) { return !all[rank].whole(); }))
      sets.push_back(set);
  return sets;
}

Status check_damage(const Series& series, const Survey& survey, const VersionKey& key,
                    const std::vector<Condition>& all, bool tells) {
  for (std::uint32_t one = 0; one < all.size(); ++one) {
    if (all[one].whole()) continue;
    const bool has_parity = survey.committed(key, series.set_of[one]);
    if (all[one].missing != 0 && !has_parity)
      return Error{Code::corrupt,
                   fmt::format("version {}: the copy of rank {} is lost, that of its partner is damaged, "
                               "and its set has no parity of it",
                               key.number, one)};
    if (all[one].missing != 0) continue;
    if (tells)
      log::warn("version {}: {} blocks of the copy of rank {} are damaged", key.number, all[one].damaged_blocks, one);
    if (!has_parity)
      return Error{Code::corrupt,
                   fmt::format("version {}: {} blocks of the copy of rank {} are damaged, and its set has "
                               "no parity of it",
                               key.number, all[one].damaged_blocks, one)};
  }
  return {};
}

}  // namespace psnam::checkpoint
