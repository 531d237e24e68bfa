// What tests of window locks begin with: a page without a store, clients of it, and memory that processes share.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <new>
#include <thread>

#include "nam/store.hpp"
#include "nam/window_locks.hpp"

namespace psnam::test {

using nam::LockKind;
using nam::WindowLocks;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

class NoPoll final : public nam::Waiter {
 public:
  void poll() noexcept override {}
};

/// Says that somebody waits: it was polled.
class CountPolls final : public nam::Waiter {
 public:
  void poll() noexcept override { polls.fetch_add(1); }
  void await_a_poll() const {
    while (polls.load() == 0) std::this_thread::yield();
  }
  std::atomic<unsigned> polls{0};
};

constexpr auto kLimit = std::chrono::seconds{20};

/// Ends the process, and so the test, when a wait lasts too long.
class LimitedWaiter final : public nam::Waiter {
 public:
  void poll() noexcept override {
    if (Clock::now() - start_ < kLimit) return;
    std::fputs("a lock was not to be had in time\n", stderr);
    ::_exit(77);
  }

 private:
  Clock::time_point start_ = Clock::now();
};

/// The file of a page, in memory; forked children have it too.
class PageFile {
 public:
  explicit PageFile(std::uint32_t ranks) : ranks_{ranks}, fd_{::memfd_create("psnam-test-locks", MFD_CLOEXEC)} {
    if (!fd_.valid() || ::ftruncate(fd_.get(), static_cast<off_t>(format::LockShape::of(ranks).bytes())) != 0)
      throw std::bad_alloc{};
  }
  [[nodiscard]] Mapping map() const {
    auto mapping = Mapping::map(fd_.get(), format::LockShape::of(ranks_).bytes(), Protection::read_write, "locks");
    if (!mapping) throw std::bad_alloc{};
    return std::move(*mapping);
  }
  [[nodiscard]] Result<std::unique_ptr<WindowLocks>> try_attach() const {
    PSNAM_TRY(const auto process, nam::this_process(0));
    PSNAM_TRY(const auto boot, nam::this_boot());
    return WindowLocks::attach(map(), ranks_, process, boot);
  }
  /// A new client of the calling process.
  [[nodiscard]] std::unique_ptr<WindowLocks> attach() const {
    auto locks = try_attach();
    if (!locks) {
      ADD_FAILURE() << locks.error().message;
      std::abort();
    }
    return std::move(*locks);
  }

 private:
  std::uint32_t ranks_;
  Fd fd_;
};

/// A zeroed T that forked children share.
template <class T>
class Shared {
 public:
  Shared() : at_{::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)} {
    if (at_ == MAP_FAILED) throw std::bad_alloc{};
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(at_, sizeof(T)); }
  T* operator->() const noexcept { return static_cast<T*>(at_); }
  T& operator*() const noexcept { return *static_cast<T*>(at_); }

 private:
  void* at_;
};

}  // namespace psnam::test
