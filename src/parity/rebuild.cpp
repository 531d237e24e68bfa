// The members' common rebuild. A first pass over the stripes that the lost members have, as if nothing were damaged,
// verifying all that is used; beside it each member verifies what the pass does not use of its own data and of the
// parities it looks after. Damaged blocks go to a list in the area, and their stripes are left. Then, with the list
// known to all, a second pass over those stripes alone, in which the damaged blocks are lost too.
#include "parity/rebuild.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "parity/block_pass.hpp"
#include "parity/joining.hpp"
#include "parity/patterns.hpp"
#include "parity/team.hpp"
#include "parity/tile_pass.hpp"
#include "parity/working_stripe.hpp"

namespace psnam::parity {
namespace {

/// A stripe that is worked on again, and how.
struct Repair {
  std::uint64_t block;
  Recovery recovery;
};

class Member final : public Share {
 public:
  Member(Area& area, const Version& version, const MemberBuffer& data, std::vector<std::uint32_t> lost)
      : area_{area},
        shape_{area.shape()},
        version_{version},
        data_{data},
        patterns_{area, version, lost},
        first_blocks_{patterns_.lost_blocks()} {}

  [[nodiscard]] const Patterns& patterns() const noexcept { return patterns_; }
  /// From now on these are the positions.
  void repair(std::vector<Repair> repairs) { repairs_ = std::move(repairs); }

  /// Who reads, checks and repairs a piece of a stripe: a member its own data, and all by turns the parities.
  [[nodiscard]] std::uint32_t keeper(std::uint32_t piece, std::uint64_t block) const noexcept {
    if (piece < shape_.members) return piece;
    return static_cast<std::uint32_t>((block + piece) % shape_.members);
  }

  std::uint64_t positions() const override { return repairs_ ? repairs_->size() : first_blocks_; }

  Part part(std::uint64_t position) override {
    const Recovery& recovery = at(position);
    const std::uint64_t block = block_at(position);
    return {part_of(recovery.sources, block, data_.member), part_of(recovery.lost, block, data_.member),
            static_cast<std::uint32_t>(recovery.sources.size()), static_cast<std::uint32_t>(recovery.lost.size()),
            closes(recovery, block)};
  }
  bool expects(std::uint32_t member, std::uint64_t position) override {
    return position < positions() && part_of(at(position).sources, block_at(position), member) != 0;
  }
  Status add(const Sums& sums) override { return add(sums, {}); }

  Status take(const Sums& sums) override {
    if (sums.tile.damaged != 0) return {};
    const std::uint64_t block = block_at(sums.position);
    const Recovery& recovery = at(sums.position);
    for (std::uint32_t output = 0; output < recovery.lost.size(); ++output) {
      const std::uint32_t piece = recovery.lost[output];
      if (keeper(piece, block) != data_.member) continue;
      const std::span<std::byte> place = bytes_of(piece, block);
      // What was there is lost or damaged: it may be written before it is known to be right.
      const std::uint32_t checksum = pass_over({sums.blocks[output], place.size()}, {.copy_to = place.data()});
      PSNAM_CHECK(check_result(area_, version_, {piece, block}, checksum));
    }
    return {};
  }

  /// The pass that completes the sums takes those of this member to where they belong.
  Status close(const Sums& sums) override {
    const std::uint64_t block = block_at(sums.position);
    const Recovery& recovery = at(sums.position);
    if (sums.tile.damaged != 0 || ends_in(recovery.lost, block)) return Share::close(sums);
    std::array<Finished, format::kParityMaxPieces> finished{};
    for (std::size_t output = 0; output < recovery.lost.size(); ++output)
      if (const std::uint32_t piece = recovery.lost[output]; keeper(piece, block) == data_.member)
        finished[output].to = bytes_of(piece, block).data();
    PSNAM_CHECK(add(sums, {finished.data(), recovery.lost.size()}));
    if (sums.tile.damaged != 0) return {};
    for (std::size_t output = 0; output < recovery.lost.size(); ++output)
      if (finished[output].to != nullptr)
        PSNAM_CHECK(check_result(area_, version_, {recovery.lost[output], block}, finished[output].checksum));
    return {};
  }

