// The page of an allocation's notifications: a queue of 64-bit values between processes, which may be of several jobs
// and run different builds of this library. It goes with the allocation. docs/formats/notify-page.md has the same in
// words. Bump kNotifyVersion when a field moves or changes its meaning.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "format/catalog.hpp"

namespace psnam::format {

inline constexpr std::uint32_t kNotifyMagic = 0x59544f4e;  // "NOTY"
inline constexpr std::uint32_t kNotifyVersion = 1;
inline constexpr std::uint64_t kNotifyCapacity = 1000;

/// A page of zeros is made ready, under the lock of the store's folder, by whoever opens it first since the boot.
struct NotifyPage {
  std::uint64_t version;  ///< kNotifyMagic in the low half, kNotifyVersion in the high one; 0: not made ready yet
  Uuid boot;              ///< in which it was made ready: a mutex does not outlive that
  std::uint8_t reserved0[40];
  alignas(64) std::uint8_t mutex[64];  ///< pthread_mutex_t, robust and shared between processes; guards what follows
  alignas(64) std::uint64_t posted;    ///< values that ever came
  std::uint64_t taken;                 ///< values that were ever taken; the difference is what is in the queue
  std::atomic<std::uint32_t> posts;    ///< counts; who waits for a value sleeps on it
  std::atomic<std::uint32_t> takes;    ///< counts; who waits for room sleeps on it
  std::uint8_t reserved1[40];
  std::uint64_t values[kNotifyCapacity];  ///< number n is at n % kNotifyCapacity
};
static_assert(sizeof(Uuid) == 16 && offsetof(NotifyPage, mutex) == 64 && offsetof(NotifyPage, posted) == 128 &&
              offsetof(NotifyPage, posts) == 144 && offsetof(NotifyPage, values) == 192 &&
              sizeof(NotifyPage) == 192 + 8 * kNotifyCapacity);
static_assert(sizeof(pthread_mutex_t) <= sizeof(NotifyPage::mutex));
static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

}  // namespace psnam::format
