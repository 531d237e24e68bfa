// A place in a buffer of any layout, moving forward in type-map order, block by block or through many equal blocks at
// once.
#pragma once

#include <cstddef>
#include <cstdint>

#include "backends/layout.hpp"

namespace psnam::backends {

class Cursor {
 public:
  /// At the first of the bytes of `count` elements of `layout` at `address`. There is at least one byte.
  Cursor(std::uintptr_t address, std::uint64_t count, const Layout& layout) noexcept
      : runs_{layout.runs.data()}, runs_end_{runs_ + layout.runs.size()}, element_{address}, elements_{count} {
    extent_ = as_unsigned(layout.extent);
    merge_elements();
    enter(*runs_);
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;

  [[nodiscard]] std::uintptr_t address() const noexcept { return block_ + within_; }
  /// Bytes to the end of the block.
  [[nodiscard]] std::size_t left() const noexcept { return length_ - within_; }
  [[nodiscard]] bool at_block_start() const noexcept { return within_ == 0; }
  /// The present block and those that follow it at equal distances.
  [[nodiscard]] std::size_t blocks() const noexcept { return blocks_; }
  [[nodiscard]] std::size_t length() const noexcept { return length_; }
  /// From one of these blocks to the next, modulo the address space.
  [[nodiscard]] std::uintptr_t stride() const noexcept { return stride_; }

  /// Skips `bytes` bytes of the present block, at most left().
  void skip_bytes(std::size_t bytes) noexcept {
    within_ += bytes;
    if (within_ == length_) skip_blocks(1);
  }
  /// Skips `n` blocks from the start of the present one, at most blocks(). After the last block of all, nothing may be
  /// asked.
  void skip_blocks(std::size_t n) noexcept {
    within_ = 0;
    block_ += n * stride_;
    blocks_ -= n;
    if (blocks_ == 0) next_run();
  }

 private:
  static std::uintptr_t as_unsigned(std::ptrdiff_t number) noexcept { return static_cast<std::uintptr_t>(number); }

  // Elements of one run whose blocks go on at the same distance from element to element are one element with more
  // blocks.
  void merge_elements() noexcept {
    if (runs_end_ - runs_ != 1) return;
    merged_ = *runs_;
    if (merged_.count == 1)
      merged_.stride = static_cast<std::ptrdiff_t>(extent_);
    else if (merged_.count * as_unsigned(merged_.stride) != extent_)
      return;
    merged_.count *= elements_;
    elements_ = 1;
    if (as_unsigned(merged_.stride) == merged_.length) {
      merged_.length *= merged_.count;
      merged_.count = 1;
    }
    runs_ = &merged_;
    runs_end_ = runs_ + 1;
  }

  void enter(const Run& run) noexcept {
    block_ = element_ + as_unsigned(run.offset);
    length_ = run.length;
    stride_ = as_unsigned(run.stride);
    blocks_ = run.count;
    run_ = &run;
  }

  void next_run() noexcept {
    if (++run_ == runs_end_) {
      if (--elements_ == 0) return;
      element_ += extent_;
      run_ = runs_;
    }
    enter(*run_);
  }

  const Run* runs_;
  const Run* runs_end_;
  const Run* run_ = nullptr;
  std::uintptr_t element_;
  std::uint64_t elements_;
  std::uintptr_t extent_ = 0;
  std::uintptr_t block_ = 0;
  std::uintptr_t stride_ = 0;
  std::size_t length_ = 0;
  std::size_t blocks_ = 0;
  std::size_t within_ = 0;
  Run merged_;
};

}  // namespace psnam::backends
