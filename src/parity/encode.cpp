// The members' common encoding.
#include "parity/encode.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "parity/block_pass.hpp"
#include "parity/finished_parity.hpp"
#include "parity/joining.hpp"
#include "parity/team.hpp"
#include "parity/tile_pass.hpp"

namespace psnam::parity {
namespace {

/// Of this node: a member that is bound to one of them has the others beside it.
std::uint32_t processors() noexcept {
  return static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

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
  /// Who writes the parity of a stripe: the members take turns.
  [[nodiscard]] std::uint32_t closer_of(std::uint64_t block) const {
    const auto members = static_cast<std::uint32_t>(blocks_.size());
    auto member = static_cast<std::uint32_t>(block % members);
    while (blocks_[member] <= block) member = (member + 1) % members;
    return member;
  }

 private:
  std::vector<std::uint64_t> blocks_, sorted_;
};

/// All pieces as one sequence of blocks.
class Pieces {
 public:
  Pieces(const MemberData& data, std::size_t block_bytes) : block_bytes_{block_bytes} {
    add({data.bytes, data.copy_to});
    for (const Piece& piece : data.further) add(piece);
  }
  [[nodiscard]] Piece block(std::uint64_t number) const {
    const auto after = std::ranges::upper_bound(placed_, number, {}, &Placed::first);
    const Placed& found = *std::prev(after);
    const std::size_t offset = (number - found.first) * block_bytes_;
    const auto& [bytes, copy_to] = found.piece;
    return {bytes.subspan(offset, std::min(block_bytes_, bytes.size() - offset)),
            copy_to == nullptr ? nullptr : copy_to + offset};
  }

 private:
  struct Placed {
    std::uint64_t first;  ///< block
    Piece piece;
  };
  void add(const Piece& piece) {
    if (piece.bytes.empty()) return;
    placed_.push_back({blocks_, piece});
    blocks_ += (piece.bytes.size() + block_bytes_ - 1) / block_bytes_;
  }

  std::size_t block_bytes_;
  std::uint64_t blocks_ = 0;
  std::vector<Placed> placed_;
};

class Encoding final : public Share {
 public:
  Encoding(const Area& area, const Attempt& attempt, const MemberData& data, std::span<const std::uint64_t> sizes)
      : area_{area},
        attempt_{attempt},
        member_{data.member},
        pieces_{data, area.shape().block_bytes},
        lengths_{area.shape(), sizes},
        checksums_{area.checksums(attempt.slot, data.member)},
        by_turns_{area.shape().members <= processors()} {}

  std::uint64_t positions() const override { return lengths_.of(member_); }
  Part part(std::uint64_t block) override {
    return {1, 0, lengths_.members_with(block), 0, by_turns_ && lengths_.closer_of(block) == member_};
  }
  bool expects(std::uint32_t member, std::uint64_t block) override { return lengths_.of(member) > block; }
  Status take(const Sums& /*sums*/) override { return {}; }

  Status add(const Sums& sums) override {
    const Piece block = pieces_.block(sums.position);
    StoredParity parity{area_, attempt_.slot, sums.position};
    checksums_[sums.position] =
        pass_over(block.bytes, {.factors = &area_.code().encoding(),
                                .input = member_,
                                .outputs = sums.blocks,
                                .output_bytes = area_.shape().block_bytes,
                                .assign = sums.tile.filled == 0,
                                .finished = sums.last ? parity.places() : std::span<Finished>{},
                                .copy_to = block.copy_to,
                                .next = sums.position + 1 < positions() ? pieces_.block(sums.position + 1).bytes
                                                                        : std::span<const std::byte>{}});
    if (sums.last) parity.keep_checksums();
    sums.tile.filled = 1;
    return {};
  }

 private:
  const Area& area_;
  const Attempt& attempt_;
  std::uint32_t member_;
  Pieces pieces_;
  Lengths lengths_;
  std::uint32_t* checksums_;
  /// Where all members run at the same time, each writes its share of the parity: else one follows behind the others
  /// and writes all of it, and they wait for it. Where they do not, whoever comes last writes.
  bool by_turns_;
};

Status check_pieces(const Area& area, const MemberData& data) {
  std::uint64_t before = data.bytes.size();
  for (std::size_t index = 0; index < data.further.size(); ++index) {
    const auto bytes = data.further[index].bytes;
    if (bytes.data() == nullptr && !bytes.empty())
      return Error{psnam::Code::buffer,
                   fmt::format("member {}: {} bytes at null in piece {}", data.member, bytes.size(), index + 1)};
    if (before % area.shape().block_bytes != 0 && !bytes.empty())
      return Error{psnam::Code::size,
                   fmt::format("member {}: piece {} begins {} bytes into a block of {}", data.member, index + 1,
                               before % area.shape().block_bytes, area.shape().block_bytes)};
    before += bytes.size();
  }
  return {};
}

Status check(const Area& area, const MemberData& data) {
  if (data.size() > area.shape().capacity_bytes)
    return Error{psnam::Code::size, fmt::format("member {} has {} bytes, parity area '{}' was made for {} a member",
                                                data.member, data.size(), area.name(), area.shape().capacity_bytes)};
  PSNAM_CHECK(check_pieces(area, data));
  if (data.bytes.data() == nullptr && !data.bytes.empty())
    return Error{psnam::Code::buffer, fmt::format("member {}: {} bytes at null", data.member, data.bytes.size())};
  return {};
}

Status encode_with_team(Area& area, const Team& team, const Attempt& attempt, const MemberData& data,
                        Deadline deadline) {
  PSNAM_TRY(const auto sizes, join(area, team, attempt, data.member, data.size(), deadline));
  Encoding share{area, attempt, data, sizes};
  PSNAM_CHECK(run_pass(area, attempt, data.member, share, deadline));
  team.arrive(data.member, Stage::done);
  return {};
}

}  // namespace

std::uint64_t MemberData::size() const noexcept {
  std::uint64_t total = bytes.size();
  for (const Piece& piece : further) total += piece.bytes.size();
  return total;
}

Status encode_member(Area& area, const Attempt& attempt, const MemberData& data, Deadline deadline) {
  PSNAM_CHECK(check_member(area, data.member));
  const Team team{area, attempt};
  PSNAM_CHECK(team.still_on());
  Status encoded = check(area, data);
  if (encoded) encoded = encode_with_team(area, team, attempt, data, deadline);
  if (encoded) return {};
  return team.give_up(data.member, encoded.take_error());
}

}  // namespace psnam::parity
