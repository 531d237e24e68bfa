#include "nam/member_memory.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::nam {
namespace {

Error of_member(std::uint32_t member, Error error) {
  error.message = fmt::format("member {}: {}", member, error.message);
  return error;
}

}  // namespace

MemberSource::MemberSource(std::span<const MemberMemory> members, std::function<Status()> still_on)
    : still_on_{std::move(still_on)} {
  for (const MemberMemory& member : members) {
    Member made{.link = member.link, .memory = nullptr, .started = {}};
    if (made.link)
      made.memory = made.link->open(member.data.key, member.data.base, member.data.bytes, Protection::read_write);
    members_.push_back(std::move(made));
  }
}

Status MemberSource::start(const parity::Extent& extent, std::byte* into) {
  PSNAM_CHECK(still_on_());
  Member& member = members_[extent.member];
  if (!member.memory) return Error{Code::range, fmt::format("member {} has no memory to read from", extent.member)};
  const backends::Piece piece{extent.offset, into, extent.bytes};
  Status read = member.memory->read({&piece, 1});
  if (!read) return of_member(extent.member, read.take_error());
  member.started.push_back(member.link->started());
  return {};
}

Status MemberSource::finish(const parity::Extent& extent) {
  Member& member = members_[extent.member];
  const std::uint64_t until = member.started.front();
  member.started.pop_front();
  Status finished = member.link->finish(until);
  if (!finished) return of_member(extent.member, finished.take_error());
  return {};
}

/// A connection that was given up touches no buffer any more.
void MemberSource::drain() noexcept {
  for (Member& member : members_) {
    if (member.started.empty()) continue;
    member.link->abandon("the work on the parity of its member has failed");
    member.started.clear();
  }
}

Status MemberSource::put(const parity::Extent& extent, const std::byte* from) {
  PSNAM_CHECK(still_on_());
  Member& member = members_[extent.member];
  if (!member.memory) return Error{Code::range, fmt::format("member {} has no memory to write to", extent.member)};
  const backends::Piece piece{extent.offset, const_cast<std::byte*>(from), extent.bytes};
  Status written = member.memory->write({&piece, 1});
  // `from` is used for the next block.
  if (written) written = member.memory->flush();
  if (!written) return of_member(extent.member, written.take_error());
  return {};
}

Result<MemberChecksums> MemberChecksums::read(std::span<const MemberMemory> members, std::uint32_t block_bytes) {
  MemberChecksums all;
  all.tables_.resize(members.size());
  for (std::uint32_t index = 0; index < members.size(); ++index) {
    const MemberMemory& member = members[index];
    if (!member.link || member.checksums.bytes == 0) continue;
    const std::uint64_t blocks = member.data.bytes / block_bytes + (member.data.bytes % block_bytes != 0 ? 1 : 0);
    if (member.checksums.bytes != blocks * sizeof(std::uint32_t))
      return Error{Code::range, fmt::format("member {}: {} bytes of checksums for {} blocks", index,
                                            member.checksums.bytes, blocks)};
    std::vector<std::uint32_t>& table = all.tables_[index];
    table.resize(blocks);
    const auto memory =
        member.link->open(member.checksums.key, member.checksums.base, member.checksums.bytes, Protection::read_only);
    const backends::Piece piece{0, reinterpret_cast<std::byte*>(table.data()), member.checksums.bytes};
    Status read = memory->read({&piece, 1});
    if (read) read = memory->flush();
    if (!read) return of_member(index, read.take_error());
  }
  return all;
}

bool MemberChecksums::any() const noexcept {
  return std::ranges::any_of(tables_, [](const auto& table) { return !table.empty(); });
}

std::optional<std::uint32_t> MemberChecksums::checksum_now(std::uint32_t member, std::uint64_t block) {
  const std::vector<std::uint32_t>& table = tables_[member];
  if (block >= table.size()) return std::nullopt;
  return table[block];
}

}  // namespace psnam::nam
