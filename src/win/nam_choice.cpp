#include "win/nam_choice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace psnam::win {
namespace {

/// Of those that answer, the one with most left; the first of equals.
std::uint32_t least_filled(const std::vector<Nam>& nams) {
  std::uint32_t best = 0;
  for (std::uint32_t index = 1; index < nams.size(); ++index)
    if (nams[index].reachable && nams[index].free_bytes > nams[best].free_bytes) best = index;
  return best;
}

/// In turn among those that answer.
std::uint32_t spread(std::size_t rank, const std::vector<Nam>& nams) {
  std::vector<std::uint32_t> usable;
  for (std::uint32_t index = 0; index < nams.size(); ++index)
    if (nams[index].reachable) usable.push_back(index);
  return usable[rank % usable.size()];  // that of index 0 has just answered
}

std::vector<std::size_t> known_ones(const std::vector<Nam>& nams) {
  std::vector<std::size_t> known;
  for (std::size_t index = 0; index < nams.size(); ++index)
    if (nams[index].store != format::Uuid{}) known.push_back(index);
  return known;
}

}  // namespace

Result<std::uint32_t> choose_nam(const NamWish& wish, std::size_t rank, const std::vector<Nam>& nams) {
  switch (wish.which) {
    case NamWish::Which::any:
      return least_filled(nams);
    case NamWish::Which::spread:
      return spread(rank, nams);
    default:
      break;
  }
  if (wish.index >= nams.size() || nams[wish.index].store == format::Uuid{})
    return Error{Code::info_value,
                 fmt::format("{} = \"{}\" on rank {}: the manager has the NAM{} {}", kNamIndexKey, wish.index, rank,
                             known_ones(nams).size() == 1 ? "" : "s", fmt::join(known_ones(nams), ", "))};
  if (!nams[wish.index].reachable)
    return Error{Code::unreachable,
                 fmt::format("{} = \"{}\" on rank {}: this NAM has joined the manager, and does not answer",
                             kNamIndexKey, wish.index, rank)};
  return wish.index;
}

}  // namespace psnam::win
