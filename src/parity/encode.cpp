// The members' common encoding.
#include "parity/encode.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "parity/block_pass.hpp"
#include "parity/finished_parity.hpp"
#include "parity/team.hpp"
#include "parity/tile_pass.hpp"

namespace psnam::parity {
namespace {

/// Blocks of each member, and how many members have a block of a certain number.
class Lengths {
 public:
  Lengths(const format::ParityShape& shape, std::span<const std::uint64_t> sizes) {
    for (const std::uint64_t size : sizes) blocks_.push_back(shape.blocks_of(size));
    sorted_ = blocks_;
    std::ranges::sort(sorted_);
  }
  [[nodiscard]] std::uint64_t longest() const { return sorted_.back(); }
  [[nodiscard]] std::uint64_t of(std::uint32_t member) const { return blocks_[member]; }
  [[nodiscard]] std::uint32_t members_with(std::uint64_t block) const {
    return static_cast<std::uint32_t>(sorted_.end() - std::ranges::upper_bound(sorted_, block));
  }

 private:
  std::vector<std::uint64_t> blocks_, sorted_;
};

class Encoding final : public Share {
 public:
  Encoding(const Area& area, const Attempt& attempt, const MemberData& data, std::span<const std::uint64_t> sizes)
      : area_{area},
        attempt_{attempt},
        data_{data},
        lengths_{area.shape(), sizes},
        checksums_{area.checksums(attempt.slot, data.member)} {}

  std::uint64_t positions() const override { return lengths_.of(data_.member); }
  Part part(std::uint64_t block) override { return {1, 0, lengths_.members_with(block), 0}; }
  bool expects(std::uint32_t member, std::uint64_t block) override { return lengths_.of(member) > block; }
  Status take(const Sums& /*sums*/) override { return {}; }

  Status add(const Sums& sums) override {
    const std::size_t block_bytes = area_.shape().block_bytes;
    const std::size_t offset = sums.position * block_bytes;
    const auto block = data_.bytes.subspan(offset, std::min(block_bytes, data_.bytes.size() - offset));
    StoredParity parity{area_, attempt_.slot, sums.position};
    checksums_[sums.position] =
        pass_over(block, {.factors = &area_.code().encoding(),
                          .input = data_.member,
                          .outputs = sums.blocks,
                          .output_bytes = block_bytes,
                          .assign = sums.tile.filled == 0,
                          .finished = sums.last ? parity.places() : std::span<Finished>{},
                          .copy_to = data_.copy_to == nullptr ? nullptr : data_.copy_to + offset,
                          .next = data_.bytes.subspan(offset + block.size())});
    if (sums.last) parity.keep_checksums();
    sums.tile.filled = 1;
    return {};
  }

 private:
  const Area& area_;
  const Attempt& attempt_;
  const MemberData& data_;
  Lengths lengths_;
  std::uint32_t* checksums_;
};

Status check(const Area& area, const MemberData& data) {
  if (data.member >= area.shape().members)
    return Error{psnam::Code::rank, fmt::format("member {} of parity area '{}', which has {}", data.member, area.name(),
                                                area.shape().members)};
  if (data.bytes.size() > area.shape().capacity_bytes)
    return Error{psnam::Code::size,
                 fmt::format("member {} has {} bytes, parity area '{}' was made for {} a member", data.member,
                             data.bytes.size(), area.name(), area.shape().capacity_bytes)};
  if (data.bytes.data() == nullptr && !data.bytes.empty())
    return Error{psnam::Code::buffer, fmt::format("member {}: {} bytes at null", data.member, data.bytes.size())};
  return {};
}

/// What every member has said of its size; each is looked at once.
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

Status encode_with_team(Area& area, const Team& team, const Attempt& attempt, const MemberData& data,
                        Deadline deadline) {
  format::ParitySeat& seat = area.seat(data.member);
  seat.bytes = data.bytes.size();
  seat.lost = 0;
  area.sizes(attempt.slot)[data.member] = data.bytes.size();
  team.arrive(data.member, Stage::joined);
  PSNAM_CHECK(team.await_all(Stage::joined, deadline));
  PSNAM_TRY(const auto sizes, sizes_of_all(area));
  Encoding share{area, attempt, data, sizes};
  PSNAM_CHECK(run_pass(area, attempt, data.member, share, deadline));
  team.arrive(data.member, Stage::done);
  return {};
}

}  // namespace

Status encode_member(Area& area, const Attempt& attempt, const MemberData& data, Deadline deadline) {
  // A number that is no member's has no seat to give up from.
  if (data.member >= area.shape().members) return check(area, data);
  const Team team{area, attempt};
  PSNAM_CHECK(team.still_on());
  Status encoded = check(area, data);
  if (encoded) encoded = encode_with_team(area, team, attempt, data, deadline);
  if (encoded) return {};
  return team.give_up(data.member, encoded.take_error());
}

}  // namespace psnam::parity
