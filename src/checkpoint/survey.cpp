#include "checkpoint/survey.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

namespace psnam::checkpoint {

const AreaTickets& Survey::areas(std::uint32_t set) const { return states_[series_.ranks_of(set).front()].areas; }

bool Survey::committed(const VersionKey& key, std::uint32_t set) const {
  const RankState& leader = states_[series_.ranks_of(set).front()];
  return std::ranges::find(leader.parities, key) != leader.parities.end();
}

bool Survey::has_copy(const VersionKey& key, std::uint32_t rank) const {
  return std::ranges::find(states_[rank].copies, key) != states_[rank].copies.end();
}

bool Survey::has_partner(const VersionKey& key, std::uint32_t rank) const {
  return std::ranges::find(states_[rank].partners, key) != states_[rank].partners.end();
}

std::vector<VersionKey> Survey::versions() const {
  std::vector<VersionKey> all;
  for (const RankState& state : states_) {
    std::ranges::copy_if(state.copies, std::back_inserter(all), &VersionKey::operator bool);
    std::ranges::copy_if(state.partners, std::back_inserter(all), &VersionKey::operator bool);
    std::ranges::copy_if(state.parities, std::back_inserter(all), &VersionKey::operator bool);
  }
  std::ranges::sort(all, std::greater{});
  const auto rest = std::ranges::unique(all);
  all.erase(rest.begin(), rest.end());
  return all;
}

bool Survey::confirmed(const VersionKey& key) const {
  for (const RankState& state : states_)
    for (std::size_t index = 0; index < state.copies.size(); ++index)
      if (state.copies[index] == key && (state.confirmed >> index & 1U) != 0) return true;
  return false;
}

Judgement Survey::judge(const VersionKey& key) const {
  Judgement judgement{.complete = true, .committed = true, .lost = {}, .fatal = {}};
  for (std::uint32_t set = 0; set < series_.sets; ++set) {
    std::vector<std::uint32_t> missing;
    for (const std::uint32_t rank : series_.ranks_of(set)) {
      if (has_copy(key, rank)) continue;
      judgement.lost.push_back(rank);
      if (!has_partner(key, rank)) missing.push_back(rank);
    }
    const bool has_parity = committed(key, set);
    judgement.committed = judgement.committed && has_parity;
    if (missing.empty() || (has_parity && missing.size() <= series_.parities)) continue;
    judgement.complete = false;
    judgement.fatal.insert(judgement.fatal.end(), missing.begin(), missing.end());
  }
  judgement.committed = judgement.committed || confirmed(key);
  return judgement;
}

std::vector<VersionKey> Survey::complete() const {
  std::vector<VersionKey> all = versions();
  std::erase_if(all, [this](const VersionKey& key) { return !judge(key).complete; });
  return all;
}

VersionKey Survey::newest() const {
  for (const VersionKey& key : versions())
    if (judge(key).complete) return key;
  return {};
}

VersionKey Survey::before(const VersionKey& key) const {
  for (const VersionKey& one : versions())
    if (one < key && judge(one).complete) return one;
  return {};
}

bool Survey::is_protected(const VersionKey& key) const {
  for (std::uint32_t set = 0; set < series_.sets && series_.parities != 0; ++set)
    if (!committed(key, set)) return false;
  for (std::uint32_t rank = 0; rank < series_.partner_of.size(); ++rank)
    if (series_.partner_of[rank] != rank && !has_partner(key, rank)) return false;
  return true;
}

VersionKey Survey::to_keep(const VersionKey& unusable) const {
  VersionKey key = newest();
  while (key) {
    const VersionKey older = before(key);
    if (!older || (key != unusable && (confirmed(key) || is_protected(key)))) break;
    key = older;
  }
  return key;
}

namespace {

std::string offer(const VersionKey& older) {
  return older ? fmt::format("version {} is complete and can be asked for", older.number)
               : "no older version is complete";
}

}  // namespace

/// Of the newest version, not even a trace.
Error Survey::all_lost() const {
  return Error{Code::peer_lost,
               fmt::format("version {} of the checkpoints \"{}\" cannot be had again: the data of all ranks are lost, "
                           "or most of them; {}",
                           series_.newest, series_.name, offer(newest()))};
}

Error Survey::lost(const VersionKey& key, const Judgement& judgement) const {
  const VersionKey older = before(key);
  return Error{
      Code::peer_lost,
      fmt::format("version {} of the checkpoints \"{}\" cannot be had again: the data of ranks {} are lost, and {}; {}",
                  key.number, series_.name, fmt::join(judgement.fatal, ", "),
                  series_.parities == 0 ? "so are the copies with their partners"
                                        : fmt::format("{} {} of a set can be made again at most", series_.parities,
                                                      series_.parities == 1 ? "rank" : "ranks"),
                  offer(older))};
}

Result<VersionKey> Survey::choose(std::uint64_t asked, bool or_older) const {
  for (const VersionKey& key : versions()) {
    if (asked != 0 && key.number != asked) continue;
    const Judgement judgement = judge(key);
    if (judgement.complete && asked == 0 && key.number < series_.newest && !or_older) return all_lost();
    if (judgement.complete) return key;
    // What was never committed everywhere is no version: a job died in the middle of it.
    if (judgement.committed && !or_older) return lost(key, judgement);
  }
  if (asked == 0 && series_.newest != 0) return all_lost();
  if (asked == 0) return VersionKey{};
  return Error{Code::name_not_found,
               fmt::format("there is no complete version {} of the checkpoints \"{}\"{}", asked, series_.name,
                           newest() ? fmt::format("; the newest is {}", newest().number) : "")};
}

std::uint64_t Survey::longest_bytes(std::uint32_t set) const {
  std::uint64_t longest = 0;
  for (const std::uint32_t rank : series_.ranks_of(set)) longest = std::max(longest, states_[rank].payload_bytes);
  return longest;
}

}  // namespace psnam::checkpoint
