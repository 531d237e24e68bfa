// The one time that a whole stripe is read, by a process that has all of it mapped: the checksum of every piece, and
// what is computed from all of them, a kilobyte of each at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "parity/code.hpp"

namespace psnam::parity {

struct StripeUse {
  const Factors* factors = nullptr;  ///< null: nothing is computed
  /// One for each of the factors' inputs, none longer than a block. What is shorter counts as zeros beyond its end.
  std::span<const std::span<const std::byte>> inputs{};
  /// One for each of the factors' outputs: as much as is wanted of it. Written past the caches.
  std::span<const std::span<std::byte>> outputs{};
};

/// A process has one for all the stripes of a pass.
class StripePass {
 public:
  StripePass(std::size_t block_bytes, std::size_t most_inputs, std::size_t most_outputs);

  void run(const StripeUse& use) noexcept;
  /// Of the last run.
  [[nodiscard]] std::span<const std::uint32_t> input_checksums() const noexcept { return input_checksums_; }
  [[nodiscard]] std::span<const std::uint32_t> output_checksums() const noexcept { return output_checksums_; }

 private:
  void read(const StripeUse& use, std::size_t at, std::size_t bytes) noexcept;
  void write(const StripeUse& use, std::size_t at, std::size_t bytes) noexcept;

  std::size_t block_bytes_;
  std::vector<std::byte> padded_;  ///< a piece for each input
  std::vector<std::byte> made_;    ///< and for each output
  std::vector<const std::byte*> from_;
  std::vector<std::byte*> to_;
  std::vector<std::uint32_t> input_checksums_, output_checksums_;
};

}  // namespace psnam::parity
