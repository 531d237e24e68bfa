// Rebuilding by one process for all members. First every stripe as if nothing were damaged, verifying on the way; those
// in which something was, a second time without it.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>

#include "parity/block_pass.hpp"
#include "parity/code.hpp"
#include "parity/joining.hpp"
#include "parity/patterns.hpp"
#include "parity/puller.hpp"
#include "parity/rebuild.hpp"
#include "parity/working_stripe.hpp"

namespace psnam::parity {
namespace {

constexpr std::size_t kReadAhead = 32;

class Rebuilding {
 public:
  Rebuilding(Area& area, const Version& version, std::span<const std::uint32_t> lost, Source& source, Sink& sink,
             RebuildReport& report)
      : area_{area},
        shape_{area.shape()},
        version_{version},
        patterns_{area, version, lost},
        source_{source},
        sink_{sink},
        report_{report},
        working_{shape_} {}

  Status run() {
    report_ = {.version = version_.number, .rebuilt = {}, .repaired = {}, .older = {}};
    Status done = patterns_.can_be_rebuilt();
    if (done) done = first_pass();
    if (done) done = second_pass();
    if (!done) {
      report_.older = patterns_.older();
      return done;
    }
    report_.rebuilt = patterns_.lost();
    return {};
  }

 private:
  Status first_pass() {
    const std::uint64_t blocks = shape_.blocks_of(version_.longest_bytes);
    Extent reading{};  // offset: the block's number
    Puller puller{source_, shape_.block_bytes, kReadAhead, [&]() -> std::optional<Extent> {
                    while (reading.offset < blocks) {
                      const Extent now = std::exchange(reading, reading.member + 1 < shape_.members
                                                                    ? Extent{reading.member + 1, reading.offset, 0}
                                                                    : Extent{0, reading.offset + 1, 0});
                      if (is_there(now.member, now.offset))
                        return extent_of(shape_, now.member, now.offset, version_.sizes[now.member]);
                    }
                    return std::nullopt;
                  }};
    for (std::uint64_t block = 0; block < blocks; ++block) {
      const Recovery& recovery = patterns_.at(block);
      PSNAM_TRY(const bool whole, sum_up(block, recovery, puller));
      if (whole && !recovery.lost.empty()) PSNAM_CHECK(hand_out(block, recovery));
      check_unused(block, recovery);
    }
    return {};
  }

  bool is_there(std::uint32_t member, std::uint64_t block) const {
    return patterns_.bytes_in(member, block) != 0 &&
           std::ranges::find(patterns_.lost(), member) == patterns_.lost().end();
  }

  /// False if something was damaged; what it is is noted.
  Result<bool> sum_up(std::uint64_t block, const Recovery& recovery, Puller& puller) {
    bool whole = true, assign = true;
    for (std::uint32_t input = 0; input < recovery.sources.size(); ++input) {
      const std::uint32_t piece = recovery.sources[input];
      std::span<const std::byte> bytes;
      if (piece < shape_.members) {
        PSNAM_TRY(bytes, puller.next());
      } else {
        bytes = {area_.parity_block(version_.slot, piece - shape_.members, block), shape_.block_bytes};
      }
      const std::uint32_t sum = pass_over(bytes, {.factors = recovery.lost.empty() ? nullptr : &recovery.factors,
                                                  .input = input,
                                                  .outputs = working_.blocks().first(recovery.lost.size()),
                                                  .output_bytes = shape_.block_bytes,
                                                  .assign = std::exchange(assign, false),
                                                  .next = puller.peek()});
      if (sum == area_.checksums(version_.slot, piece)[block]) continue;
      bad_[block].push_back({piece, block});
      whole = false;
    }
    return whole;
  }

  void check_unused(std::uint64_t block, const Recovery& recovery) {
    for (std::uint32_t piece = shape_.members; piece < shape_.pieces(); ++piece) {
      if (std::ranges::find(recovery.sources, piece) != recovery.sources.end()) continue;
      if (!patterns_.holds(piece, block,
                           {area_.parity_block(version_.slot, piece - shape_.members, block), shape_.block_bytes}))
        bad_[block].push_back({piece, block});
    }
  }

