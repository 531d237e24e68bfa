// Memory that stops whoever touches it, until the test lets him go on: so that what works in a thread of its own stands
// at a known place for as long as a test wants.
#pragma once

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <span>

namespace psnam::test {

/// One at a time. A thread that touches the memory while it is closed waits in a signal handler; its access is done
/// when the gate has been opened.
class GatedMemory {
 public:
  explicit GatedMemory(std::size_t bytes) : bytes_{bytes} {
    memory_ =
        static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (memory_ == MAP_FAILED || ::pipe(pipe_.data()) != 0) std::abort();
    current() = this;
    struct sigaction action {};
    action.sa_sigaction = wait_at_the_gate;
    action.sa_flags = SA_SIGINFO;
    if (::sigaction(SIGSEGV, &action, &before_) != 0) std::abort();
  }
  GatedMemory(const GatedMemory&) = delete;
  GatedMemory& operator=(const GatedMemory&) = delete;
  ~GatedMemory() {
    open();
    ::sigaction(SIGSEGV, &before_, nullptr);
    current() = nullptr;
    ::close(pipe_[0]);
    ::munmap(memory_, bytes_);
  }

  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {memory_, bytes_}; }
  /// Once.
  void close() noexcept { ::mprotect(memory_, bytes_, PROT_NONE); }
  void open() noexcept {
    if (opened_) return;
    opened_ = true;
    ::mprotect(memory_, bytes_, PROT_READ | PROT_WRITE);
    ::close(pipe_[1]);  // all who wait see the end of it
  }

 private:
  static GatedMemory*& current() noexcept {
    static GatedMemory* gate = nullptr;
    return gate;
  }
  static void wait_at_the_gate(int /*signal*/, siginfo_t* info, void* /*context*/) {
    const GatedMemory* const gate = current();
    const auto* const at = static_cast<std::byte*>(info->si_addr);
    char none = 0;
    if (gate != nullptr && at >= gate->memory_ && at < gate->memory_ + gate->bytes_) {
      while (::read(gate->pipe_[0], &none, 1) > 0) continue;
      return;
    }
    ::signal(SIGSEGV, SIG_DFL);  // as it would have been: the access is tried once more
  }

  std::byte* memory_;
  std::size_t bytes_;
  std::array<int, 2> pipe_{};
  bool opened_ = false;
  struct sigaction before_ {};
};

}  // namespace psnam::test
