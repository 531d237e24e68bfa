// A table from MPI handles to objects of ours, read on every intercepted call.
//
// Why it works without a lock for readers. Writers: insert and erase, under one mutex. Readers: any thread, any time.
// A slot's key is written once and never removed, because MPI hands out freed handle numbers again at once: an erased
// handle keeps its slot with a null value, so the number of slots is bounded by the most handles ever alive together. A
// reader sees a key before (0: the probe ends, "not ours") or after its publication; the value is published before the
// key. A stale read can only concern a handle that another thread is creating or freeing at this moment, which MPI
// forbids the program to use. Growth builds a larger array, publishes it with release, and keeps the old one until
// destruction, so that a reader in it stays safe; sizes double, hence old arrays never weigh more than the present one.
// A dead writer is a dead process: nothing here is shared between processes.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace psnam {

template <class T>
class HandleTable {
 public:
  constexpr HandleTable() noexcept = default;
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;

  /// The object of `handle`, or null. Wait-free; a null table costs one load.
  [[nodiscard]] T* find(int handle) const noexcept {
    const Array* const array = array_.load(std::memory_order_acquire);
    if (array == nullptr) return nullptr;
    for (std::uint32_t i = slot_of(handle, array->shift);; i = (i + 1) & array->mask) {
      const Slot& slot = array->slots[i];
      const int key = slot.key.load(std::memory_order_acquire);
      if (key == handle) return slot.value.load(std::memory_order_acquire);
      if (key == 0) return nullptr;
    }
  }

  /// `handle` (not 0) leads to `value` from now on.
  void insert(int handle, T* value) {
    const std::lock_guard lock{mutex_};
    if (arrays_.empty()) {
      grow(kFirstBits);
    } else if (2 * (used_ + 1) > arrays_.back()->mask) {
      grow(arrays_.back()->bits + 1);
    }
    put(*arrays_.back(), handle, value);
  }

  /// `handle` leads nowhere from now on; returns what it led to.
  T* erase(int handle) noexcept {
    const std::lock_guard lock{mutex_};
    if (arrays_.empty()) return nullptr;
    Array& array = *arrays_.back();
    for (std::uint32_t i = slot_of(handle, array.shift);; i = (i + 1) & array.mask) {
      const int key = array.slots[i].key.load(std::memory_order_relaxed);
      if (key == handle) return array.slots[i].value.exchange(nullptr, std::memory_order_acq_rel);
      if (key == 0) return nullptr;
    }
  }

  /// Calls `visit(handle, value)` for each entry, under the writers' mutex.
  template <class Visit>
  void for_each(Visit&& visit) {
    const std::lock_guard lock{mutex_};
    if (arrays_.empty()) return;
    for (const Slot& slot : arrays_.back()->slots)
      if (T* const value = slot.value.load(std::memory_order_relaxed))
        visit(slot.key.load(std::memory_order_relaxed), value);
  }

 private:
  static constexpr unsigned kFirstBits = 6;

  struct Slot {
    std::atomic<int> key{0};
    std::atomic<T*> value{nullptr};
  };
  struct Array {
    explicit Array(unsigned size_bits)
        : bits{size_bits},
          shift{32 - size_bits},
          mask{(std::uint32_t{1} << size_bits) - 1},
          slots(std::size_t{1} << size_bits) {}
    unsigned bits;
    unsigned shift;
    std::uint32_t mask;
    std::vector<Slot> slots;
  };

  // Fibonacci hashing: handles are small numbers below a constant prefix.
  static std::uint32_t slot_of(int handle, unsigned shift) noexcept {
    return (static_cast<std::uint32_t>(handle) * 2654435769U) >> shift;
  }

  void put(Array& array, int handle, T* value) noexcept {
    for (std::uint32_t i = slot_of(handle, array.shift);; i = (i + 1) & array.mask) {
      const int key = array.slots[i].key.load(std::memory_order_relaxed);
      if (key != 0 && key != handle) continue;
      array.slots[i].value.store(value, std::memory_order_release);
      if (key == 0) {
        array.slots[i].key.store(handle, std::memory_order_release);
        ++used_;
      }
      return;
    }
  }

  void grow(unsigned bits) {
    auto next = std::make_unique<Array>(bits);
    used_ = 0;
    if (!arrays_.empty())
      for (const Slot& slot : arrays_.back()->slots)
        if (T* const value = slot.value.load(std::memory_order_relaxed))
          put(*next, slot.key.load(std::memory_order_relaxed), value);
    arrays_.push_back(std::move(next));
    array_.store(arrays_.back().get(), std::memory_order_release);
  }

  std::atomic<const Array*> array_{nullptr};
  std::mutex mutex_;
  std::vector<std::unique_ptr<Array>> arrays_;
  std::size_t used_ = 0;
};

}  // namespace psnam
