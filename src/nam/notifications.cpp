#include "nam/notifications.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include "nam/lock_page.hpp"

namespace psnam::nam {
namespace {

using format::kNotifyCapacity;
using format::NotifyPage;

constexpr std::uint64_t kVersion = format::kNotifyMagic | std::uint64_t{format::kNotifyVersion} << 32;
/// Nobody holds the mutex longer than it takes to copy a word; who does, has been stopped.
constexpr time_t kMutexLimitSeconds = 10;
constexpr std::chrono::nanoseconds kLongestSleep = std::chrono::milliseconds{500};

pthread_mutex_t* mutex_of(NotifyPage& page) noexcept { return reinterpret_cast<pthread_mutex_t*>(page.mutex); }

Status make_mutex(NotifyPage& page) {
  pthread_mutexattr_t attributes;
  int error = ::pthread_mutexattr_init(&attributes);
  if (error == 0) error = ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  if (error == 0) error = ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  if (error == 0) error = ::pthread_mutex_init(mutex_of(page), &attributes);
  ::pthread_mutexattr_destroy(&attributes);
  if (error != 0) return system_error("making the mutex of an allocation's notifications", error);
  return {};
}

/// Until `deadline`, or for the longest sleep, or until `count` is not `seen` any more.
void sleep_on(const std::atomic<std::uint32_t>& count, std::uint32_t seen, Notifications::Clock::time_point deadline) {
  const auto left = std::chrono::nanoseconds{deadline - Notifications::Clock::now()};
  const auto limit = std::min<std::chrono::nanoseconds>(left, kLongestSleep);
  if (limit.count() > 0) futex_wait(count, seen, static_cast<long>(limit.count()));
}

}  // namespace

class Notifications::Lock {
 public:
  [[nodiscard]] static Result<Lock> take(NotifyPage& page) {
    timespec limit{};
    ::clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += kMutexLimitSeconds;
    int error = ::pthread_mutex_clocklock(mutex_of(page), CLOCK_MONOTONIC, &limit);
    // Its holder died; the queue is whole at every moment (see above).
    if (error == EOWNERDEAD) error = ::pthread_mutex_consistent(mutex_of(page));
    if (error != 0) return system_error("locking an allocation's notifications", error);
    Lock lock{&page};
    if (page.posted - page.taken > kNotifyCapacity)
      return Error{Code::corrupt,
                   fmt::format("an allocation's notifications: {} came and {} were taken", page.posted, page.taken)};
    return lock;
  }
  Lock(Lock&& other) noexcept : page_{std::exchange(other.page_, nullptr)} {}
  Lock& operator=(Lock&&) = delete;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;
  ~Lock() {
    if (page_ != nullptr) ::pthread_mutex_unlock(mutex_of(*page_));
  }

 private:
  explicit Lock(NotifyPage* page) noexcept : page_{page} {}
  NotifyPage* page_;
};

Status Notifications::prepare(const Mapping& mapping, const format::Uuid& boot) {
  auto& page = *reinterpret_cast<NotifyPage*>(mapping.data());
  if (page.version != 0 && page.version != kVersion) return {};  // over() says what is wrong
  if (page.version == kVersion && page.boot == boot) return {};
  PSNAM_CHECK(make_mutex(page));
  page.boot = boot;
  page.version = kVersion;
  return {};
}

Result<Notifications> Notifications::over(Mapping mapping) {
  if (mapping.bytes() < sizeof(NotifyPage))
    return Error{Code::corrupt, fmt::format("the page of an allocation's notifications has {} bytes instead of {}",
                                            mapping.bytes(), sizeof(NotifyPage))};
  const std::uint64_t version = reinterpret_cast<const NotifyPage*>(mapping.data())->version;
  if (static_cast<std::uint32_t>(version) != format::kNotifyMagic)
    return Error{Code::corrupt,
                 fmt::format("the page of an allocation's notifications begins with {:#x} instead of {:#x}",
                             static_cast<std::uint32_t>(version), format::kNotifyMagic)};
  if (version != kVersion)
    return Error{Code::incompatible,
                 fmt::format("the page of an allocation's notifications has version {}, this library speaks version {}",
                             version >> 32, format::kNotifyVersion)};
  return Notifications{std::move(mapping)};
}

Result<bool> Notifications::post(std::uint64_t value, Clock::time_point deadline) {
  for (;;) {
    std::uint32_t seen = 0;
    {
      PSNAM_TRY(const Lock lock, Lock::take(page()));
      if (page().posted - page().taken < kNotifyCapacity) {
        page().values[page().posted % kNotifyCapacity] = value;
        std::atomic_signal_fence(std::memory_order_release);  // who dies between the two has posted nothing
        ++page().posted;
        page().posts.fetch_add(1);
        break;
      }
      seen = page().takes.load();
    }
    if (Clock::now() >= deadline) return false;
    sleep_on(page().takes, seen, deadline);
  }
  futex_wake(page().posts, 1);
  return true;
}

Result<std::optional<std::uint64_t>> Notifications::take(Clock::time_point deadline) {
  std::optional<std::uint64_t> value;
  for (;;) {
    std::uint32_t seen = 0;
    {
      PSNAM_TRY(const Lock lock, Lock::take(page()));
      if (page().posted != page().taken) {
        value = page().values[page().taken % kNotifyCapacity];
        ++page().taken;
        page().takes.fetch_add(1);
        break;
      }
      seen = page().posts.load();
    }
    if (Clock::now() >= deadline) return value;
    sleep_on(page().posts, seen, deadline);
  }
  futex_wake(page().takes, 1);
  return value;
}

Result<std::uint64_t> Notifications::size() {
  PSNAM_TRY(const Lock lock, Lock::take(page()));
  return page().posted - page().taken;
}

}  // namespace psnam::nam
