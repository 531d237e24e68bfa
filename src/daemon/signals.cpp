#include "daemon/signals.hpp"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

namespace psnam::daemon {

Result<Signals> Signals::take() {
  sigset_t set{};
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  if (const int error = ::pthread_sigmask(SIG_BLOCK, &set, nullptr); error != 0)
    return system_error("signals cannot be blocked", error);
  // A client that goes away while it is being answered is an error of write(2), not the end of the daemon.
  if (std::signal(SIGPIPE, SIG_IGN) == SIG_ERR) return system_error("SIGPIPE cannot be ignored", errno);
  Fd descriptor{::signalfd(-1, &set, SFD_CLOEXEC)};
  if (!descriptor.valid()) return system_error("signalfd", errno);
  return Signals{std::move(descriptor)};
}

Result<Wish> Signals::read() {
  signalfd_siginfo info{};
  ssize_t bytes = -1;
  do bytes = ::read(descriptor_.get(), &info, sizeof info);
  while (bytes < 0 && errno == EINTR);
  if (bytes != static_cast<ssize_t>(sizeof info)) return system_error("signals cannot be read", errno);
  return info.ssi_signo == static_cast<std::uint32_t>(SIGHUP) ? Wish::reread : Wish::end;
}

}  // namespace psnam::daemon
