// Which checkpoints a command of namctl works on: those of the store or manager that is meant, copies in the store of
// this node, and in those that are named; and the one that a person means by a name.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "checkpoint/inventory.hpp"
#include "cli/command.hpp"
#include "cli/json.hpp"

namespace psnam::cli {

[[nodiscard]] Result<checkpoint::Inventory> take_inventory(const Invocation& invocation, const CheckpointWish& wish);

/// One of the two is not null.
struct ChosenCheckpoints {
  const checkpoint::FoundSeries* series = nullptr;
  const checkpoint::FoundSet* set = nullptr;
};
/// A series by its name, the caller's own before others', or by its id; a set of libNAM by its name, or by the number
/// of its allocation. Code::name_not_found, with names that are like it; Code::invalid_argument if several are meant.
[[nodiscard]] Result<ChosenCheckpoints> choose(const Invocation& invocation, const checkpoint::Inventory& inventory,
                                               const std::string& name);

/// "12 of 2026-11-26 23:05".
[[nodiscard]] std::string version_text(std::uint64_t number, std::uint64_t since_1970_ns);
/// The members "number" and "saved_unix_seconds".
void put_version(JsonWriter& json, std::uint64_t number, std::uint64_t since_1970_ns);
[[nodiscard]] std::uint64_t bytes_of(const std::vector<checkpoint::FoundPart>& parts);

}  // namespace psnam::cli
