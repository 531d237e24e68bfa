#include "parity/joining.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::parity {
namespace {

/// Each is looked at once.
Result<std::vector<std::uint64_t>> sizes_of_all(const Area& area) {
  std::vector<std::uint64_t> sizes;
  for (std::uint32_t member = 0; member < area.shape().members; ++member) {
    sizes.push_back(area.seat(member).bytes.load());
    if (sizes.back() > area.shape().capacity_bytes)
      return Error{psnam::Code::corrupt, fmt::format("member {} says {} bytes, parity area '{}' was made for {}",
                                                     member, sizes.back(), area.name(), area.shape().capacity_bytes)};
  }
  return sizes;
}

}  // namespace

Status check_member(const Area& area, std::uint32_t member) {
  if (member < area.shape().members) return {};
  return Error{psnam::Code::rank,
               fmt::format("member {} of parity area '{}', which has {}", member, area.name(), area.shape().members)};
}

Status check_mapped(const Area& area, std::span<const std::span<std::byte>> members) {
  if (members.size() != area.shape().members)
    return Error{psnam::Code::invalid_argument, fmt::format("data of {} members for parity area '{}' of {}",
                                                            members.size(), area.name(), area.shape().members)};
  for (std::uint32_t member = 0; member < members.size(); ++member) {
    if (members[member].data() == nullptr && !members[member].empty())
      return Error{psnam::Code::buffer, fmt::format("member {}: {} bytes at null", member, members[member].size())};
    if (members[member].size() > area.shape().capacity_bytes)
      return Error{psnam::Code::size,
                   fmt::format("member {} has {} bytes, parity area '{}' was made for {} a member", member,
                               members[member].size(), area.name(), area.shape().capacity_bytes)};
  }
  return {};
}

Result<std::vector<std::uint64_t>> join(const Area& area, const Team& team, const Attempt& attempt,
                                        std::uint32_t member, std::uint64_t bytes, Deadline deadline) {
  format::ParitySeat& seat = area.seat(member);
  seat.bytes = bytes;
  seat.lost = 0;
  area.sizes(attempt.slot)[member] = bytes;
  team.arrive(member, Stage::joined);
  PSNAM_CHECK(team.await_all(Stage::joined, deadline));
  return sizes_of_all(area);
}

Result<std::vector<std::uint32_t>> join_rebuild(const Area& area, const Team& team, std::uint32_t member, bool lost,
                                                Deadline deadline) {
  area.seat(member).lost = lost ? 1 : 0;
  team.arrive(member, Stage::joined);
  PSNAM_CHECK(team.await_all(Stage::joined, deadline));
  std::vector<std::uint32_t> all;
  for (std::uint32_t other = 0; other < area.shape().members; ++other)
    if (area.seat(other).lost.load() != 0) all.push_back(other);
  return all;
}

std::optional<std::uint64_t> take_stripe(const Area& area, const Attempt& attempt, std::uint64_t stripes) noexcept {
  std::atomic<std::uint64_t>& next = area.team().next_stripe;
  std::uint64_t word = next.load(std::memory_order_relaxed);
  for (;;) {
    const auto [number, stripe] = format::ParityTurn::decode(word);
    if (number != static_cast<std::uint32_t>(attempt.number) || stripe >= stripes) return std::nullopt;
    if (next.compare_exchange_weak(word, word + 1, std::memory_order_relaxed)) return stripe;
  }
}

void note_damage(const Area& area, const BadBlock& bad) noexcept {
  format::ParityTeam& team = area.team();
  const std::uint32_t place = team.bad_blocks.fetch_add(1);
  if (place < format::kParityBadBlocks) team.bad[place] = {bad.piece, 0, bad.block};
}

Result<std::map<std::uint64_t, std::vector<BadBlock>>> noted_damage(const Area& area, const Patterns& patterns) {
  const format::ParityTeam& team = area.team();
  const std::uint32_t count = team.bad_blocks.load();
  if (count > format::kParityBadBlocks)
    return Error{psnam::Code::corrupt,
                 fmt::format("parity area '{}': {} blocks are damaged; a common rebuild repairs at "
                             "most {}, one process that reads all members any number",
                             area.name(), count, format::kParityBadBlocks)};
  std::map<std::uint64_t, std::vector<BadBlock>> stripes;
  for (std::uint32_t index = 0; index < count; ++index) {
    const BadBlock bad{team.bad[index].piece, team.bad[index].block};
    if (bad.piece >= area.shape().pieces() || bad.block >= patterns.blocks_of(bad.piece))
      return Error{psnam::Code::corrupt, fmt::format("parity area '{}': its list of damage names piece {} block {}",
                                                     area.name(), bad.piece, bad.block)};
    stripes[bad.block].push_back(bad);
  }
  for (auto& [block, bad] : stripes) std::ranges::sort(bad);
  return stripes;
}

Error damaged_now(const Area& area, const Version& version, const BadBlock& bad) {
  return Error{psnam::Code::corrupt, fmt::format("version {} of parity area '{}': {} was whole and is damaged now",
                                                 version.number, area.name(), describe(bad, area.shape().members))};
}

Status check_result(const Area& area, const Version& version, const BadBlock& block, std::uint32_t checksum) {
  if (checksum == area.checksums(version.slot, block.piece)[block.block]) return {};
  return Error{psnam::Code::corrupt,
               fmt::format("version {} of parity area '{}': what comes out for {} has not its checksum", version.number,
                           area.name(), describe(block, area.shape().members))};
}

}  // namespace psnam::parity
