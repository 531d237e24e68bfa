// Versions whose parity the service makes, because some rank of the set does not map its area.
#include <algorithm>
#include <vector>

#include "checkpoint/managed.hpp"
#include "checkpoint/pulled.hpp"

namespace psnam::checkpoint {

Result<bool> Managed::any_unmapped(const AreaPointer& memory) {
  const std::uint32_t mine = memory && !memory->mapped() ? 1 : 0;
  PSNAM_TRY(const auto all, team_.gather(mine));
  return std::ranges::any_of(series_.ranks_of(set()), [&](std::uint32_t one) { return all[one] != 0; });
}

/// The service reads the copy, which nobody writes meanwhile, and not the data.
Status Managed::carry_out_pulled(const Round& round, std::span<std::byte> payload, parity::Deadline deadline) {
  const std::uint32_t member = series_.member(rank());
  std::vector<std::uint32_t> checksums;
  if (round.layout) {
    round.layout->pack(payload.data());
    const auto pieces = round.layout->pieces(payload.data());
    checksums =
        parity::copy_member({.member = member, .bytes = payload.first(round.layout->packed_bytes()), .further = pieces},
                            series_.block_bytes);
    round.copy->commit(round.key, payload.size(), series_.block_bytes, checksums.data());
  } else {
    const std::uint32_t* const known = round.copy->checksums();
    checksums.assign(known, known + (payload.size() + series_.block_bytes - 1) / series_.block_bytes);
  }
  PSNAM_CHECK(encode_pulled(*round.memory, round.attempt, note_of(round.key), {.member = member, .bytes = payload},
                            checksums, deadline));
  // A new area outlives the job from here on.
  if (!leads() || round.memory->record().consistency == format::Consistency::persistent) return {};
  return round.memory->keep();
}

}  // namespace psnam::checkpoint
