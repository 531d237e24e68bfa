#include "checkpoint/file_survey.hpp"

#include <algorithm>
#include <functional>

namespace psnam::checkpoint {

FileState FileState::of(const Files& files) {
  FileState state;
  const auto found = files.versions();
  std::copy_n(found.begin(), std::min(found.size(), state.files.size()), state.files.begin());
  return state;
}

bool FileState::has(const VersionKey& key) const { return std::ranges::find(files, key) != files.end(); }

std::vector<VersionKey> versions_with_files(const Survey& survey, const std::vector<FileState>& all,
                                            std::uint64_t asked, bool partners) {
  const RankState& first = survey.states()[0];
  std::vector<VersionKey> candidates(all[0].files.begin(), all[0].files.end());
  candidates.insert(candidates.end(), first.copies.begin(), first.copies.end());
  if (partners) candidates.insert(candidates.end(), first.partners.begin(), first.partners.end());
  std::ranges::sort(candidates, std::greater{});
  const auto rest = std::ranges::unique(candidates);
  candidates.erase(rest.begin(), rest.end());
  std::erase_if(candidates, [&](const VersionKey& key) {
    if (!key || (asked != 0 && key.number != asked)) return true;
    for (std::uint32_t one = 0; one < all.size(); ++one)
      if (!survey.has_copy(key, one) && !(partners && survey.has_partner(key, one)) && !all[one].has(key)) return true;
    return false;
  });
  return candidates;
}

}  // namespace psnam::checkpoint
