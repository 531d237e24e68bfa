#include "checkpoint/redistribution.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace psnam::checkpoint {
namespace {

Error size_error(std::string why) { return Error{Code::size, std::move(why)}; }

std::vector<std::uint64_t> first_element(const Box& box) {
  std::vector<std::uint64_t> first;
  for (const Range& range : box) first.push_back(range.first);
  return first;
}

}  // namespace

Result<Redistribution> Redistribution::plan(const Team& team, std::uint32_t former_ranks, std::vector<KeptRank> kept,
                                            const Registered& registered) {
  Redistribution made{team, std::move(kept), registered};
  PSNAM_CHECK(made.hear(former_ranks));
  const Status possible = locally([&] { return made.check(); });
  PSNAM_CHECK(team.agree(possible));
  return made;
}

// ---- Who has what ----

void Redistribution::append(std::vector<std::uint64_t>& words, const Outlines& outlines) {
  words.push_back(outlines.size());
  for (const auto& [id, one] : outlines) {
    words.insert(words.end(), {id, one.bytes, static_cast<std::uint64_t>(one.part.share), one.part.element_bytes,
                               one.part.extents.size()});
    for (const Extent& extent : one.part.extents) words.insert(words.end(), {extent.size, extent.count, extent.first});
  }
}

/// What append() wrote, in this job.
Redistribution::Outlines Redistribution::take(std::span<const std::uint64_t>& words) {
  const auto next = [&words] {
    const std::uint64_t word = words.front();
    words = words.subspan(1);
    return word;
  };
  Outlines outlines;
  for (std::uint64_t left = next(); left > 0; --left) {
    Outline& one = outlines[next()];
    one.bytes = next();
    one.part.share = static_cast<Share>(next());
    one.part.element_bytes = next();
    one.part.extents.resize(next());
    for (Extent& extent : one.part.extents) {
      extent.size = next();
      extent.count = next();
      extent.first = next();
    }
  }
  return outlines;
}

Redistribution::Outlines Redistribution::mine() const {
  Outlines outlines;
  for (const auto& [id, bytes] : registered_.regions) {
    const auto known = registered_.parts.find(id);
    outlines[id] = {bytes.size(), known == registered_.parts.end() ? Part{} : known->second};
  }
  return outlines;
}

std::vector<std::uint64_t> Redistribution::words() const {
  std::vector<std::uint64_t> words{kept_.size()};
  for (const KeptRank& one : kept_) {
    words.push_back(one.rank);
    Outlines outlines;
    for (const auto& [id, saved] : one.saved) outlines[id] = {saved.bytes(), saved.part};
    append(words, outlines);
  }
  append(words, mine());
  return words;
}

Status Redistribution::hear(std::uint32_t former_ranks) {
  PSNAM_TRY(const auto all, team_.gather_words(words()));
  former_.resize(former_ranks);
  keeper_.resize(former_ranks);
  for (std::uint32_t process = 0; process < all.size(); ++process) {
    std::span<const std::uint64_t> words = all[process];
    std::uint64_t left = words.front();
    for (words = words.subspan(1); left > 0; --left) {
      const auto rank = static_cast<std::uint32_t>(words.front());
      words = words.subspan(1);
      former_[rank] = take(words);
      keeper_[rank] = process;
    }
    wanted_.push_back(take(words));
  }
  return {};
}

const Redistribution::Outline* Redistribution::saved(std::uint32_t rank, std::uint64_t id) const {
  const auto found = former_[rank].find(id);
  return found == former_[rank].end() ? nullptr : &found->second;
}

// ---- Whether it is possible ----

bool Redistribution::stays(std::uint32_t process, std::uint64_t id) const {
  if (!same_number()) return false;
  const Outline* const before = saved(process, id);
  return wanted_[process].at(id).part.share == Share::own || (before != nullptr && before->part.share == Share::own);
}

Status Redistribution::check() const {
  for (const auto& [id, outline] : wanted_[static_cast<std::size_t>(team_.rank())]) PSNAM_CHECK(check_one(id, outline));
  for (std::uint32_t rank = 0; rank < former_.size(); ++rank)
    for (const auto& [id, outline] : former_[rank])
      if (!is_wanted(rank, id, outline))
        return size_error(fmt::format("region {} of {} bytes was saved and is not registered", id, outline.bytes));
  return {};
}

/// What a rank has alone, by that rank.
bool Redistribution::is_wanted(std::uint32_t rank, std::uint64_t id, const Outline& outline) const {
  if (same_number() && outline.part.share == Share::own) return wanted_[rank].contains(id);
  return std::ranges::any_of(wanted_, [id](const Outlines& one) { return one.contains(id); });
}

