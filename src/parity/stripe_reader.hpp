// Reading a version stripe by stripe, without changing anything: for those who look whether it is whole, and for those
// who take it elsewhere. Every block is compared with its checksum; what is lost or damaged is computed again from the
// rest, in memory of the reader; and the parity is made once more from the data and compared with what is there.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "parity/area.hpp"
#include "parity/patterns.hpp"

namespace psnam::parity {

class StripeReader {
 public:
  /// `members[m]`: the data of a member; lost if it is not as long as the member is in the version. All of it stays.
  StripeReader(const Area& area, const Version& version, std::vector<std::span<const std::byte>> members);

  [[nodiscard]] std::uint64_t blocks() const noexcept;
  [[nodiscard]] const std::vector<std::uint32_t>& lost() const noexcept { return patterns_.lost(); }

  /// One stripe. Code::corrupt if more of it is lost or damaged than there are parities; damaged() tells even then.
  [[nodiscard]] Status read(std::uint64_t block);
  /// Of the stripe that was read: the member's bytes, as they were saved.
  [[nodiscard]] std::span<const std::byte> bytes(std::uint32_t member) const noexcept;
  /// Of the last stripe: what was there and has not its checksum.
  [[nodiscard]] const std::vector<BadBlock>& damaged() const noexcept { return damaged_; }
  /// Of the last stripe: parity that has its checksum, and is not the parity of the data.
  [[nodiscard]] const std::vector<BadBlock>& wrong() const noexcept { return wrong_; }

 private:
  [[nodiscard]] std::span<const std::byte> stored(std::uint32_t piece, std::uint64_t block) const noexcept;
  void find_damage(std::uint64_t block);
  Status recover(std::uint64_t block);
  void compare_parity(std::uint64_t block);
  [[nodiscard]] const std::byte* whole_block(std::uint32_t piece, std::uint64_t block);

  struct Free {
    void operator()(std::byte* bytes) const noexcept { ::operator delete[](bytes, std::align_val_t{4096}); }
  };
  using Blocks = std::unique_ptr<std::byte[], Free>;
  [[nodiscard]] Blocks blocks_of_memory(std::uint32_t count) const;

  const Area& area_;
  const Version& version_;
  std::vector<std::span<const std::byte>> members_;
  Patterns patterns_;
  Blocks padded_;      ///< one for each member: its block with zeros after its end
  Blocks computed_;    ///< one for each parity
  Blocks parity_now_;  ///< likewise
  Blocks zeros_;
  std::vector<std::span<const std::byte>> bytes_;  ///< of each member in the stripe
  std::vector<BadBlock> damaged_, wrong_;
};

}  // namespace psnam::parity
