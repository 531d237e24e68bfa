// Bytes from processes of a team to others of it, a bounded amount at a time: for what has to get to another node
// without the NAM. Both sides of a pair name the same bytes in the same order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/part.hpp"
#include "checkpoint/team.hpp"

namespace psnam::checkpoint {

/// Memory in two pieces, the second after the first.
struct TwoPieces {
  std::span<const std::byte> first{};
  std::span<const std::byte> second{};

  /// Bytes from `offset` on, which are there.
  void copy(std::uint64_t offset, std::span<std::byte> to) const;
  /// Likewise where they are; null if they are not in one piece.
  [[nodiscard]] std::span<const std::byte> in_place(const Run& run) const;
};

class Exchange {
 public:
  explicit Exchange(const Team& team) : team_{team}, pairs_(static_cast<std::size_t>(team.size())) {}

  /// What `runs` leads to in `memory`, which stays until carry_out() is done.
  void send(std::uint32_t to, const TwoPieces& memory, Runs runs);
  void receive(std::uint32_t from, std::span<std::byte> memory, Runs runs);
  /// Collective, once.
  Status carry_out();

 private:
  struct Outgoing {
    TwoPieces memory;
    Runs runs;
    [[nodiscard]] std::span<const std::byte> in_place(const Run& run) const { return memory.in_place(run); }
  };
  struct Incoming {
    std::span<std::byte> memory;
    Runs runs;
    [[nodiscard]] std::span<std::byte> in_place(const Run& run) const { return memory.subspan(run.offset, run.bytes); }
  };
  struct Pair {
    std::vector<Outgoing> outgoing;
    std::vector<Incoming> incoming;
    std::size_t sent = 0, received = 0;  ///< items
    std::uint64_t to_send = 0, to_receive = 0;
  };
  /// Of one call of the team, in the order of the processes.
  struct Round {
    std::vector<int> sent, received;
    std::span<const std::byte> out;
    std::span<std::byte> in;
    bool received_in_place = false;
  };
  [[nodiscard]] Round next_round() const;
  void pack(Round& round);
  void make_room(Round& round);
  void unpack(const Round& round);

  Team team_;
  std::vector<Pair> pairs_;              ///< for each process, what goes there and comes from there
  std::vector<std::byte> packed_, got_;  ///< of a round, where it is not taken from or put to its place
};

}  // namespace psnam::checkpoint
