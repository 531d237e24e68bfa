#include "checkpoint/verification.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "checkpoint/layout.hpp"
#include "checkpoint/set_areas.hpp"
#include "parity/stripe_reader.hpp"

namespace psnam::checkpoint {
namespace {

using Blocks = std::vector<std::uint64_t>;

std::string blocks_text(std::uint64_t first, std::uint64_t count) {
  return count == 1 ? fmt::format("block {}", first) : fmt::format("blocks {} to {}", first, first + count - 1);
}

/// `body` of each run of consecutive numbers: its first, and how many.
template <class Body>
void for_each_run(const Blocks& blocks, Body body) {
  for (std::size_t at = 0; at < blocks.size();) {
    std::size_t end = at + 1;
    while (end < blocks.size() && blocks[end] == blocks[end - 1] + 1) ++end;
    body(blocks[at], std::uint64_t{end - at});
    at = end;
  }
}

class Verification {
 public:
  Verification(const SeenSeries& seen, const VersionKey& key) : seen_{seen}, key_{key} { verdict_.version = key; }

  Result<Verdict> run() {
    for (std::uint32_t set = 0; set < seen_.series().sets; ++set) {
      PSNAM_CHECK(bring_copies(set));
      const auto parity = seen_.parity_of(set, key_);
      if (parity)
        PSNAM_CHECK(look_at_set(set, *parity));
      else
        look_at_copies_alone(set);
    }
    PSNAM_TRY(const bool there, still_there());
    if (!there) return Verdict{.version = key_, .findings = {}, .missing = {}, .fatal = {}, .overwritten = true};
    std::ranges::sort(verdict_.missing);
    return std::move(verdict_);
  }

 private:
  Status bring_copies(std::uint32_t set) {
    for (const std::uint32_t rank : seen_.series().ranks_of(set))
      if (const SeenCopy* const copy = seen_.copy_of(rank, key_)) PSNAM_CHECK(copy->memory.need_all());
    return {};
  }

  /// Notes who has none.
  std::vector<std::span<const std::byte>> payloads(std::uint32_t set) {
    std::vector<std::span<const std::byte>> all;
    for (const std::uint32_t rank : seen_.series().ranks_of(set)) {
      const SeenCopy* const copy = seen_.copy_of(rank, key_);
      if (copy == nullptr) verdict_.missing.push_back(rank);
      all.push_back(copy == nullptr ? std::span<std::byte>{} : copy->view().payload());
      if (copy != nullptr) look_at_table(set, *copy);
    }
    return all;
  }

  void look_at_table(std::uint32_t set, const SeenCopy& copy) {
    if (const auto table = read_table(copy.view().payload()); !table)
      verdict_.findings.push_back({.text = fmt::format("set {}: rank {}: {}", set, copy.rank(), table.error().message),
                                   .set = set,
                                   .rank = copy.rank()});
  }

  Status look_at_set(std::uint32_t set, const SeenParity& parity) {
    PSNAM_CHECK(parity.area->memory.need_all());
    read_.push_back(parity);
    parity::StripeReader reader{parity.area->area, parity.version, payloads(set)};
    if (reader.lost().size() > seen_.series().parities) {
      tell_lost(set, reader.lost());
      tell_damage(set, parity.area->area.verify(parity.version));
      for (const std::uint32_t rank : seen_.series().ranks_of(set)) look_at_copy_alone(set, rank);
      return {};
    }
    Blocks beyond;
    std::vector<parity::BadBlock> damaged, wrong;
    for (std::uint64_t block = 0; block < reader.blocks(); ++block) {
      if (!reader.read(block)) beyond.push_back(block);
      damaged.insert(damaged.end(), reader.damaged().begin(), reader.damaged().end());
      wrong.insert(wrong.end(), reader.wrong().begin(), reader.wrong().end());
    }
    tell_damage(set, damaged);
    tell_wrong(set, wrong);
    for_each_run(beyond, [&](std::uint64_t first, std::uint64_t count) {
      verdict_.fatal.push_back(fmt::format("set {}: more of {} is lost or damaged than {} {} can make again", set,
                                           blocks_text(first, count), seen_.series().parities,
                                           seen_.series().parities == 1 ? "parity" : "parities"));
    });
    return {};
  }

  void look_at_copies_alone(std::uint32_t set) {
    const std::size_t before = verdict_.missing.size(), damage_before = verdict_.findings.size();
    payloads(set);
    for (const std::uint32_t rank : seen_.series().ranks_of(set)) look_at_copy_alone(set, rank);
    if (verdict_.missing.size() != before || verdict_.findings.size() != damage_before)
      verdict_.fatal.push_back(
          fmt::format("set {}: it has no parity of this version, and not all copies are whole", set));
  }

