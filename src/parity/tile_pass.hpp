// A pass that processes make together: at each position some of them add a piece of their own to the sums of that
// position, and then some take a sum away. The sums of the positions that are worked on lie in tiles of the area, which
// are few enough to stay in the caches.
//
// Why it works. A tile belongs to the positions that leave the same rest by the number of tiles, one after the other.
// Its state is one word: position, pieces done, and who holds it. Whoever finds a position at which it has something to
// do, and nobody holding the tile, takes it by a compare-and-swap, works, and stores the next state, which releases
// what it wrote. The order of the pieces does not matter, so nobody waits for a certain one, but for who closes a
// position, who wants to be the last: a process waits only when every tile is held by somebody or needs others first.
// Each begins at another tile, so they meet rarely. Who adds the last piece finishes the position; who takes the last
// sum, or finishes where nobody takes, hands the tile to its next position. One that dies holding a tile stops the
// others at their deadline; they name it.
#pragma once

#include <cstdint>
#include <span>

#include "parity/area.hpp"
#include "parity/team.hpp"

namespace psnam::parity {

/// What there is to do at a position: by this process, and by all.
struct Part {
  std::uint32_t adds = 0;
  std::uint32_t takes = 0;
  std::uint32_t all_add = 0;
  std::uint32_t all_take = 0;
  bool closes = false;  ///< this process adds when all others have; one for each position at most
};

/// The tile of one position.
struct Sums {
  std::uint64_t position = 0;
  std::span<std::byte* const> blocks;  ///< as many as there are parities
  format::ParityTile& tile;
  bool last = false;  ///< what is added now is all that is missing
};

/// What a process brings to a pass. Each function but expects() is called holding the tile.
class Share {
 public:
  virtual ~Share() = default;

  [[nodiscard]] virtual std::uint64_t positions() const = 0;
  /// The same all_add and all_take in every process.
  [[nodiscard]] virtual Part part(std::uint64_t position) = 0;
  /// Adds everything of this process; `sums.tile.filled` says whether the sums are something yet.
  [[nodiscard]] virtual Status add(const Sums& sums) = 0;
  [[nodiscard]] virtual Status take(const Sums& sums) = 0;
  /// For who closes a position: adds everything of this process and takes what it takes.
  [[nodiscard]] virtual Status close(const Sums& sums) {
    PSNAM_CHECK(add(sums));
    return take(sums);
  }
  /// Whether `member` adds something, for messages.
  [[nodiscard]] virtual bool expects(std::uint32_t member, std::uint64_t position) = 0;
};

/// Does all that this member has to do in the pass. An error of the share is handed on when the others have been told.
[[nodiscard]] Status run_pass(const Area& area, const Attempt& attempt, std::uint32_t member, Share& share,
                              Deadline deadline);

}  // namespace psnam::parity
