#include "parity/team.hpp"

#include <fmt/format.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <climits>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace psnam::parity {
namespace {

constexpr int kLooks = 100;  // a neighbour on another processor is through with a block in a few microseconds
constexpr int kYields = 20;  // one that waits for this processor
constexpr long kSleepNs = 20'000'000;

void pause() noexcept {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

void sleep_on(const std::atomic<std::uint32_t>& word, std::uint32_t seen) noexcept {
  const timespec limit{0, kSleepNs};
  ::syscall(SYS_futex, &word, FUTEX_WAIT, seen, &limit, nullptr, 0);
}

/// True once `events` is not `seen` any more.
bool look_for_change(const std::atomic<std::uint32_t>& events, std::uint32_t seen) noexcept {
  for (int look = 0; look < kLooks; ++look) {
    if (events.load(std::memory_order_acquire) != seen) return true;
    pause();
  }
  for (int turn = 0; turn < kYields; ++turn) {
    ::sched_yield();
    if (events.load(std::memory_order_acquire) != seen) return true;
  }
  return false;
}

}  // namespace

void reset_tiles(const Area& area) noexcept {
  for (std::uint32_t index = 0; index < area.shape().window(); ++index) {
    format::ParityTile& tile = area.tile(index);
    for (auto& word : tile.seen) word.store(0);
    tile.damaged = tile.filled = 0;
    tile.state.store(format::ParityTileState{index, 0, 0}.encode());
  }
}

void Team::notify() const noexcept {
  format::ParityTeam& team = area_.team();
  team.events.fetch_add(1);
  if (team.sleepers.load() != 0) ::syscall(SYS_futex, &team.events, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void Team::arrive(std::uint32_t member, Stage stage) const noexcept {
  area_.seat(member).arrived[static_cast<std::size_t>(stage)].store(attempt_.number);
  notify();
}

bool Team::has_arrived(std::uint32_t member, Stage stage) const noexcept {
  return area_.seat(member).arrived[static_cast<std::size_t>(stage)].load() == attempt_.number;
}

Status Team::still_on() const {
  const format::ParityTeam& team = area_.team();
  if (const std::uint64_t now = team.attempt.load(); now != attempt_.number)
    return Error{psnam::Code::sync, fmt::format("attempt {} at version {} of parity area '{}' is over: {} is under way",
                                                attempt_.number, attempt_.version, area_.name(), now)};
  if (const std::uint32_t who = team.given_up.load(); who != 0)
    return Error{psnam::Code::peer_lost, fmt::format("member {} gave up attempt {} at version {} of parity area '{}'",
                                                     who - 1, attempt_.number, attempt_.version, area_.name())};
  return {};
}

Error Team::give_up(std::uint32_t member, Error error) const noexcept {
  format::ParityTeam& team = area_.team();
  // Only of the attempt that it belongs to, and only the first.
  std::uint32_t nobody = 0;
  if (team.attempt.load() == attempt_.number) team.given_up.compare_exchange_strong(nobody, member + 1);
  notify();
  return error;
}

Status Team::await(Deadline deadline, const std::function<bool()>& ready,
                   const std::function<std::string()>& whom) const {
  format::ParityTeam& team = area_.team();
  for (;;) {
    const std::uint32_t seen = team.events.load();
    if (ready()) return {};
    PSNAM_CHECK(still_on());
    if (std::chrono::steady_clock::now() >= deadline)
      return Error{psnam::Code::peer_lost,
                   fmt::format("the time for version {} of parity area '{}' is over, waiting for {}", attempt_.version,
                               area_.name(), whom())};
    if (look_for_change(team.events, seen)) continue;
    team.sleepers.fetch_add(1);
    sleep_on(team.events, seen);
    team.sleepers.fetch_sub(1);
  }
}

Status Team::await_first(Stage stage, Deadline deadline) const {
  return await(
      deadline, [&] { return has_arrived(0, stage); }, [] { return std::string{"member 0"}; });
}

Status Team::await_all(Stage stage, Deadline deadline) const {
  const std::uint32_t members = area_.shape().members;
  std::uint32_t next = 0;  // everybody before it was seen to be there
  return await(
      deadline,
      [&] {
        while (next < members && has_arrived(next, stage)) ++next;
        return next == members;
      },
      [&] {
        std::string missing;
        for (std::uint32_t member = next; member < members; ++member)
          if (!has_arrived(member, stage)) missing += fmt::format("{}{}", missing.empty() ? "member " : ", ", member);
        return missing;
      });
}

}  // namespace psnam::parity
