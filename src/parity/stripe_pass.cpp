// Why like this (2 cores of an EPYC with 1 MiB L2 each, 2 and 4 members, GB/s; a loop of ISA-L's exclusive or alone: 22
// and 29): with checksums, each piece of the sum written past the caches at once, 24 and 28. Sums kept until the stripe
// is over: 18 and 20. Asking ahead for what the processor's own prefetchers bring anyway, as several streams are read
// in turns: 16 to 24 and 16 to 28, the further ahead the slower.
#include "parity/stripe_pass.hpp"

#include <algorithm>
#include <cstring>

#include "backends/copy.hpp"

namespace psnam::parity {
namespace {

constexpr std::size_t kPiece = 1024;

/// What there is of `bytes` bytes from `at` on.
template <class Byte>
std::span<Byte> piece_of(std::span<Byte> block, std::size_t at, std::size_t bytes) noexcept {
  if (at >= block.size()) return {};
  return block.subspan(at, std::min(bytes, block.size() - at));
}

}  // namespace

StripePass::StripePass(std::size_t block_bytes, std::size_t most_inputs, std::size_t most_outputs)
    : block_bytes_{block_bytes}, padded_(most_inputs * kPiece), made_(most_outputs * kPiece), from_(most_inputs) {
  for (std::size_t output = 0; output < most_outputs; ++output) to_.push_back(made_.data() + output * kPiece);
  input_checksums_.reserve(most_inputs);
  output_checksums_.reserve(most_outputs);
}

void StripePass::run(const StripeUse& use) noexcept {
  input_checksums_.assign(use.inputs.size(), 0);
  output_checksums_.assign(use.outputs.size(), 0);
  for (std::size_t at = 0; at < block_bytes_; at += kPiece) {
    const std::size_t bytes = std::min(kPiece, block_bytes_ - at);
    read(use, at, bytes);
    if (use.factors != nullptr) write(use, at, bytes);
  }
  backends::detail::order_streams();
}

void StripePass::read(const StripeUse& use, std::size_t at, std::size_t bytes) noexcept {
  for (std::size_t input = 0; input < use.inputs.size(); ++input) {
    const auto piece = piece_of(use.inputs[input], at, bytes);
    input_checksums_[input] = checksum(piece, input_checksums_[input]);
    from_[input] = piece.data();
    if (piece.size() == bytes) continue;
    std::byte* const padded = padded_.data() + input * kPiece;
    std::ranges::copy(piece, padded);
    std::memset(padded + piece.size(), 0, bytes - piece.size());
    from_[input] = padded;
  }
}

void StripePass::write(const StripeUse& use, std::size_t at, std::size_t bytes) noexcept {
  use.factors->combine(bytes, from_, std::span{to_}.first(use.outputs.size()));
  for (std::size_t output = 0; output < use.outputs.size(); ++output) {
    const auto piece = piece_of(use.outputs[output], at, bytes);
    if (piece.empty()) continue;
    output_checksums_[output] = checksum({to_[output], piece.size()}, output_checksums_[output]);
    backends::detail::stream_piece(piece.data(), to_[output], piece.size());
  }
}

}  // namespace psnam::parity
