// Why these sizes: docs/decisions/0020. In short, reading a block from memory with its checksum and one parity ran at
// 7.6 GB/s a core in one go, at 9.6 in pieces of 4 KiB that are asked for two pieces ahead, and ISA-L's own exclusive
// or of two such blocks at 8.9.
#include "parity/block_pass.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "backends/copy.hpp"
#include "format/parity_page.hpp"

namespace psnam::parity {
namespace {

constexpr std::size_t kPiece = 4096;
constexpr std::size_t kAhead = 2 * kPiece;
constexpr std::size_t kCopyPiece = 16 * kPiece;  // each ends with a wait for the stores that pass the caches

void fetch_ahead(std::span<const std::byte> block, std::size_t at) noexcept {
  const std::size_t begin = at == 0 ? kPiece : at + kAhead;
  const std::size_t end = std::min(block.size(), at + kAhead + kPiece);
  for (std::size_t line = begin; line < end; line += 64) __builtin_prefetch(block.data() + line, 0, 2);
}

void give(std::span<const std::byte> piece, std::size_t at, const BlockUse& use) noexcept {
  std::array<std::byte*, format::kParityMaxPieces> shifted;
  std::ranges::transform(use.outputs, shifted.begin(), [&](std::byte* output) { return output + at; });
  const std::span<std::byte* const> outputs{shifted.data(), use.outputs.size()};
  if (use.assign)
    use.factors->assign(piece.size(), use.input, piece.data(), outputs);
  else
    use.factors->add(piece.size(), use.input, piece.data(), outputs);
}

void copy_up_to(std::span<const std::byte> block, std::size_t& copied, std::size_t to, const BlockUse& use) noexcept {
  if (use.copy_to == nullptr || (to - copied < kCopyPiece && to < block.size())) return;
  backends::detail::copy_streaming(use.copy_to + copied, block.data() + copied, to - copied);
  copied = to;
}

}  // namespace

std::uint32_t pass_over(std::span<const std::byte> block, const BlockUse& use) noexcept {
  std::uint32_t sum = 0;
  std::size_t copied = 0;
  for (std::size_t at = 0; at < block.size(); at += kPiece) {
    fetch_ahead(block, at);
    const auto piece = block.subspan(at, std::min(kPiece, block.size() - at));
    sum = checksum(piece, sum);
    if (use.factors != nullptr) give(piece, at, use);
    copy_up_to(block, copied, at + piece.size(), use);
  }
  if (use.factors != nullptr && use.assign)
    for (std::byte* const output : use.outputs) std::memset(output + block.size(), 0, use.output_bytes - block.size());
  return sum;
}

}  // namespace psnam::parity
