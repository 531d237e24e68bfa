// In two passes, as everywhere: first every stripe as if nothing were damaged, verifying all of it; then, with the list
// of damage known to all, those stripes in which something was, a second time without it.
#include <fmt/format.h>

#include <algorithm>

#include "parity/joining.hpp"
#include "parity/mapped.hpp"
#include "parity/stripe_pass.hpp"
#include "parity/working_stripe.hpp"

namespace psnam::parity {
namespace {

class Rebuilding {
 public:
  Rebuilding(Area& area, const Version& version, std::span<const std::span<std::byte>> members,
             std::span<const std::uint32_t> lost)
      : area_{area},
        shape_{area.shape()},
        version_{version},
        members_{members},
        patterns_{area, version, lost},
        pass_{shape_.block_bytes, shape_.pieces(), shape_.parities},
        working_{shape_} {}

  [[nodiscard]] const Patterns& patterns() const noexcept { return patterns_; }

  /// What is lost is written as it comes out; it counts when all have returned without an error.
  Status first_pass(const Team& team, const Attempt& attempt) {
    const std::uint64_t blocks = shape_.blocks_of(version_.longest_bytes);
    for (std::uint64_t done = 0;; ++done) {
      const auto taken = take_stripe(area_, attempt, blocks);
      if (!taken || done % kLooksAtTeam == 0) PSNAM_CHECK(team.still_on());
      if (!taken) return {};
      const std::uint64_t block = *taken;
      const Recovery& recovery = patterns_.at(block);
      outputs_.clear();
      for (const std::uint32_t piece : recovery.lost) outputs_.push_back(bytes_of(piece, block));
      const auto bad = pass_over(block, recovery);
      for (const BadBlock& piece : bad) note_damage(area_, piece);
      if (bad.empty()) PSNAM_CHECK(check_results(block, recovery));
      check_unused(block, recovery);
    }
  }

  /// What is damaged is written when it is known to be right.
  Status repair(std::uint64_t block, const Recovery& recovery) {
    outputs_.clear();
    for (std::uint32_t output = 0; output < recovery.lost.size(); ++output)
      outputs_.push_back({working_.blocks()[output], patterns_.bytes_in(recovery.lost[output], block)});
    if (const auto bad = pass_over(block, recovery); !bad.empty()) return damaged_now(area_, version_, bad.front());
    PSNAM_CHECK(check_results(block, recovery));
    for (std::uint32_t output = 0; output < recovery.lost.size(); ++output)
      std::ranges::copy(outputs_[output], bytes_of(recovery.lost[output], block).begin());
    return {};
  }

 private:
  [[nodiscard]] std::span<std::byte> bytes_of(std::uint32_t piece, std::uint64_t block) const {
    if (piece >= shape_.members)
      return {area_.parity_block(version_.slot, piece - shape_.members, block), shape_.block_bytes};
    const Extent extent = extent_of(shape_, piece, block, version_.sizes[piece]);
    return extent.bytes == 0 ? std::span<std::byte>{} : members_[piece].subspan(extent.offset, extent.bytes);
  }

  /// From the sources to the outputs. The sources that are damaged.
  std::vector<BadBlock> pass_over(std::uint64_t block, const Recovery& recovery) {
    inputs_.clear();
    for (const std::uint32_t piece : recovery.sources) inputs_.push_back(bytes_of(piece, block));
    pass_.run({.factors = recovery.lost.empty() ? nullptr : &recovery.factors, .inputs = inputs_, .outputs = outputs_});
    std::vector<BadBlock> bad;
    for (std::size_t input = 0; input < inputs_.size(); ++input)
      if (const std::uint32_t piece = recovery.sources[input];
          pass_.input_checksums()[input] != area_.checksums(version_.slot, piece)[block])
        bad.push_back({piece, block});
    return bad;
  }

  Status check_results(std::uint64_t block, const Recovery& recovery) const {
    for (std::size_t output = 0; output < recovery.lost.size(); ++output)
      PSNAM_CHECK(check_result(area_, version_, {recovery.lost[output], block}, pass_.output_checksums()[output]));
    return {};
  }

