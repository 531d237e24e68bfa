// How the processes of one attempt wait for each other, in the memory of the area. Whoever waits looks for a moment,
// lets others run, and then sleeps on the count of events, which every change that somebody may wait for adds to; a
// sleeper announces itself before the kernel compares the count, so no event is missed. Sleeps are short: a sleeper
// looks again at its deadline, and at whether somebody gave up. A process that was killed leaves at worst a count of
// sleepers that is too high, which costs a system call for each event until the next attempt begins.
#pragma once

#include <functional>

#include "parity/area.hpp"

namespace psnam::parity {

/// Index into ParitySeat::arrived.
enum class Stage : std::size_t { joined = 0, checked = 1, done = 2, ready = 3 };

/// Puts the stripes in front of the members as before the first.
void reset_tiles(const Area& area) noexcept;

class Team {
 public:
  Team(const Area& area, const Attempt& attempt) noexcept : area_{area}, attempt_{attempt} {}

  /// Something changed that somebody may wait for.
  void notify() const noexcept;
  /// This member is that far; what it wrote before is seen by who finds it so.
  void arrive(std::uint32_t member, Stage stage) const noexcept;
  /// Waits until every member is.
  [[nodiscard]] Status await_all(Stage stage, Deadline deadline) const;
  /// Waits until member 0 is.
  [[nodiscard]] Status await_first(Stage stage, Deadline deadline) const;
  /// Waits until `ready`; `whom` says what is waited for, for the message.
  [[nodiscard]] Status await(Deadline deadline, const std::function<bool()>& ready,
                             const std::function<std::string()>& whom) const;
  /// Code::sync if the attempt is not under way any more, Code::peer_lost if a member has failed in it.
  [[nodiscard]] Status still_on() const;
  /// Tells the others that `member` failed; hands the error on.
  [[nodiscard]] Error give_up(std::uint32_t member, Error error) const noexcept;

 private:
  [[nodiscard]] bool has_arrived(std::uint32_t member, Stage stage) const noexcept;

  const Area& area_;
  Attempt attempt_;
};

}  // namespace psnam::parity