Status Redistribution::check_one(std::uint64_t id, const Outline& outline) const {
  const auto me = static_cast<std::uint32_t>(team_.rank());
  if (stays(me, id)) {
    const Outline* const before = saved(me, id);
    if (before == nullptr)
      return size_error(fmt::format("region {} of {} bytes is registered and was not saved", id, outline.bytes));
    if (before->bytes == outline.bytes || registered_.any_size.contains(id)) return {};
    return size_error(fmt::format("region {} had {} bytes when it was saved and is registered with {}", id,
                                  before->bytes, outline.bytes));
  }
  bool was_saved = false;
  bool is_own = outline.part.share == Share::own;
  for (std::uint32_t rank = 0; rank < former_.size(); ++rank) {
    const Outline* const before = saved(rank, id);
    was_saved = was_saved || before != nullptr;
    is_own = is_own || (before != nullptr && before->part.share == Share::own);
  }
  if (!was_saved)
    return size_error(fmt::format("region {} of {} bytes is registered and was not saved", id, outline.bytes));
  if (is_own)
    return size_error(
        fmt::format("region {} is of each rank alone; {} ranks saved it and this job has {}: only parts "
                    "of arrays and what is the same on all ranks go over to another number",
                    id, former_.size(), wanted_.size()));
  return outline.part.share == Share::part ? check_part(id, outline) : check_shared(id, outline);
}

Status Redistribution::check_part(std::uint64_t id, const Outline& outline) const {
  for (std::uint32_t rank = 0; rank < former_.size(); ++rank) {
    const Outline* const before = saved(rank, id);
    if (before == nullptr || before->part.same_array(outline.part)) continue;
    return size_error(fmt::format("region {} is registered as a part of {}, and rank {} saved {}", id,
                                  outline.part.array(), rank,
                                  before->part.share == Share::part ? fmt::format("a part of {}", before->part.array())
                                                                    : "what is the same on all ranks"));
  }
  const Box missing = plan_of(id, outline).missing;
  if (missing.empty()) return {};
  return size_error(fmt::format("region {}: no rank has saved the elements from ({}) on", id,
                                fmt::join(first_element(missing), ", ")));
}

Status Redistribution::check_shared(std::uint64_t id, const Outline& outline) const {
  for (std::uint32_t rank = 0; rank < former_.size(); ++rank) {
    const Outline* const before = saved(rank, id);
    if (before == nullptr) continue;
    if (before->part.share != Share::shared)
      return size_error(fmt::format("region {} is registered as the same on all ranks, and rank {} saved a part of {}",
                                    id, rank, before->part.array()));
    if (before->bytes != outline.bytes && !registered_.any_size.contains(id))
      return size_error(fmt::format("region {} had {} bytes when it was saved and is registered with {}", id,
                                    before->bytes, outline.bytes));
  }
  return {};
}

// ---- What goes where ----

FetchPlan Redistribution::plan_of(std::uint64_t id, const Outline& outline) const {
  std::vector<Box> sources(former_.size(), Box(outline.part.extents.size()));
  for (std::uint32_t rank = 0; rank < former_.size(); ++rank)
    if (const Outline* const before = saved(rank, id)) sources[rank] = box_of(before->part);
  return plan_fetches(box_of(outline.part), sources);
}

/// What a process keeps itself need not be sent.
std::uint32_t Redistribution::source_of_shared(std::uint32_t process, std::uint64_t id) const {
  std::uint32_t first = 0;
  for (std::uint32_t rank = static_cast<std::uint32_t>(former_.size()); rank-- > 0;) {
    if (saved(rank, id) == nullptr) continue;
    if (keeper_[rank] == process) return rank;
    first = rank;
  }
  return first;
}

std::vector<Redistribution::Transfer> Redistribution::transfers_to(std::uint32_t process) const {
  std::vector<Transfer> transfers;
  for (const auto& [id, outline] : wanted_[process]) {
    if (stays(process, id))
      transfers.push_back({id, process, {}});
    else if (outline.part.share == Share::shared)
      transfers.push_back({id, source_of_shared(process, id), {}});
    else
      for (Fetch& fetch : plan_of(id, outline).fetches)
        transfers.push_back({id, static_cast<std::uint32_t>(fetch.source), std::move(fetch.box)});
  }
  return transfers;
}

const Saved& Redistribution::kept(std::uint32_t rank, std::uint64_t id) const {
  return std::ranges::find(kept_, rank, &KeptRank::rank)->saved.at(id);
}

void Redistribution::fill(Exchange& exchange) {
  const auto me = static_cast<std::uint32_t>(team_.rank());
  for (std::uint32_t process = 0; process < wanted_.size(); ++process) {
    for (const Transfer& one : transfers_to(process)) {
      const Outline& before = *saved(one.rank, one.id);
      const auto runs = [&](const Part& part) { return one.box.empty() ? Runs{before.bytes} : Runs{part, one.box}; };
      if (keeper_[one.rank] == me) {
        const Saved& here = kept(one.rank, one.id);
        exchange.send(process, {here.whole, here.rest}, runs(before.part));
      }
      if (process != me) continue;
      std::span<std::byte> region = registered_.regions.at(one.id);
      if (registered_.any_size.contains(one.id)) {
        taken_[one.id].resize(before.bytes);
        region = taken_[one.id];
      }
      exchange.receive(keeper_[one.rank], region, runs(wanted_[me].at(one.id).part));
    }
  }
}

Status Redistribution::carry_out() {
  Exchange exchange{team_};
  const Status prepared = locally([&]() -> Status {
    fill(exchange);
    return {};
  });
  PSNAM_CHECK(team_.agree(prepared));
  return exchange.carry_out();
}

}  // namespace psnam::checkpoint
