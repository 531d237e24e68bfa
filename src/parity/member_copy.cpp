// The copy and the checksums of a member's data alone, where somebody else makes the parity.
#include <algorithm>

#include "parity/block_pass.hpp"
#include "parity/encode.hpp"

namespace psnam::parity {

std::vector<std::uint32_t> copy_member(const MemberData& data, std::uint32_t block_bytes) {
  std::vector<std::uint32_t> sums;
  const auto copy = [&](const Piece& piece) {
    for (std::size_t at = 0; at < piece.bytes.size(); at += block_bytes) {
      const auto rest = piece.bytes.subspan(at);
      const auto block = rest.first(std::min<std::size_t>(block_bytes, rest.size()));
      sums.push_back(pass_over(block, {.copy_to = piece.copy_to == nullptr ? nullptr : piece.copy_to + at,
                                       .next = rest.subspan(block.size())}));
    }
  };
  copy({data.bytes, data.copy_to});
  for (const Piece& piece : data.further) copy(piece);
  return sums;
}

}  // namespace psnam::parity