  /// What the first pass does not look at.
  void check_the_rest() {
    if (!data_.lost)
      for (std::uint64_t block = first_blocks_; block < patterns_.blocks_of(data_.member); ++block)
        check(data_.member, block);
    for (std::uint32_t piece = shape_.members; piece < shape_.pieces(); ++piece) {
      for (std::uint64_t block = 0; block < patterns_.blocks_of(piece); ++block) {
        if (keeper(piece, block) != data_.member) continue;
        const bool used = block < first_blocks_ &&
                          std::ranges::find(patterns_.at(block).sources, piece) != patterns_.at(block).sources.end();
        if (!used) check(piece, block);
      }
    }
  }

 private:
  /// `finished`: where the sums go that are complete then, or nothing.
  Status add(const Sums& sums, std::span<Finished> finished) {
    const std::uint64_t block = block_at(sums.position);
    const Recovery& recovery = at(sums.position);
    std::uint32_t left = part_of(recovery.sources, block, data_.member);
    for (std::uint32_t input = 0; left != 0; ++input) {
      const std::uint32_t piece = recovery.sources[input];
      if (keeper(piece, block) != data_.member) continue;
      --left;
      const std::uint32_t sum =
          pass_over(bytes_of(piece, block), {.factors = &recovery.factors,
                                             .input = input,
                                             .outputs = sums.blocks.first(recovery.lost.size()),
                                             .output_bytes = shape_.block_bytes,
                                             .assign = sums.tile.filled == 0,
                                             .finished = left == 0 ? finished : std::span<Finished>{},
                                             .next = after(piece, block)});
      sums.tile.filled = 1;
      PSNAM_CHECK(judge({piece, block}, sum, sums.tile));
    }
    return {};
  }

  const Recovery& at(std::uint64_t position) {
    return repairs_ ? (*repairs_)[position].recovery : patterns_.at(position);
  }
  [[nodiscard]] std::uint64_t block_at(std::uint64_t position) const {
    return repairs_ ? (*repairs_)[position].block : position;
  }
  [[nodiscard]] std::uint32_t part_of(const std::vector<std::uint32_t>& pieces, std::uint64_t block,
                                      std::uint32_t member) const {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(pieces, [&](std::uint32_t piece) { return keeper(piece, block) == member; }));
  }
  /// The first member that has something to add and to take.
  [[nodiscard]] bool closes(const Recovery& recovery, std::uint64_t block) const {
    for (const std::uint32_t piece : recovery.lost)
      if (const std::uint32_t member = keeper(piece, block); part_of(recovery.sources, block, member) != 0)
        return member == data_.member;
    return false;
  }
  /// Whether one of this member's pieces ends within the block.
  [[nodiscard]] bool ends_in(const std::vector<std::uint32_t>& pieces, std::uint64_t block) const {
    return std::ranges::any_of(pieces, [&](std::uint32_t piece) {
      return keeper(piece, block) == data_.member && bytes_of(piece, block).size() != shape_.block_bytes;
    });
  }
  /// Holds what a source was against its checksum.
  Status judge(const BadBlock& source, std::uint32_t sum, format::ParityTile& tile) const {
    if (sum == area_.checksums(version_.slot, source.piece)[source.block]) return {};
    if (repairs_) return damaged_now(area_, version_, source);
    tile.damaged = 1;
    note_damage(area_, source);
    return {};
  }
  [[nodiscard]] std::span<std::byte> bytes_of(std::uint32_t piece, std::uint64_t block) const {
    if (piece >= shape_.members)
      return {area_.parity_block(version_.slot, piece - shape_.members, block), shape_.block_bytes};
    const Extent extent = extent_of(shape_, piece, block, version_.sizes[piece]);
    return data_.bytes.subspan(extent.offset, extent.bytes);
  }
  /// The block of a piece that this process reads next.
  [[nodiscard]] std::span<const std::byte> after(std::uint32_t piece, std::uint64_t block) const {
    const std::uint64_t next = block + (piece < shape_.members ? 1 : shape_.members);
    return next < patterns_.blocks_of(piece) ? bytes_of(piece, next) : std::span<std::byte>{};
  }
  void check(std::uint32_t piece, std::uint64_t block) {
    if (pass_over(bytes_of(piece, block), {.next = after(piece, block)}) !=
        area_.checksums(version_.slot, piece)[block])
      note_damage(area_, {piece, block});
  }

