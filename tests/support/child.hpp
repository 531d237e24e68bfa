// Forked children of a test: what they do, and how they ended.
#pragma once

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace psnam::test {

/// A forked child that runs `body` and exits with what it returns. Killed and waited for by the destructor.
class Child {
 public:
  template <class Body>
  explicit Child(Body body) : pid_{::fork()} {
    // _exit: the child must not run what the parent registered for its own end.
    if (pid_ == 0) ::_exit(body());
  }
  Child(Child&& other) noexcept : pid_{std::exchange(other.pid_, -1)} {}
  Child& operator=(Child&&) = delete;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) {
      kill();
      wait();
    }
  }

  [[nodiscard]] pid_t pid() const noexcept { return pid_; }
  void kill() const { ::kill(pid_, SIGKILL); }
  /// The exit status, or minus the signal.
  int wait() {
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return -1000;
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  /// Waits until the child has ended, and leaves it a zombie.
  void wait_until_zombie() const {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT);
  }

 private:
  pid_t pid_;
};

/// A pipe by which processes wait for each other.
class Signal {
 public:
  Signal() {
    if (::pipe(ends_) != 0) std::abort();
  }
  Signal(const Signal&) = delete;
  Signal& operator=(const Signal&) = delete;
  ~Signal() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void give() const {
    if (::write(ends_[1], "x", 1) != 1) std::abort();
  }
  void await() const {
    char byte = 0;
    if (::read(ends_[0], &byte, 1) != 1) std::abort();
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace psnam::test
