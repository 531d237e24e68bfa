// The services that a window lies in, as one process sits at them: the store of its node, and NAMs. It has a seat at
// those of them that hold a part of the window.
#pragma once

#include <cstdint>
#include <span>

#include "format/catalog.hpp"
#include "nam/service.hpp"
#include "sync/team.hpp"
#include "win/job.hpp"

namespace psnam::win {

struct Seat {
  nam::Service* service = nullptr;
  std::uint32_t node = 0;  ///< of the service in the record
  bool speaks = false;     ///< it asks, and ends the use, for all processes that share the service
  std::uint64_t window_id = 0;
  std::uint64_t use_id = 0;
};

/// The seat from which the regions of record node `node` are reached; null if there is none.
[[nodiscard]] inline const Seat* seat_at(std::span<const Seat> seats, std::uint32_t node) noexcept {
  for (const Seat& seat : seats)
    if (seat.node == node) return &seat;
  return nullptr;
}

/// Takes from `part`, the record as the service of `seat` keeps it, what only that service knows: where its own part
/// lies.
inline void take_part(format::WindowRecord& whole, const Seat& seat, const format::WindowRecord& part) {
  for (std::size_t rank = 0; rank < whole.regions.size() && rank < part.regions.size(); ++rank)
    if (whole.regions[rank].node == seat.node) whole.regions[rank] = part.regions[rank];
}

/// Each rank learns from the leader of each of its seats the ids of window and use there. `places` are the job's, for
/// each node of the record. Collective over `ranks` ranks.
[[nodiscard]] Status learn_ids(sync::CommTeam& team, const Job& job, std::span<const std::uint32_t> places, int ranks,
                               std::span<Seat> seats);

/// Ends the uses that this process speaks for. The first error.
[[nodiscard]] Status close_uses(std::span<const Seat> seats);

}  // namespace psnam::win
