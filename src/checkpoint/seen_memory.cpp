#include "checkpoint/seen_memory.hpp"

#include <algorithm>
#include <new>
#include <vector>

#include "base/log.hpp"
#include "checkpoint/uses.hpp"

namespace psnam::checkpoint {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPieceBytes = std::size_t{4} << 20;

}  // namespace

class SeenMemory::Use {
 public:
  Use(ServicePointer nam, std::uint64_t id) noexcept : nam_{std::move(nam)}, id_{id} {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() {
    if (const Status closed = nam_->close(id_); !closed) log::warn("use {} stays: {}", id_, closed.error().message);
  }

 private:
  ServicePointer nam_;
  std::uint64_t id_;
};

Result<SeenMemory> SeenMemory::look(const ServicePointer& nam, const format::AllocationRecord& record) {
  SeenMemory seen;
  // A store of this process gives its memory to whoever may open its files; a manager wants it to be in use.
  if (seen.reach(*nam, record)) return seen;
  PSNAM_TRY(const auto me, nam->user(kLookingRank));
  PSNAM_TRY(const nam::AllocationUse use,
            nam->open_allocation(record.id, std::nullopt, nam::AccessRight::read_only, {&me, 1}));
  seen.use_ = std::make_shared<Use>(nam, use.use_id);
  PSNAM_CHECK(seen.reach(*nam, record));
  return seen;
}

Status SeenMemory::reach(nam::Service& nam, const format::AllocationRecord& record) {
  PSNAM_TRY(memory_,
            nam.open_range(record.root_id, record.root_offset_bytes, record.size_bytes, Protection::read_only));
  if (!memory_.remote) {
    bytes_ = {memory_.mapping.data(), memory_.mapping.bytes()};
    return {};
  }
  auto* const room = static_cast<std::byte*>(::operator new (record.size_bytes, std::align_val_t{kPage}));
  room_ = {room, [](std::byte* bytes) { ::operator delete (bytes, std::align_val_t{kPage}); }};
  bytes_ = {room, record.size_bytes};
  return {};
}

Status SeenMemory::need(std::uint64_t at, std::uint64_t bytes) const {
  if (!memory_.remote || at >= bytes_.size()) return {};
  const std::span<std::byte> to = bytes_.subspan(at, std::min<std::uint64_t>(bytes, bytes_.size() - at));
  std::vector<backends::Piece> pieces;
  for (std::size_t done = 0; done < to.size(); done += kPieceBytes)
    pieces.push_back({at + done, to.data() + done, std::min(kPieceBytes, to.size() - done)});
  PSNAM_CHECK(memory_.remote->read(pieces));
  return memory_.remote->flush();
}

}  // namespace psnam::checkpoint
