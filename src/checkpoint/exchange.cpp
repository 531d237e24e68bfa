#include "checkpoint/exchange.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

namespace psnam::checkpoint {
namespace {

/// That a process sends in a round, to all others together.
constexpr std::uint64_t kRoundBytes = 32 << 20;
constexpr std::uint64_t kLeastBytes = 1 << 10;  // to one of them; of all together an int tells the place

/// Lets `each` work on as many bytes of the items as `bytes` has room for, from `at` on.
template <class Item, class Byte, class Each>
void stream(std::vector<Item>& items, std::size_t& at, std::span<Byte> bytes, Each each) {
  while (!bytes.empty()) {
    Item& item = items[at];
    if (item.runs.left() == 0) {
      ++at;
      continue;
    }
    const Run run = item.runs.next(bytes.size());
    each(item, run.offset, bytes.first(run.bytes));
    bytes = bytes.subspan(run.bytes);
  }
}

/// The one process that a round's bytes go to, or come from; none if there are several, or no bytes.
std::optional<std::size_t> only_one(const std::vector<int>& bytes) {
  const auto has_bytes = [](int one) { return one != 0; };
  if (std::ranges::count_if(bytes, has_bytes) != 1) return {};
  return std::ranges::find_if(bytes, has_bytes) - bytes.begin();
}

/// The next bytes of the items, of which there are as many; null where they do not lie together. Taken only then.
template <class Item>
auto take_in_place(std::vector<Item>& items, std::size_t& at, std::uint64_t bytes) {
  while (items[at].runs.left() == 0) ++at;
  Item& item = items[at];
  Runs after = item.runs;
  const Run run = after.next(bytes);
  auto place = item.in_place(run);
  if (run.bytes < bytes) place = {};
  if (!place.empty()) item.runs = std::move(after);
  return place;
}

std::size_t sum_of(const std::vector<int>& bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), std::size_t{0});
}

}  // namespace

std::span<const std::byte> TwoPieces::in_place(const Run& run) const {
  if (run.offset >= first.size()) return second.subspan(run.offset - first.size(), run.bytes);
  if (run.bytes > first.size() - run.offset) return {};
  return first.subspan(run.offset, run.bytes);
}

void TwoPieces::copy(std::uint64_t offset, std::span<std::byte> to) const {
  if (offset < first.size()) {
    const auto now = first.subspan(offset, std::min<std::uint64_t>(to.size(), first.size() - offset));
    std::memcpy(to.data(), now.data(), now.size());
    offset += now.size();
    to = to.subspan(now.size());
    if (to.empty()) return;
  }
  std::memcpy(to.data(), second.data() + (offset - first.size()), to.size());
}

void Exchange::send(std::uint32_t to, const TwoPieces& memory, Runs runs) {
  pairs_[to].to_send += runs.left();
  pairs_[to].outgoing.push_back({memory, std::move(runs)});
}

void Exchange::receive(std::uint32_t from, std::span<std::byte> memory, Runs runs) {
  pairs_[from].to_receive += runs.left();
  pairs_[from].incoming.push_back({memory, std::move(runs)});
}

/// How much of each pair there is in it.
Exchange::Round Exchange::next_round() const {
  const std::uint64_t most = std::max(kLeastBytes, kRoundBytes / pairs_.size());
  Round round;
  for (const Pair& pair : pairs_) {
    round.sent.push_back(static_cast<int>(std::min(most, pair.to_send)));
    round.received.push_back(static_cast<int>(std::min(most, pair.to_receive)));
  }
  return round;
}

void Exchange::pack(Round& round) {
  if (const auto to = only_one(round.sent)) {
    Pair& pair = pairs_[*to];
    const auto bytes = static_cast<std::uint64_t>(round.sent[*to]);
    round.out = take_in_place(pair.outgoing, pair.sent, bytes);
    if (!round.out.empty()) {
      pair.to_send -= bytes;
      return;
    }
  }
  packed_.resize(std::max(packed_.size(), sum_of(round.sent)));
  std::span<std::byte> place = std::span{packed_}.first(sum_of(round.sent));
  round.out = place;
  for (std::size_t one = 0; one < pairs_.size(); ++one) {
    Pair& pair = pairs_[one];
    const auto bytes = static_cast<std::size_t>(round.sent[one]);
    stream(pair.outgoing, pair.sent, place.first(bytes),
           [](const Outgoing& item, std::uint64_t at, std::span<std::byte> to) { item.memory.copy(at, to); });
    pair.to_send -= bytes;
    place = place.subspan(bytes);
  }
}

void Exchange::make_room(Round& round) {
  if (const auto from = only_one(round.received)) {
    Pair& pair = pairs_[*from];
    const auto bytes = static_cast<std::uint64_t>(round.received[*from]);
    round.in = take_in_place(pair.incoming, pair.received, bytes);
    round.received_in_place = !round.in.empty();
    if (round.received_in_place) {
      pair.to_receive -= bytes;
      return;
    }
  }
  got_.resize(std::max(got_.size(), sum_of(round.received)));
  round.in = std::span{got_}.first(sum_of(round.received));
}

void Exchange::unpack(const Round& round) {
  if (round.received_in_place) return;
  std::span<const std::byte> place{round.in};
  for (std::size_t one = 0; one < pairs_.size(); ++one) {
    Pair& pair = pairs_[one];
    const auto bytes = static_cast<std::size_t>(round.received[one]);
    stream(pair.incoming, pair.received, place.first(bytes),
           [](const Incoming& item, std::uint64_t at, std::span<const std::byte> from) {
             std::memcpy(item.memory.data() + at, from.data(), from.size());
           });
    pair.to_receive -= bytes;
    place = place.subspan(bytes);
  }
}

Status Exchange::carry_out() {
  while (true) {
    Round round;
    const Status packed = locally([&]() -> Status {
      round = next_round();
      pack(round);
      make_room(round);
      return {};
    });
    PSNAM_CHECK(team_.agree(packed));
    PSNAM_TRY(const bool done, team_.everywhere(round.out.empty() && round.in.empty()));
    if (done) return {};
    PSNAM_CHECK(team_.exchange(round.out, round.sent, round.in, round.received));
    unpack(round);
  }
}

}  // namespace psnam::checkpoint
