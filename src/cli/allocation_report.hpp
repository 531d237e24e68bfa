// An allocation or segment as namctl describes it, for people and as JSON; the same words in alloc, list and show.
#pragma once

#include <string>

#include "cli/contents.hpp"
#include "cli/json.hpp"

namespace psnam::cli {

/// Members of the allocation's object; the caller opens and closes it. The challenge is not among them.
void put_allocation(JsonWriter& json, const nam::AllocationReport& report, const Contents& contents);
/// The member "tree": the segments below `id`, parents before children.
void put_tree(JsonWriter& json, std::uint64_t id, const Contents& contents);

/// The section of namctl list: the free-standing ones. Empty if there are none.
[[nodiscard]] std::string allocations_text(const Contents& contents);
/// A table of the segments below `id`; empty if there are none.
[[nodiscard]] std::string tree_text(std::uint64_t id, const Contents& contents);
/// One allocation or segment with the tree below it.
[[nodiscard]] std::string allocation_text(const nam::AllocationReport& report, const Contents& contents);
/// "never", a time, "with its users" for a volatile one; a time in the past is marked.
[[nodiscard]] std::string expiry_text(const format::AllocationRecord& allocation);
[[nodiscard]] bool has_expired(const format::AllocationRecord& allocation);
/// `17 "job-42"`, or `17`.
[[nodiscard]] std::string title_of(const format::AllocationRecord& allocation);
/// Where the memory of a window's region is: "memory/... at 0", "segment 21 of 17 at 4096".
[[nodiscard]] std::string memory_text(const format::RegionRecord& region, const Contents& contents);
/// Where in its parent a region in a segment begins; null for others.
void put_parent(JsonWriter& json, const format::RegionRecord& region, const Contents& contents);

}  // namespace psnam::cli