  Area& area_;
  const format::ParityShape& shape_;
  const Version& version_;
  const MemberBuffer& data_;
  Patterns patterns_;
  std::uint64_t first_blocks_;
  std::optional<std::vector<Repair>> repairs_;
};

Status check(const Area& area, const Version& version, const MemberBuffer& data) {
  if (data.bytes.size() != version.sizes[data.member])
    return Error{psnam::Code::size,
                 fmt::format("member {} has a buffer of {} bytes, in version {} of parity area '{}' it has {}",
                             data.member, data.bytes.size(), version.number, area.name(), version.sizes[data.member])};
  return {};
}

/// The second pass. Every member comes to the same stripes, and to the same refusal.
Status repair(Area& area, const Team& team, const Attempt& attempt, const MemberBuffer& data, Deadline deadline,
              Member& member, RebuildReport& report) {
  PSNAM_TRY(const auto stripes, noted_damage(area, member.patterns()));
  std::vector<Repair> repairs;
  for (const auto& [block, bad] : stripes) {
    PSNAM_TRY(Recovery recovery, member.patterns().with_damage(block, bad));
    repairs.push_back({block, std::move(recovery)});
    std::ranges::copy_if(bad, std::back_inserter(report.repaired),
                         [&](const BadBlock& piece) { return member.keeper(piece.piece, piece.block) == data.member; });
  }
  if (repairs.empty()) return {};
  if (data.member == 0) {
    reset_tiles(area);
    team.arrive(0, Stage::ready);
  }
  PSNAM_CHECK(team.await_first(Stage::ready, deadline));
  member.repair(std::move(repairs));
  return run_pass(area, attempt, data.member, member, deadline);
}

Status rebuild_with_team(Area& area, const Team& team, const Attempt& attempt, const Version& version,
                         const MemberBuffer& data, Deadline deadline, RebuildReport& report) {
  // Nobody else can know of this; what else is refused, every member refuses alike.
  if (Status fits = check(area, version, data); !fits) return team.give_up(data.member, fits.take_error());
  PSNAM_TRY(auto lost, join_rebuild(area, team, data.member, data.lost, deadline));
  Member member{area, version, data, std::move(lost)};
  Status done = member.patterns().can_be_rebuilt();
  if (done) done = run_pass(area, attempt, data.member, member, deadline);
  if (done) {
    member.check_the_rest();
    team.arrive(data.member, Stage::checked);
    done = team.await_all(Stage::checked, deadline);
  }
  if (done) done = repair(area, team, attempt, data, deadline, member, report);
  if (!done) {
    report.repaired.clear();
    report.older = member.patterns().older();
    return done;
  }
  report.rebuilt = member.patterns().lost();
  team.arrive(data.member, Stage::done);
  return team.await_all(Stage::done, deadline);
}

}  // namespace

Status rebuild_member(Area& area, const Attempt& attempt, const Version& version, const MemberBuffer& data,
                      Deadline deadline, RebuildReport& report) {
  report = {.version = version.number, .rebuilt = {}, .repaired = {}, .older = {}};
  PSNAM_CHECK(check_member(area, data.member));
  const Team team{area, attempt};
  PSNAM_CHECK(team.still_on());
  return rebuild_with_team(area, team, attempt, version, data, deadline, report);
}

}  // namespace psnam::parity