  void look_at_copy_alone(std::uint32_t set, std::uint32_t rank) {
    const SeenCopy* const copy = seen_.copy_of(rank, key_);
    if (copy == nullptr) return;
    tell(set, rank, copy->view().damaged_blocks());
  }

  void tell_lost(std::uint32_t set, const std::vector<std::uint32_t>& members) {
    const auto ranks = seen_.series().ranks_of(set);
    std::vector<std::uint32_t> lost;
    for (const std::uint32_t member : members) lost.push_back(ranks[member]);
    verdict_.fatal.push_back(
        fmt::format("set {}: the copies of ranks {} are not here, and {} {} can make again {} of "
                    "them at most",
                    set, fmt::join(lost, ", "), seen_.series().parities,
                    seen_.series().parities == 1 ? "parity" : "parities", seen_.series().parities));
  }

  void tell(std::uint32_t set, std::uint32_t rank, const Blocks& blocks) {
    const SeenCopy* const copy = seen_.copy_of(rank, key_);
    for_each_run(blocks, [&](std::uint64_t first, std::uint64_t count) {
      verdict_.findings.push_back({.text = fmt::format("set {}: rank {}: {} of its copy in {} not as it was saved", set,
                                                       rank, blocks_text(first, count), copy->part->place),
                                   .set = set,
                                   .rank = rank,
                                   .parity = {},
                                   .block = first,
                                   .blocks = count});
    });
  }

  void tell_parity(std::uint32_t set, std::uint32_t index, const Blocks& blocks, std::string_view what) {
    for_each_run(blocks, [&](std::uint64_t first, std::uint64_t count) {
      verdict_.findings.push_back(
          {.text = fmt::format("set {}: parity {}: {} {}", set, index, blocks_text(first, count), what),
           .set = set,
           .rank = {},
           .parity = index,
           .block = first,
           .blocks = count});
    });
  }

  static std::map<std::uint32_t, Blocks> by_piece(const std::vector<parity::BadBlock>& bad) {
    std::map<std::uint32_t, Blocks> pieces;
    for (const parity::BadBlock& one : bad) pieces[one.piece].push_back(one.block);
    return pieces;
  }

  void tell_damage(std::uint32_t set, const std::vector<parity::BadBlock>& bad) {
    const auto ranks = seen_.series().ranks_of(set);
    for (const auto& [piece, blocks] : by_piece(bad))
      if (piece < ranks.size())
        tell(set, ranks[piece], blocks);
      else
        tell_parity(set, piece - static_cast<std::uint32_t>(ranks.size()), blocks, "not as it was written");
  }

  void tell_wrong(std::uint32_t set, const std::vector<parity::BadBlock>& wrong) {
    const auto members = static_cast<std::uint32_t>(seen_.series().ranks_of(set).size());
    for (const auto& [piece, blocks] : by_piece(wrong))
      tell_parity(set, piece - members, blocks, "not the parity of the data");
  }

  /// A job may have written over what was read; then checksums did not hold, and nothing is damaged.
  Result<bool> still_there() {
    for (const SeenParity& parity : read_) {
      PSNAM_TRY(const parity::Area now, look_at_area(parity.area->memory));
      const auto versions = now.versions();
      if (std::ranges::find(versions, key_, key_of) == versions.end()) return false;
    }
    for (std::uint32_t rank = 0; rank < seen_.series().ranks(); ++rank)
      if (const SeenCopy* const copy = seen_.copy_of(rank, key_)) {
        PSNAM_TRY(const VersionKey now, copy->version_now());
        if (now != key_) return false;
      }
    return true;
  }

  const SeenSeries& seen_;
  VersionKey key_;
  std::vector<SeenParity> read_;
  Verdict verdict_;
};

}  // namespace

Result<Verdict> verify(const SeenSeries& series, const VersionKey& key) { return Verification{series, key}.run(); }

Result<Verdict> verify(const SeenMemory& memory, const parity::Area& area, const parity::Version& version) {
  PSNAM_CHECK(memory.need_all());
  Verdict verdict;
  verdict.version = {.number = version.number, .stamp = version.taken_ns};
  std::map<std::uint32_t, Blocks> pieces;
  for (const parity::BadBlock& one : area.verify(version)) pieces[one.piece].push_back(one.block);
  for (const auto& [piece, blocks] : pieces)
    for_each_run(blocks, [&, index = piece - area.shape().members](std::uint64_t first, std::uint64_t count) {
      verdict.findings.push_back(
          {.text = fmt::format("parity {}: {} not as it was written", index, blocks_text(first, count)),
           .set = {},
           .rank = {},
           .parity = index,
           .block = first,
           .blocks = count});
    });
  const auto now = area.versions();
  verdict.overwritten = std::ranges::none_of(now, [&](const parity::Version& one) {
    return one.number == version.number && one.taken_ns == version.taken_ns;
  });
  return verdict;
}

}  // namespace psnam::checkpoint
