#include "checkpoint/exchange.hpp"

#include <algorithm>
#include <cstring>

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

}  // namespace

void TwoPieces::copy(std::uint64_t offset, std::span<std::byte> to) const {
  if (offset < first.size()) {
    const auto now = first.subspan(offset, std::min<std::uint64_t>(to.size(), first.size() - offset));
    std::ranges::copy(now, to.begin());
    offset += now.size();
    to = to.subspan(now.size());
    if (to.empty()) return;
  }
  std::ranges::copy(second.subspan(offset - first.size(), to.size()), to.begin());
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
  std::size_t out = 0, in = 0;
  for (const Pair& pair : pairs_) {
    round.sent.push_back(static_cast<int>(std::min(most, pair.to_send)));
    round.received.push_back(static_cast<int>(std::min(most, pair.to_receive)));
    out += static_cast<std::size_t>(round.sent.back());
    in += static_cast<std::size_t>(round.received.back());
  }
  round.out.resize(out);
  round.in.resize(in);
  return round;
}

void Exchange::pack(Round& round) {
  std::span<std::byte> place{round.out};
  for (std::size_t one = 0; one < pairs_.size(); ++one) {
    Pair& pair = pairs_[one];
    const auto bytes = static_cast<std::size_t>(round.sent[one]);
    stream(pair.outgoing, pair.sent, place.first(bytes),
           [](const Outgoing& item, std::uint64_t at, std::span<std::byte> to) { item.memory.copy(at, to); });
    pair.to_send -= bytes;
    place = place.subspan(bytes);
  }
}

void Exchange::unpack(const Round& round) {
  std::span<const std::byte> place{round.in};
  for (std::size_t one = 0; one < pairs_.size(); ++one) {
    Pair& pair = pairs_[one];
    const auto bytes = static_cast<std::size_t>(round.received[one]);
    stream(pair.incoming, pair.received, place.first(bytes),
           [](const Incoming& item, std::uint64_t at, std::span<const std::byte> from) {
             std::ranges::copy(from, item.memory.begin() + static_cast<std::ptrdiff_t>(at));
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
