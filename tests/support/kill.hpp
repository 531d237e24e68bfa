// A death at an instant that nobody chose.
#pragma once

#include <signal.h>
#include <time.h>

namespace psnam::test {

/// Has the kernel kill this process `nanoseconds` from now.
inline bool kill_me_after(long nanoseconds) {
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGKILL;
  timer_t timer{};
  const itimerspec when{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = nanoseconds}};
  return ::timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && ::timer_settime(timer, 0, &when, nullptr) == 0;
}

}  // namespace psnam::test
