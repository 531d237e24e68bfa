#include "parity/source.hpp"

#include <fmt/format.h>

#include <cstring>

namespace psnam::parity {
namespace {

Error outside(const Extent& extent, std::size_t bytes) {
  return Error{psnam::Code::range, fmt::format("bytes {} to {} of member {}, of which {} are there", extent.offset,
                                               extent.offset + extent.bytes, extent.member, bytes)};
}

}  // namespace

const std::byte* Buffers::view(const Extent& extent) {
  if (extent.member >= members_.size()) return nullptr;
  const std::span<std::byte> member = members_[extent.member];
  if (extent.offset > member.size() || extent.bytes > member.size() - extent.offset) return nullptr;
  return member.data() + extent.offset;
}

Status Buffers::start(const Extent& extent, std::byte* into) {
  const std::byte* const from = view(extent);
  if (from == nullptr) return outside(extent, extent.member < members_.size() ? members_[extent.member].size() : 0);
  std::memcpy(into, from, extent.bytes);
  return {};
}

Status Buffers::finish(const Extent& /*extent*/) { return {}; }

Status Buffers::put(const Extent& extent, const std::byte* from) {
  if (view(extent) == nullptr)
    return outside(extent, extent.member < members_.size() ? members_[extent.member].size() : 0);
  std::memcpy(members_[extent.member].data() + extent.offset, from, extent.bytes);
  return {};
}

std::vector<std::uint64_t> Buffers::sizes() const {
  std::vector<std::uint64_t> all;
  for (const auto& member : members_) all.push_back(member.size());
  return all;
}

}  // namespace psnam::parity