  Status hand_out(std::uint64_t block, const Recovery& recovery) {
    for (std::uint32_t output = 0; output < recovery.lost.size(); ++output) {
      const std::uint32_t piece = recovery.lost[output];
      const std::byte* const from = working_.blocks()[output];
      PSNAM_CHECK(check_result(area_, version_, {piece, block}, checksum({from, patterns_.bytes_in(piece, block)})));
      if (piece < shape_.members)
        PSNAM_CHECK(sink_.put(extent_of(shape_, piece, block, version_.sizes[piece]), from));
      else
        std::memcpy(area_.parity_block(version_.slot, piece - shape_.members, block), from, shape_.block_bytes);
    }
    return {};
  }

  Status second_pass() {
    // Before anything more is written, whether all of it can be done.
    std::map<std::uint64_t, Recovery> recoveries;
    for (const auto& [block, bad] : bad_) {
      PSNAM_TRY(Recovery recovery, patterns_.with_damage(block, bad));
      recoveries.emplace(block, std::move(recovery));
    }
    const auto damaged = std::exchange(bad_, {});
    for (const auto& [block, recovery] : recoveries) {
      std::size_t next = 0;
      const std::uint64_t stripe = block;
      const std::vector<std::uint32_t>& sources = recovery.sources;
      Puller puller{source_, shape_.block_bytes, kReadAhead, [&, stripe]() -> std::optional<Extent> {
                      if (next == sources.size() || sources[next] >= shape_.members) return std::nullopt;
                      const std::uint32_t member = sources[next++];
                      return extent_of(shape_, member, stripe, version_.sizes[member]);
                    }};
      PSNAM_TRY(const bool whole, sum_up(block, recovery, puller));
      if (!whole) return damaged_now(area_, version_, bad_[block].front());
      PSNAM_CHECK(hand_out(block, recovery));
      const auto& repaired = damaged.at(block);
      report_.repaired.insert(report_.repaired.end(), repaired.begin(), repaired.end());
    }
    return {};
  }

  Area& area_;
  const format::ParityShape& shape_;
  const Version& version_;
  Patterns patterns_;
  Source& source_;
  Sink& sink_;
  RebuildReport& report_;
  WorkingStripe working_;
  std::map<std::uint64_t, std::vector<BadBlock>> bad_;
};

Status check(const Area& area, std::span<const std::uint32_t> lost) {
  for (std::size_t index = 0; index < lost.size(); ++index) {
    if (lost[index] >= area.shape().members)
      return Error{psnam::Code::rank, fmt::format("member {} of parity area '{}', which has {}", lost[index],
                                                  area.name(), area.shape().members)};
    if (std::ranges::count(lost, lost[index]) != 1)
      return Error{psnam::Code::invalid_argument, fmt::format("member {} is named twice as lost", lost[index])};
  }
  return {};
}

}  // namespace

Status rebuild_all(Area& area, const Version& version, std::span<const std::uint32_t> lost, Source& source, Sink& sink,
                   RebuildReport& report) {
  PSNAM_CHECK(check(area, lost));
  return Rebuilding{area, version, lost, source, sink, report}.run();
}

std::vector<BadBlock> verify_member(const Area& area, const Version& version, std::uint32_t member,
                                    std::span<const std::byte> bytes) {
  std::vector<BadBlock> bad;
  const Patterns patterns{area, version, {}};
  for (std::uint64_t block = 0; block < patterns.blocks_of(member); ++block) {
    const Extent extent = extent_of(area.shape(), member, block, version.sizes[member]);
    const bool there = extent.offset + extent.bytes <= bytes.size();
    if (!there || !patterns.holds(member, block, bytes.subspan(extent.offset, extent.bytes)))
      bad.push_back({member, block});
  }
  return bad;
}

}  // namespace psnam::parity
