// Work of a set whose ranks all have their copies in one node's store: each maps the copies of all, and what is to be
// computed is dealt out by stripes (parity/mapped.hpp).
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "checkpoint/managed.hpp"

namespace psnam::checkpoint {
namespace {

/// Which of its copies a rank takes, and how much of it. Plain bytes.
struct Whereabouts {
  std::uint64_t payload_bytes = 0;
  std::uint32_t index = 0;
  std::uint32_t there = 0;
};

}  // namespace

Result<std::optional<Managed::SetCopies>> Managed::map_set(const LocalCopy* mine, std::span<std::byte> payload) {
  Whereabouts here;
  if (mine != nullptr) here = {payload.size(), static_cast<std::uint32_t>(mine - copies_.data()), 1};
  PSNAM_TRY(const auto all, team_.gather(here));
  const auto ranks = series_.ranks_of(set());
  const bool together = ranks.size() > 1 && std::ranges::all_of(ranks, [&](std::uint32_t one) {
                          return all[one].there != 0 && nodes_[one] == nodes_[rank()];
                        });
  SetCopies copies;
  const Status opened = locally([&]() -> Status {
    if (!together) return {};
    for (const std::uint32_t one : ranks) {
      if (one == rank()) {
        copies.members.push_back(payload);
        continue;
      }
      const CopyOwner owner{series_.id, series_.ranks(), one};
      PSNAM_TRY(LocalCopy copy, LocalCopy::open(store_, owner, static_cast<int>(all[one].index)));
      PSNAM_TRY(const auto bytes, copy.room(all[one].payload_bytes, series_.block_bytes));
      copies.members.push_back(bytes);
      copies.others.push_back(std::move(copy));
    }
    return {};
  });
  if (!opened) log::warn("copies of other ranks are not mapped: {}", opened.error().message);
  PSNAM_TRY(const auto mapped, team_.gather(together && opened ? 1U : 0U));
  if (std::ranges::any_of(ranks, [&](std::uint32_t one) { return mapped[one] == 0; }))
    return std::optional<SetCopies>{};
  return std::optional{std::move(copies)};
}

}  // namespace psnam::checkpoint
