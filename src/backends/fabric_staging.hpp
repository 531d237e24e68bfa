// Buffers of the library's own that operations go through: a span of which only some pieces are wanted, and all bytes
// where the provider reaches registered memory only. Made once, when the first is needed.
#pragma once

#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "backends/fabric_objects.hpp"

namespace psnam::backends {

/// One buffer, and what has to be copied out of it when its operation is complete.
struct Stage {
  struct Copy {
    std::byte* local;
    std::size_t offset_bytes;
    std::size_t bytes;
  };
  static constexpr std::size_t kMostCopies = 1024;

  std::byte* buffer = nullptr;
  void* descriptor = nullptr;
  std::vector<Copy> copies;  // room for kMostCopies from the beginning

  void unpack() noexcept {
    for (const Copy& copy : copies) std::memcpy(copy.local, buffer + copy.offset_bytes, copy.bytes);
    copies.clear();
  }
};

class Staging {
 public:
  static constexpr std::size_t kStages = 16;
  static constexpr std::size_t kStageBytes = std::size_t{64} << 10;

  /// Makes the buffers if there are none. `registered`: known to the provider.
  Status prepare(const Domain& domain, bool registered) {
    if (memory_) return {};
    auto memory = std::make_unique<std::byte[]>(kAllBytes);
    if (registered) PSNAM_CHECK(register_buffers(domain, memory.get()));
    for (std::size_t i = 0; i < kStages; ++i) {
      stages_[i].buffer = memory.get() + i * kStageBytes;
      stages_[i].descriptor = descriptor();
      stages_[i].copies.reserve(Stage::kMostCopies);
      free_[i] = &stages_[i];
    }
    free_count_ = kStages;
    memory_ = std::move(memory);
    return {};
  }
  /// Of the buffers, for the provider.
  [[nodiscard]] void* descriptor() const noexcept { return registration_ ? fi_mr_desc(registration_.get()) : nullptr; }
  /// Eight bytes beside the buffers.
  [[nodiscard]] std::byte* word() const noexcept { return memory_.get() + kStages * kStageBytes; }
  [[nodiscard]] bool any_free() const noexcept { return free_count_ > 0; }
  [[nodiscard]] Stage* take() noexcept { return free_[--free_count_]; }
  void give_back(Stage* stage) noexcept {
    stage->copies.clear();
    free_[free_count_++] = stage;
  }

 private:
  static constexpr std::size_t kAllBytes = kStages * kStageBytes + sizeof(std::uint64_t);

  Status register_buffers(const Domain& domain, std::byte* memory) {
    constexpr std::uint64_t kRights = FI_READ | FI_WRITE;
    fid_mr* made = nullptr;
    const int code = fi_mr_reg(domain.domain.get(), memory, kAllBytes, kRights, 0, 0, 0, &made, nullptr);
    if (code != 0) return fabric_error("registering the buffers of a fabric connection", code);
    registration_.reset(made);
    return {};
  }

  std::unique_ptr<std::byte[]> memory_;
  Fid<fid_mr> registration_;
  std::array<Stage, kStages> stages_;
  std::array<Stage*, kStages> free_{};
  std::size_t free_count_ = 0;
};

}  // namespace psnam::backends
