// Which pieces of a stripe make which others again. It depends on who has bytes in the stripe, and so changes only
// where a member ends.
#pragma once

#include <map>
#include <span>
#include <vector>

#include "parity/area.hpp"

namespace psnam::parity {

class Patterns {
 public:
  Patterns(const Area& area, const Version& version, std::span<const std::uint32_t> lost)
      : area_{area}, version_{version}, lost_{lost.begin(), lost.end()} {}

  [[nodiscard]] const std::vector<std::uint32_t>& lost() const noexcept { return lost_; }
  [[nodiscard]] std::uint64_t blocks_of(std::uint32_t piece) const noexcept;
  /// Blocks of the longest member that is lost.
  [[nodiscard]] std::uint64_t lost_blocks() const noexcept;
  /// How many bytes of a piece are in a stripe; of a parity all.
  [[nodiscard]] std::size_t bytes_in(std::uint32_t piece, std::uint64_t block) const noexcept;
  /// Whether these are the bytes of the version.
  [[nodiscard]] bool holds(std::uint32_t piece, std::uint64_t block, std::span<const std::byte> bytes) const noexcept;

  /// Code::peer_lost if more members are lost than there are parities, with the version that can be asked for instead.
  [[nodiscard]] Status can_be_rebuilt() const;
  /// The lost members of a stripe from the others. Only when can_be_rebuilt().
  [[nodiscard]] const Recovery& at(std::uint64_t block);
  /// With damaged pieces counted as lost too. Code::corrupt, naming them, if that makes too many.
  [[nodiscard]] Result<Recovery> with_damage(std::uint64_t block, std::span<const BadBlock> bad) const;
  [[nodiscard]] std::optional<std::uint64_t> older() const;

 private:
  struct Stripe {
    std::vector<std::uint32_t> lost, absent;
  };
  [[nodiscard]] Stripe stripe(std::uint64_t block) const;
  [[nodiscard]] std::string offer() const;

  const Area& area_;
  const Version& version_;
  std::vector<std::uint32_t> lost_;
  std::map<std::size_t, Recovery> known_;  ///< by the number of members that have bytes in the stripe
  std::uint64_t current_block_ = 0;
  const Recovery* current_ = nullptr;
};

}  // namespace psnam::parity