  void check_unused(std::uint64_t block, const Recovery& recovery) const {
    for (std::uint32_t piece = shape_.members; piece < shape_.pieces(); ++piece)
      if (std::ranges::find(recovery.sources, piece) == recovery.sources.end() &&
          !patterns_.holds(piece, block, bytes_of(piece, block)))
        note_damage(area_, {piece, block});
  }

  Area& area_;
  const format::ParityShape& shape_;
  const Version& version_;
  std::span<const std::span<std::byte>> members_;
  Patterns patterns_;
  StripePass pass_;
  WorkingStripe working_;
  std::vector<std::span<const std::byte>> inputs_;
  std::vector<std::span<std::byte>> outputs_;
};

/// The damaged stripes, dealt out in turns. Every member comes to the same stripes, and to the same refusal, before
/// anything of them is written.
Status repair_all(const Area& area, const Team& team, std::uint32_t member, Rebuilding& work, RebuildReport& report) {
  PSNAM_TRY(const auto stripes, noted_damage(area, work.patterns()));
  std::vector<Recovery> recoveries;
  for (const auto& [block, bad] : stripes) {
    PSNAM_TRY(Recovery recovery, work.patterns().with_damage(block, bad));
    recoveries.push_back(std::move(recovery));
  }
  std::size_t turn = 0;
  for (const auto& [block, bad] : stripes) {
    const Recovery& recovery = recoveries[turn];
    if (turn++ % area.shape().members != member) continue;
    if (Status done = work.repair(block, recovery); !done) return team.give_up(member, done.take_error());
    report.repaired.insert(report.repaired.end(), bad.begin(), bad.end());
  }
  return {};
}

Status check_sizes(const Area& area, const Version& version, std::span<const std::span<std::byte>> members) {
  PSNAM_CHECK(check_mapped(area, members));
  for (std::uint32_t member = 0; member < members.size(); ++member)
    if (members[member].size() != version.sizes[member])
      return Error{psnam::Code::size,
                   fmt::format("{} bytes of member {} are mapped, in version {} of parity area '{}' it has {}",
                               members[member].size(), member, version.number, area.name(), version.sizes[member])};
  return {};
}

Status rebuild_with_team(Area& area, const Team& team, const Attempt& attempt, const Version& version,
                         std::uint32_t member, std::span<const std::span<std::byte>> members, bool is_lost,
                         Deadline deadline, RebuildReport& report) {
  if (Status fits = check_sizes(area, version, members); !fits) return team.give_up(member, fits.take_error());
  PSNAM_TRY(const auto lost, join_rebuild(area, team, member, is_lost, deadline));
  Rebuilding work{area, version, members, lost};
  Status done = work.patterns().can_be_rebuilt();
  if (done) {
    done = work.first_pass(team, attempt);
    if (!done) done = team.give_up(member, done.take_error());
  }
  if (done) {
    team.arrive(member, Stage::checked);
    done = team.await_all(Stage::checked, deadline);
  }
  if (done) done = repair_all(area, team, member, work, report);
  if (!done) {
    report.repaired.clear();
    report.older = work.patterns().older();
    return done;
  }
  report.rebuilt = lost;
  team.arrive(member, Stage::done);
  return team.await_all(Stage::done, deadline);
}

}  // namespace

Status rebuild_mapped(Area& area, const Attempt& attempt, const Version& version, std::uint32_t member,
                      std::span<const std::span<std::byte>> members, bool lost, Deadline deadline,
                      RebuildReport& report) {
  report = {.version = version.number, .rebuilt = {}, .repaired = {}, .older = {}};
  PSNAM_CHECK(check_member(area, member));
  const Team team{area, attempt};
  PSNAM_CHECK(team.still_on());
  return rebuild_with_team(area, team, attempt, version, member, members, lost, deadline, report);
}

}  // namespace psnam::parity
