// Blocks of members in a known order, brought ahead of their use.
#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "parity/source.hpp"

namespace psnam::parity {

class Puller {
 public:
  /// `more` names one extent after another, none above `block_bytes`, until there is nothing left.
  Puller(Source& source, std::size_t block_bytes, std::size_t ahead, std::function<std::optional<Extent>()> more);
  ~Puller();
  Puller(const Puller&) = delete;
  Puller& operator=(const Puller&) = delete;

  /// The bytes of the next one, until the next call.
  [[nodiscard]] Result<std::span<const std::byte>> next();
  /// Those after it, where they can be seen in place; else empty.
  [[nodiscard]] std::span<const std::byte> peek() const noexcept {
    if (pulls_.empty() || pulls_.front().view == nullptr) return {};
    return {pulls_.front().view, pulls_.front().extent.bytes};
  }

 private:
  struct Pull {
    Extent extent;
    const std::byte* view;  ///< null: it comes to its buffer
    std::byte* into;
  };
  struct Free {
    void operator()(std::byte* buffers) const noexcept { ::operator delete[](buffers, std::align_val_t{4096}); }
  };

  Status fill();
  [[nodiscard]] std::byte* buffer();

  Source& source_;
  std::size_t block_bytes_;
  std::size_t ahead_;
  std::function<std::optional<Extent>()> more_;
  std::unique_ptr<std::byte[], Free> buffers_;  ///< made with the first extent that has no view
  std::size_t next_buffer_ = 0;
  std::deque<Pull> pulls_;
  bool over_ = false;
  std::size_t under_way_ = 0;
};

}  // namespace psnam::parity
