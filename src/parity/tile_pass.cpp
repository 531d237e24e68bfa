#include "parity/tile_pass.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

#include "parity/joining.hpp"

namespace psnam::parity {
namespace {

using format::ParityTileState;

class Pass {
 public:
  Pass(const Area& area, const Attempt& attempt, std::uint32_t member, Share& share)
      : area_{area}, team_{area, attempt}, member_{member}, share_{share}, window_{area.shape().window()} {
    for (std::uint32_t index = 0; index < window_; ++index) {
      places_[index].position = index;
      find_work(places_[index]);
    }
    // Members begin evenly spread over the tiles.
    next_ = static_cast<std::uint32_t>(std::uint64_t{member} * window_ / area.shape().members) % window_;
  }

  Status run(Deadline deadline) {
    while (left_ != 0) {
      PSNAM_TRY(const bool worked, look_around());
      if (worked) {
        if (++worked_ % kLooksAtTeam == 0) PSNAM_CHECK(team_.still_on());
        continue;
      }
      Status failed;
      PSNAM_CHECK(team_.await(
          deadline,
          [&] {
            auto done = look_around();
            if (!done) failed = done.take_error();
            return !failed || *done;
          },
          [&] { return waited_for(); }));
      PSNAM_CHECK(std::move(failed));
    }
    return {};
  }

 private:
  /// What this member does next at a tile.
  struct Place {
    std::uint64_t position = 0;
    Part part;
    bool over = true;
  };

  void find_work(Place& place) {
    if (!place.over) --left_;
    place.over = true;
    for (; place.position < share_.positions(); place.position += window_) {
      place.part = share_.part(place.position);
      if (place.part.adds + place.part.takes == 0) continue;
      place.over = false;
      ++left_;
      return;
    }
  }

  /// Works on one tile, if there is one that can be worked on.
  Result<bool> look_around() {
    for (std::uint32_t count = 0; count < window_; ++count) {
      const std::uint32_t index = (next_ + count) % window_;
      if (places_[index].over) continue;
      PSNAM_TRY(const bool worked, try_tile(index));
      if (!worked) continue;
      next_ = (index + 1) % window_;
      return true;
    }
    return false;
  }

  Result<bool> try_tile(std::uint32_t index) {
    Place& place = places_[index];
    format::ParityTile& tile = area_.tile(index);
    std::uint64_t word = tile.state.load(std::memory_order_acquire);
    ParityTileState state = ParityTileState::decode(word);
    if (state.stripe != place.position || state.holder != 0) return false;
    const bool adds = place.part.adds != 0;
    // Who takes, and who closes, comes after all that the others add.
    const std::uint32_t before = place.part.all_add - (place.part.closes ? place.part.adds : 0);
    if ((!adds || place.part.closes) && state.done < before) return false;
    state.holder = static_cast<std::uint16_t>(member_ + 1);
    if (!tile.state.compare_exchange_strong(word, state.encode(), std::memory_order_acq_rel)) return false;
    std::array<std::byte*, format::kParityMaxPieces> blocks{};
    for (std::uint32_t output = 0; output < area_.shape().parities; ++output)
      blocks[output] = area_.tile_block(index, output);
    const Sums sums{place.position,
                    {blocks.data(), area_.shape().parities},
                    tile,
                    state.done + place.part.adds == place.part.all_add};
    const bool takes = !adds || place.part.closes;
    Status worked = !adds ? share_.take(sums) : takes ? share_.close(sums) : share_.add(sums);
    if (!worked) return team_.give_up(member_, worked.take_error());
    if (adds) note_added(tile, state, place.part);
    if (takes) state.done = static_cast<std::uint16_t>(state.done + place.part.takes);
    release(tile, state, place.part);
    if (adds) place.part.adds = 0;
    if (takes) place.part.takes = 0;
    if (place.part.takes == 0) {
      place.position += window_;
      find_work(place);
    }
    return true;
  }

  void note_added(format::ParityTile& tile, ParityTileState& state, const Part& part) const noexcept {
    tile.seen[member_ / 64].fetch_or(std::uint64_t{1} << member_ % 64, std::memory_order_relaxed);
    state.done = static_cast<std::uint16_t>(state.done + part.adds);
  }

  void release(format::ParityTile& tile, ParityTileState state, const Part& part) const noexcept {
    state.holder = 0;
    if (state.done >= part.all_add + part.all_take) {
      for (auto& seen : tile.seen) seen.store(0, std::memory_order_relaxed);
      tile.damaged = tile.filled = 0;
      state.stripe += window_;
      state.done = 0;
    }
    tile.state.store(state.encode(), std::memory_order_release);
    team_.notify();
  }

  /// Who keeps this member from going on, at the tile that is furthest behind.
  std::string waited_for() {
    std::optional<std::uint32_t> oldest;
    ParityTileState state;
    for (std::uint32_t index = 0; index < window_; ++index) {
      const auto found = ParityTileState::decode(area_.tile(index).state.load());
      if (places_[index].over || (oldest && found.stripe >= state.stripe)) continue;
      oldest = index;
      state = found;
    }
    if (!oldest) return "nobody";
    if (state.holder != 0) return fmt::format("member {}, which works on stripe {}", state.holder - 1, state.stripe);
    std::string text;
    for (std::uint32_t member = 0; member < area_.shape().members; ++member) {
      const std::uint64_t seen = area_.tile(*oldest).seen[member / 64].load() >> member % 64;
      if ((seen & 1) == 0 && share_.expects(member, state.stripe))
        text += fmt::format("{}{}", text.empty() ? "member " : ", ", member);
    }
    return fmt::format("{} at stripe {}", text.empty() ? "those who take" : text, state.stripe);
  }

  const Area& area_;
  Team team_;
  std::uint32_t member_;
  Share& share_;
  std::uint32_t window_;
  std::array<Place, format::kParityWindow> places_{};
  std::uint32_t next_ = 0;
  std::uint32_t left_ = 0;  ///< places that are not over
  std::uint64_t worked_ = 0;
};

}  // namespace

Status run_pass(const Area& area, const Attempt& attempt, std::uint32_t member, Share& share, Deadline deadline) {
  Pass pass{area, attempt, member, share};
  Status done = pass.run(deadline);
  if (done) return {};
  return Team{area, attempt}.give_up(member, done.take_error());
}

}  // namespace psnam::parity
