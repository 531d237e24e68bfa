#include "parity/puller.hpp"

#include <algorithm>
#include <cassert>
#include <new>

namespace psnam::parity {

Puller::Puller(Source& source, std::size_t block_bytes, std::size_t ahead, std::function<std::optional<Extent>()> more)
    : source_{source}, block_bytes_{block_bytes}, ahead_{std::max<std::size_t>(ahead, 1)}, more_{std::move(more)} {}

Puller::~Puller() {
  if (under_way_ != 0) source_.drain();
}

// One more than are under way: the one that the caller is looking at.
std::byte* Puller::buffer() {
  if (!buffers_)
    buffers_.reset(static_cast<std::byte*>(::operator new[]((ahead_ + 1) * block_bytes_, std::align_val_t{4096})));
  return buffers_.get() + next_buffer_++ % (ahead_ + 1) * block_bytes_;
}

Status Puller::fill() {
  while (!over_ && pulls_.size() < ahead_) {
    const std::optional<Extent> extent = more_();
    if (!extent) {
      over_ = true;
      break;
    }
    assert(extent->bytes <= block_bytes_);
    Pull pull{*extent, source_.view(*extent), nullptr};
    if (pull.view == nullptr) {
      pull.into = buffer();
      ++under_way_;  // before the call: what failed to start may have begun
      PSNAM_CHECK(source_.start(pull.extent, pull.into));
    }
    pulls_.push_back(pull);
  }
  return {};
}

Result<std::span<const std::byte>> Puller::next() {
  PSNAM_CHECK(fill());
  assert(!pulls_.empty());
  const Pull pull = pulls_.front();
  pulls_.pop_front();
  if (pull.view == nullptr) {
    PSNAM_CHECK(source_.finish(pull.extent));
    --under_way_;
  }
  return std::span{pull.view != nullptr ? pull.view : pull.into, pull.extent.bytes};
}

}  // namespace psnam::parity
