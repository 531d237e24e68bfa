// Versions that are written to files, behind the application's back, and read where memory has nothing any more.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "checkpoint/managed.hpp"

namespace psnam::checkpoint {
/// The copy of the newest complete version is not written to before the version after it is complete, and start()
/// waits for this.
void Managed::write_file(const VersionKey& key, std::uint64_t all_bytes) {
  const LocalCopy* const copy = copy_of(key);
  if (!files_ || copy == nullptr) return;
  flush_ = std::make_unique<Flush>(*files_, copy->view(), options_.reports && team_.rank() == 0 ? all_bytes : 0);
}

/// An error was told by then.
void Managed::await_file() {
  if (flush_) static_cast<void>(flush_->wait());
}

Status Managed::flush() {
  PSNAM_CHECK(survey(Asked::flush, 0).status());
  PSNAM_CHECK(team_.agree(flush_ ? flush_->wait() : Status{}));
  return remove_old_files();
}

/// Nobody's file alone is a version: one rank that cannot write must not cost the last version that all have.
Status Managed::remove_old_files() {
  if (!files_) return {};
  PSNAM_TRY(const auto all, team_.gather(flush_ ? flush_->written() : VersionKey{}));
  const VersionKey flushed = all[0];
  if (!flushed || std::ranges::any_of(all, [&](const VersionKey& one) { return one != flushed; })) return {};
  files_->remove_older(flushed, series_.kept);
  if (team_.rank() == 0) files_->remove_of_others(flushed);
  return {};
}

/// Collective: those that every rank has in memory or in a file.
Result<std::vector<VersionKey>> Managed::versions_in_files(const Survey& survey, std::uint64_t asked) const {
  PSNAM_TRY(const auto all, team_.gather(FileState::of(*files_)));
  return versions_with_files(survey, all, asked, false);
}

/// Collective. After it, every rank has a copy of the newest one that can be read; no version if there is none.
Result<VersionKey> Managed::load_files(const Survey& survey, const std::vector<VersionKey>& candidates) {
  for (const VersionKey& key : candidates) {
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
  PSNAM_TRY(const CopyView copy, to_overwrite(copies_, {}).make_room(payload.size(), file.block_bytes()));
  std::ranges::copy(payload, copy.room(payload.size(), file.block_bytes()).begin());
  copy.commit(key, payload.size(), file.block_bytes(), file.checksums());
  return {};
}

}  // namespace psnam::checkpoint
