#include "parity/stripe_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

#include "parity/working_stripe.hpp"

namespace psnam::parity {
namespace {

std::vector<std::uint32_t> lost_of(const Version& version, const std::vector<std::span<const std::byte>>& members) {
  std::vector<std::uint32_t> lost;
  for (std::uint32_t member = 0; member < version.sizes.size(); ++member)
    if (member >= members.size() || members[member].size() != version.sizes[member]) lost.push_back(member);
  return lost;
}

}  // namespace

StripeReader::StripeReader(const Area& area, const Version& version, std::vector<std::span<const std::byte>> members)
    : area_{area},
      version_{version},
      members_{std::move(members)},
      patterns_{area, version, lost_of(version, members_)},
      padded_{blocks_of_memory(area.shape().members)},
      computed_{blocks_of_memory(area.shape().parities)},
      parity_now_{blocks_of_memory(area.shape().parities)},
      zeros_{blocks_of_memory(1)},
      bytes_(area.shape().members) {
  members_.resize(area.shape().members);
  std::memset(zeros_.get(), 0, area.shape().block_bytes);
}

StripeReader::Blocks StripeReader::blocks_of_memory(std::uint32_t count) const {
  const std::size_t bytes = std::size_t{count} * area_.shape().block_bytes;
  return Blocks{static_cast<std::byte*>(::operator new[](bytes, std::align_val_t{4096}))};
}

std::uint64_t StripeReader::blocks() const noexcept { return area_.shape().blocks_of(version_.longest_bytes); }

std::span<const std::byte> StripeReader::bytes(std::uint32_t member) const noexcept { return bytes_[member]; }

std::span<const std::byte> StripeReader::stored(std::uint32_t piece, std::uint64_t block) const noexcept {
  const format::ParityShape& shape = area_.shape();
  if (piece >= shape.members)
    return {area_.parity_block(version_.slot, piece - shape.members, block), shape.block_bytes};
  const Extent extent = extent_of(shape, piece, block, version_.sizes[piece]);
  return members_[piece].subspan(extent.offset, extent.bytes);
}

Status StripeReader::read(std::uint64_t block) {
  damaged_.clear();
  wrong_.clear();
  find_damage(block);
  PSNAM_CHECK(recover(block));
  compare_parity(block);
  return {};
}

void StripeReader::find_damage(std::uint64_t block) {
  for (std::uint32_t piece = 0; piece < area_.shape().pieces(); ++piece) {
    if (piece < area_.shape().members) bytes_[piece] = {};
    if (patterns_.bytes_in(piece, block) == 0 || std::ranges::find(lost(), piece) != lost().end()) continue;
    const auto bytes = stored(piece, block);
    if (!patterns_.holds(piece, block, bytes))
      damaged_.push_back({piece, block});
    else if (piece < area_.shape().members)
      bytes_[piece] = bytes;
  }
}

/// A piece of a stripe as the code wants it: as long as a block.
const std::byte* StripeReader::whole_block(std::uint32_t piece, std::uint64_t block) {
  const format::ParityShape& shape = area_.shape();
  if (piece >= shape.members) return area_.parity_block(version_.slot, piece - shape.members, block);
  const auto bytes = bytes_[piece];
  if (bytes.empty()) return zeros_.get();
  if (bytes.size() == shape.block_bytes) return bytes.data();
  std::byte* const padded = padded_.get() + std::size_t{piece} * shape.block_bytes;
  std::memcpy(padded, bytes.data(), bytes.size());
  std::memset(padded + bytes.size(), 0, shape.block_bytes - bytes.size());
  return padded;
}

Status StripeReader::recover(std::uint64_t block) {
  const format::ParityShape& shape = area_.shape();
  const auto recovery = patterns_.with_damage(block, damaged_);
  if (!recovery)
    return Error{psnam::Code::corrupt, fmt::format("block {}: more is lost or damaged than {} {} can make again", block,
                                                   shape.parities, shape.parities == 1 ? "parity" : "parities")};
  if (recovery->lost.empty()) return {};
  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
  for (const std::uint32_t piece : recovery->sources) inputs.push_back(whole_block(piece, block));
  for (std::uint32_t output = 0; output < recovery->lost.size(); ++output)
    outputs.push_back(computed_.get() + std::size_t{output} * shape.block_bytes);
  recovery->factors.combine(shape.block_bytes, inputs, outputs);
  for (std::uint32_t output = 0; output < recovery->lost.size(); ++output) {
    const std::uint32_t piece = recovery->lost[output];
    const std::span<const std::byte> made{outputs[output], patterns_.bytes_in(piece, block)};
    if (!patterns_.holds(piece, block, made))
      return Error{psnam::Code::corrupt,
                   fmt::format("what comes out for {} has not its checksum", describe({piece, block}, shape.members))};
    if (piece < shape.members) bytes_[piece] = made;
  }
  return {};
}

void StripeReader::compare_parity(std::uint64_t block) {
  const format::ParityShape& shape = area_.shape();
  std::vector<const std::byte*> inputs;
  std::vector<std::byte*> outputs;
  for (std::uint32_t member = 0; member < shape.members; ++member) inputs.push_back(whole_block(member, block));
  for (std::uint32_t parity = 0; parity < shape.parities; ++parity)
    outputs.push_back(parity_now_.get() + std::size_t{parity} * shape.block_bytes);
  area_.code().encoding().combine(shape.block_bytes, inputs, outputs);
  for (std::uint32_t parity = 0; parity < shape.parities; ++parity) {
    const BadBlock piece{shape.members + parity, block};
    if (std::ranges::find(damaged_, piece) != damaged_.end()) continue;
    if (std::memcmp(outputs[parity], area_.parity_block(version_.slot, parity, block), shape.block_bytes) != 0)
      wrong_.push_back(piece);
  }
}

}  // namespace psnam::parity
