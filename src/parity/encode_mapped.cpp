// Each member that is free takes the next stripe, reads all of it, and writes its parity and checksums.
#include <fmt/format.h>

#include <algorithm>

#include "parity/joining.hpp"
#include "parity/mapped.hpp"
#include "parity/stripe_pass.hpp"
#include "parity/team.hpp"
#include "parity/working_stripe.hpp"

namespace psnam::parity {
namespace {

class Encoding {
 public:
  Encoding(Area& area, const Attempt& attempt, std::span<const std::span<std::byte>> members,
           std::span<const std::uint64_t> sizes)
      : area_{area},
        shape_{area.shape()},
        attempt_{attempt},
        slot_{attempt.slot},
        members_{members},
        blocks_{shape_.blocks_of(std::ranges::max(sizes))},
        pass_{shape_.block_bytes, shape_.members, shape_.parities},
        inputs_(shape_.members),
        outputs_(shape_.parities) {}

  Status run(const Team& team) {
    for (std::uint64_t done = 0;; ++done) {
      const auto block = take_stripe(area_, attempt_, blocks_);
      if (!block || done % kLooksAtTeam == 0) PSNAM_CHECK(team.still_on());
      if (!block) return {};
      work_on(*block);
    }
  }

 private:
  void work_on(std::uint64_t block) {
    for (std::uint32_t member = 0; member < shape_.members; ++member) {
      const Extent extent = extent_of(shape_, member, block, members_[member].size());
      inputs_[member] =
          extent.bytes == 0 ? std::span<std::byte>{} : members_[member].subspan(extent.offset, extent.bytes);
    }
    for (std::uint32_t parity = 0; parity < shape_.parities; ++parity)
      outputs_[parity] = {area_.parity_block(slot_, parity, block), shape_.block_bytes};
    pass_.run({.factors = &area_.code().encoding(), .inputs = inputs_, .outputs = outputs_});
    for (std::uint32_t member = 0; member < shape_.members; ++member)
      if (!inputs_[member].empty()) area_.checksums(slot_, member)[block] = pass_.input_checksums()[member];
    for (std::uint32_t parity = 0; parity < shape_.parities; ++parity)
      area_.checksums(slot_, shape_.members + parity)[block] = pass_.output_checksums()[parity];
  }

  Area& area_;
  const format::ParityShape& shape_;
  Attempt attempt_;
  std::size_t slot_;
  std::span<const std::span<std::byte>> members_;
  std::uint64_t blocks_;
  StripePass pass_;
  std::vector<std::span<const std::byte>> inputs_;
  std::vector<std::span<std::byte>> outputs_;
};

Status encode_with_team(Area& area, const Team& team, const Attempt& attempt, std::uint32_t member,
                        std::span<const std::span<std::byte>> members, Deadline deadline) {
  PSNAM_CHECK(check_mapped(area, members));
  PSNAM_TRY(const auto sizes, join(area, team, attempt, member, members[member].size(), deadline));
  for (std::uint32_t other = 0; other < sizes.size(); ++other)
    if (members[other].size() != sizes[other])
      return Error{psnam::Code::size, fmt::format("member {} says {} bytes, {} of it are mapped by member {}", other,
                                                  sizes[other], members[other].size(), member)};
  PSNAM_CHECK(Encoding(area, attempt, members, sizes).run(team));
  team.arrive(member, Stage::done);
  return {};
}

}  // namespace

Status encode_mapped(Area& area, const Attempt& attempt, std::uint32_t member,
                     std::span<const std::span<std::byte>> members, Deadline deadline) {
  PSNAM_CHECK(check_member(area, member));
  const Team team{area, attempt};
  PSNAM_CHECK(team.still_on());
  if (Status encoded = encode_with_team(area, team, attempt, member, members, deadline); !encoded)
    return team.give_up(member, encoded.take_error());
  return {};
}

}  // namespace psnam::parity
