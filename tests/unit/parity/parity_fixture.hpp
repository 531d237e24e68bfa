// An area in memory that forked children share, members' data of any size that is the same for the same seed, and a
// parity computed byte by byte from the definition, apart from what is tested.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <deque>
#include <numeric>
#include <random>
#include <thread>
#include <vector>

#include "parity/area.hpp"
#include "parity/encode.hpp"
#include "parity/mapped.hpp"
#include "parity/rebuild.hpp"

namespace psnam::parity::test {

using Bytes = std::vector<std::byte>;

/// Anonymous shared memory: what a forked child writes is seen by its parent.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes) : bytes_{bytes} {
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (data_ == MAP_FAILED) std::abort();
  }
  SharedMemory(SharedMemory&& other) noexcept : data_{std::exchange(other.data_, nullptr)}, bytes_{other.bytes_} {}
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {static_cast<std::byte*>(data_), bytes_}; }

 private:
  void* data_;
  std::size_t bytes_;
};

inline Bytes random_bytes(std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random{seed};
  Bytes data(bytes);
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::uint64_t word = random();
    std::memcpy(data.data() + at, &word, std::min<std::size_t>(8, bytes - at));
  }
  return data;
}

inline std::vector<Bytes> random_members(std::span<const std::uint64_t> sizes, std::uint64_t seed) {
  std::vector<Bytes> members;
  for (const std::uint64_t size : sizes) members.push_back(random_bytes(size, seed * 1000 + members.size()));
  return members;
}

inline Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds{60}; }

/// An area of its own memory.
class Fixture {
 public:
  Fixture(std::uint32_t members, std::uint32_t parities, std::uint64_t capacity, std::uint32_t block_bytes,
          std::uint32_t slots = 2)
      : memory_{*bytes_needed(members, capacity, parities, block_bytes, slots)},
        area_{*Area::create(memory_.bytes(), {members, parities, capacity, block_bytes, {7}, "test", slots})} {}

  [[nodiscard]] Area& area() noexcept { return area_; }
  [[nodiscard]] std::span<std::byte> memory() const noexcept { return memory_.bytes(); }

  /// All members in threads, then the commit.
  Status encode(std::uint64_t version, const std::vector<Bytes>& data, const std::vector<std::byte*>& copies = {}) {
    return in_threads(version, data.size(), [&](const Attempt& attempt, std::uint32_t member) {
      return encode_member(area_, attempt, {member, data[member], copies.empty() ? nullptr : copies[member]}, soon());
    });
  }
  Status encode_mapped(std::uint64_t version, std::vector<Bytes>& data) {
    const MappedMembers members{data.begin(), data.end()};
    return in_threads(version, data.size(), [&](const Attempt& attempt, std::uint32_t member) {
      return parity::encode_mapped(area_, attempt, member, members, soon());
    });
  }

  Status encode_alone(std::uint64_t version, std::vector<Bytes>& data) {
    Buffers buffers = buffers_of(data);
    return encode_all(area_, version, buffers.sizes(), buffers).status();
  }

  static Buffers buffers_of(std::vector<Bytes>& data) {
    return Buffers{std::vector<std::span<std::byte>>(data.begin(), data.end())};
  }

 private:
  template <class Body>
  Status in_threads(std::uint64_t version, std::size_t members, Body&& body) {
    auto attempt = area_.begin(version);
    if (!attempt) return attempt.take_error();
    std::vector<Status> results(members);
    {
      std::vector<std::jthread> threads;
      for (std::uint32_t member = 0; member < members; ++member)
        threads.emplace_back([&, member] { results[member] = body(*attempt, member); });
    }
    for (Status& result : results) PSNAM_CHECK(std::move(result));
    return area_.commit(*attempt, soon());
  }

  SharedMemory memory_;
  Area area_;
};

enum class Way { alone, together, mapped };
inline std::string name_of(Way way) {
  return way == Way::alone ? "Alone" : way == Way::together ? "Together" : "Mapped";
}

/// One rebuild by all members in threads, each with its own data or with everybody's.
struct CommonRebuild {
  std::vector<Status> results;
  std::vector<RebuildReport> reports;

  CommonRebuild(Area& area, std::uint64_t number, std::vector<Bytes>& data, const std::vector<std::uint32_t>& lost,
                Way way = Way::together) {
    const MappedMembers mapped{data.begin(), data.end()};
    const Version version = *area.version(number);
    const Attempt attempt = area.begin_rebuild(version);
    results.resize(data.size());
    reports.resize(data.size());
    std::vector<std::jthread> threads;
    for (std::uint32_t member = 0; member < data.size(); ++member)
      threads.emplace_back([&, member] {
        const bool is_lost = std::ranges::find(lost, member) != lost.end();
        results[member] =
            way == Way::mapped
                ? rebuild_mapped(area, attempt, version, member, mapped, is_lost, soon(), reports[member])
                : rebuild_member(area, attempt, version, {member, data[member], is_lost}, soon(), reports[member]);
      });
  }
  [[nodiscard]] bool ok() const { return std::ranges::all_of(results, &Status::ok); }
  [[nodiscard]] std::vector<BadBlock> repaired() const {
    std::vector<BadBlock> all;
    for (const auto& report : reports) all.insert(all.end(), report.repaired.begin(), report.repaired.end());
    std::ranges::sort(all);
    return all;
  }
};

/// Multiplication in GF(2^8) with the polynomial 0x11d, a bit at a time.
inline std::uint8_t slow_multiply(std::uint8_t a, std::uint8_t b) {
  unsigned product = 0;
  for (int bit = 0; bit < 8; ++bit)
    if ((b >> bit & 1) != 0) product ^= unsigned{a} << bit;
  for (int bit = 14; bit >= 8; --bit)
    if ((product >> bit & 1) != 0) product ^= 0x11dU << (bit - 8);
  return static_cast<std::uint8_t>(product);
}

/// The parity at one offset, from the definition.
inline std::byte slow_parity(const Code& code, const std::vector<Bytes>& data, std::uint32_t parity,
                             std::size_t offset) {
  std::uint8_t sum = 0;
  for (std::uint32_t member = 0; member < data.size(); ++member)
    if (offset < data[member].size())
      sum ^= slow_multiply(code.encoding().at(parity, member), static_cast<std::uint8_t>(data[member][offset]));
  return std::byte{sum};
}

}  // namespace psnam::parity::test
