// Versions that are written to files, behind the application's back, and read where memory has nothing any more.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/log.hpp"
#include "checkpoint/managed.hpp"

namespace psnam::checkpoint {
namespace {

/// Of a rank. Plain bytes.
struct FileState {
  std::array<VersionKey, 4> files{};
};

bool is_among(const VersionKey& key, const FileState& state) {
  return std::ranges::find(state.files, key) != state.files.end();
}

}  // namespace

/// The copy of the newest complete version is not written to before the version after it is complete, and start()
/// waits for this.
void Managed::write_file(const VersionKey& key) {
  const LocalCopy* const copy = copy_of(key);
  if (!files_ || copy == nullptr) return;
  writer_ = std::thread{[this, view = copy->view()] {
    const Status written = locally([&] { return files_->write(view); });
    if (!written) log::warn("a version is in memory only: {}", written.error().message);
  }};
}

void Managed::await_file() {
  if (writer_.joinable()) writer_.join();
}

/// Collective. After it, every rank has a copy of the newest version that all of them have in memory or in a file; no
/// version if there is none.
Result<VersionKey> Managed::load_files(const Survey& survey, std::uint64_t asked) {
  FileState mine;
  const auto found = files_->versions();
  std::copy_n(found.begin(), std::min(found.size(), mine.files.size()), mine.files.begin());
  PSNAM_TRY(const auto all, team_.gather(mine));
  std::vector<VersionKey> candidates;
  for (const VersionKey& key : all[0].files) candidates.push_back(key);
  for (const VersionKey& key : survey.states()[0].copies) candidates.push_back(key);
  std::ranges::sort(candidates, std::greater{});
  const auto rest = std::ranges::unique(candidates);
  candidates.erase(rest.begin(), rest.end());
  for (const VersionKey& key : candidates) {
    if (!key || (asked != 0 && key.number != asked)) continue;
    bool complete = true;
    for (std::uint32_t one = 0; one < all.size(); ++one)
      complete = complete && (survey.has_copy(key, one) || is_among(key, all[one]));
    if (!complete) continue;
    const Status loaded = locally([&]() -> Status { return survey.has_copy(key, rank()) ? Status{} : load_file(key); });
    const Status everywhere = team_.agree(loaded);
    if (everywhere) return key;
    if (team_.rank() == 0) log::warn("version {} is not had from files: {}", key.number, everywhere.error().message);
  }
  return VersionKey{};
}

Status Managed::load_file(const VersionKey& key) {
  CopyOwner owner;
  PSNAM_TRY(auto bytes, files_->read(key, owner));
  const CopyView file{bytes, owner};
  const auto payload = file.payload();
  PSNAM_TRY(const CopyView copy, copy_to_overwrite({}).make_room(payload.size(), file.block_bytes()));
  std::ranges::copy(payload, copy.room(payload.size(), file.block_bytes()).begin());
  copy.commit(key, payload.size(), file.block_bytes(), file.checksums());
  return {};
}

}  // namespace psnam::checkpoint
