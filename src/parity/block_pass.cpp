// Why these sizes (docs/decisions/0020). On 2 cores of a Xeon with 2 MiB L2 each, checksum and one parity of memory
// that is cold, by both, ran at 12 GB/s in pieces of 1 KiB as they come, at 18 when each piece asks for the one 8 KiB
// ahead, and at 24 when it asks for a part of each of the next four pages in turn: more banks of memory are busy, and
// the processor's own prefetchers follow four pages at once. Sums that another core has written last are asked for a
// page ahead; without it the exchange between the cores, and not memory, is what is waited for. On 2 cores of an EPYC
// with 1 MiB L2 each all this asking is a loss: common encoding reached 0.78 of a loop of ISA-L alone without it and
// 0.45 with it, encoding with a copy 1.35 and 1.03 of copy and loop one after the other.
#include "parity/block_pass.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "backends/copy.hpp"
#include "format/parity_page.hpp"

namespace psnam::parity {
namespace {

constexpr std::size_t kLine = 64;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 4;
constexpr std::size_t kGroup = kPages * kPage;
constexpr std::size_t kPiece = 1024;
constexpr std::size_t kSumsAhead = kPage;
constexpr std::size_t kWriteAtOnce = kPage;

bool asking_helps() noexcept {
#if defined(__x86_64__)
  static const bool helps = __builtin_cpu_is("intel") != 0;
  return helps;
#else
  return true;
#endif
}

// GCC takes a function that does nothing but prefetch for one without effect, and drops calls of it that it has not
// inlined before it looks: hence the attribute.
class Pass {
 public:
  Pass(std::span<const std::byte> block, BlockUse& use) noexcept : block_{block}, use_{use} {}

  std::uint32_t run() noexcept {
    std::uint32_t sum = 0;
    const bool asks = asking_helps();
    if (asks)
      for (std::size_t at = 0; at < kSumsAhead; at += kPiece) ask_for_sums(at);
    for (std::size_t at = 0; at < block_.size(); at += kPiece) {
      if (asks) {
        ask_for_next_group(at);
        ask_for_sums(at + kSumsAhead);
      }
      const auto piece = block_.subspan(at, std::min(kPiece, block_.size() - at));
      sum = checksum(piece, sum);
      if (use_.factors != nullptr) give(piece, at);
      const std::size_t done = at + piece.size();
      if (done % kWriteAtOnce == 0) write_up_to(done, done);
    }
    if (use_.factors != nullptr && use_.assign)
      for (std::byte* const output : use_.outputs)
        std::memset(output + block_.size(), 0, use_.output_bytes - block_.size());
    write_up_to(block_.size(), use_.output_bytes);
    backends::detail::order_streams();
    return sum;
  }

 private:
  /// A quarter of a piece's length from each of the four pages that come after this group.
  [[gnu::always_inline]] void ask_for_next_group(std::size_t at) const noexcept {
    const std::size_t group = at / kGroup * kGroup + kGroup, within = at % kGroup / kPages;
    for (std::size_t line = 0; line < kPiece / kPages; line += kLine)
      for (std::size_t page = 0; page < kPages; ++page) ask_for(group + page * kPage + within + line);
  }
  [[gnu::always_inline]] void ask_for(std::size_t at) const noexcept {
    if (at < block_.size())
      __builtin_prefetch(block_.data() + at, 0, 2);
    else if (at - block_.size() < use_.next.size())
      __builtin_prefetch(use_.next.data() + (at - block_.size()), 0, 2);
  }
  [[gnu::always_inline]] void ask_for_sums(std::size_t at) const noexcept {
    if (at >= use_.output_bytes) return;
    const std::size_t bytes = std::min(kPiece, use_.output_bytes - at);
    for (const std::byte* const output : use_.outputs)
      for (std::size_t line = 0; line < bytes; line += kLine) __builtin_prefetch(output + at + line, 0, 2);
  }

  void give(std::span<const std::byte> piece, std::size_t at) const noexcept {
    std::array<std::byte*, format::kParityMaxPieces> shifted;
    std::ranges::transform(use_.outputs, shifted.begin(), [&](std::byte* output) { return output + at; });
    const std::span<std::byte* const> outputs{shifted.data(), use_.outputs.size()};
    if (use_.assign)
      use_.factors->assign(piece.size(), use_.input, piece.data(), outputs);
    else
      use_.factors->add(piece.size(), use_.input, piece.data(), outputs);
  }

  void write_up_to(std::size_t of_block, std::size_t of_sums) noexcept {
    if (use_.copy_to != nullptr)
      backends::detail::stream_piece(use_.copy_to + copied_, block_.data() + copied_, of_block - copied_);
    copied_ = of_block;
    for (std::size_t index = 0; index < use_.finished.size(); ++index) {
      Finished& finished = use_.finished[index];
      if (finished.to == nullptr) continue;
      const std::byte* const from = use_.outputs[index] + finished_;
      finished.checksum = checksum({from, of_sums - finished_}, finished.checksum);
      backends::detail::stream_piece(finished.to + finished_, from, of_sums - finished_);
    }
    finished_ = of_sums;
  }

  std::span<const std::byte> block_;
  BlockUse& use_;
  std::size_t copied_ = 0;
  std::size_t finished_ = 0;
};

}  // namespace

std::uint32_t pass_over(std::span<const std::byte> block, BlockUse use) noexcept { return Pass{block, use}.run(); }

}  // namespace psnam::parity
