#include "parity/patterns.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "parity/working_stripe.hpp"

namespace psnam::parity {

std::uint64_t Patterns::blocks_of(std::uint32_t piece) const noexcept {
  const auto& shape = area_.shape();
  return shape.blocks_of(piece < shape.members ? version_.sizes[piece] : version_.longest_bytes);
}

std::uint64_t Patterns::lost_blocks() const noexcept {
  std::uint64_t blocks = 0;
  for (const std::uint32_t member : lost_) blocks = std::max(blocks, blocks_of(member));
  return blocks;
}

std::size_t Patterns::bytes_in(std::uint32_t piece, std::uint64_t block) const noexcept {
  const auto& shape = area_.shape();
  if (piece >= shape.members) return shape.block_bytes;
  return extent_of(shape, piece, block, version_.sizes[piece]).bytes;
}

bool Patterns::holds(std::uint32_t piece, std::uint64_t block, std::span<const std::byte> bytes) const noexcept {
  return checksum(bytes) == area_.checksums(version_.slot, piece)[block];
}

std::optional<std::uint64_t> Patterns::older() const {
  for (const Version& other : area_.versions())
    if (other.number < version_.number) return other.number;
  return std::nullopt;
}

std::string Patterns::offer() const {
  const auto other = older();
  return other ? fmt::format("version {} is older and can be asked for", *other)
               : std::string{"there is no older version"};
}

Status Patterns::can_be_rebuilt() const {
  if (lost_.size() <= area_.shape().parities) return {};
  std::string names;
  for (const std::uint32_t member : lost_) names += fmt::format("{}{}", names.empty() ? "" : ", ", member);
  return Error{
      psnam::Code::peer_lost,
      fmt::format("version {} of parity area '{}': {} of {} members are lost ({}), its {} can rebuild at most {}; {}",
                  version_.number, area_.name(), lost_.size(), area_.shape().members, names,
                  area_.shape().parities == 1 ? "parity" : "parities", area_.shape().parities, offer())};
}

Patterns::Stripe Patterns::stripe(std::uint64_t block) const {
  Stripe found;
  for (std::uint32_t member = 0; member < area_.shape().members; ++member)
    if (bytes_in(member, block) == 0)
      found.absent.push_back(member);
    else if (std::ranges::find(lost_, member) != lost_.end())
      found.lost.push_back(member);
  return found;
}

const Recovery& Patterns::at(std::uint64_t block) {
  if (current_ != nullptr && current_block_ == block) return *current_;
  const Stripe found = stripe(block);
  auto place = known_.find(found.absent.size());
  if (place == known_.end())
    // It cannot fail: no more are lost than there are parities.
    place = known_.emplace(found.absent.size(), *area_.code().recovery(found.lost, found.absent)).first;
  current_block_ = block;
  current_ = &place->second;
  return *current_;
}

Result<Recovery> Patterns::with_damage(std::uint64_t block, std::span<const BadBlock> bad) const {
  Stripe found = stripe(block);
  std::string names;
  for (const BadBlock& piece : bad) {
    found.lost.push_back(piece.piece);
    names += fmt::format("{}{}", names.empty() ? "" : ", ", describe(piece, area_.shape().members));
  }
  auto recovery = area_.code().recovery(found.lost, found.absent);
  if (recovery) return recovery;
  return Error{psnam::Code::corrupt, fmt::format("version {} of parity area '{}': damaged: {}; {}; {}", version_.number,
                                                 area_.name(), names, recovery.error().message, offer())};
}

}  // namespace psnam::parity
