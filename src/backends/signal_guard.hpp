// Libraries that libfabric brings along replace signal handlers and read the environment when they are loaded. What
// they do to the handlers is undone.
#pragma once

#include <array>
#include <csignal>

namespace psnam::backends {

/// Notes how every signal is handled, and puts it back when it goes.
class SignalGuard {
 public:
  SignalGuard() noexcept {
    for (int signal = 1; signal < NSIG; ++signal)
      known_[index(signal)] = ::sigaction(signal, nullptr, &actions_[index(signal)]) == 0;
  }
  SignalGuard(const SignalGuard&) = delete;
  SignalGuard& operator=(const SignalGuard&) = delete;
  ~SignalGuard() {
    for (int signal = 1; signal < NSIG; ++signal) {
      if (!known_[index(signal)] || signal == SIGKILL || signal == SIGSTOP) continue;
      // Only what has changed is put back: a handler that somebody else sets meanwhile is lost otherwise too often.
      struct sigaction now {};
      const struct sigaction& before = actions_[index(signal)];
      if (::sigaction(signal, nullptr, &now) == 0 && !same(now, before)) ::sigaction(signal, &before, nullptr);
    }
  }

 private:
  static std::size_t index(int signal) noexcept { return static_cast<std::size_t>(signal); }
  static bool same(const struct sigaction& one, const struct sigaction& other) noexcept {
    if (one.sa_flags != other.sa_flags) return false;
    return (one.sa_flags & SA_SIGINFO) != 0 ? one.sa_sigaction == other.sa_sigaction
                                            : one.sa_handler == other.sa_handler;
  }

  std::array<struct sigaction, NSIG> actions_{};
  std::array<bool, NSIG> known_{};
};

}  // namespace psnam::backends
