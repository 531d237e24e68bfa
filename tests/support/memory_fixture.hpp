// What tests of segments and free-standing allocations begin with.
#pragma once

#include <sys/stat.h>

#include "nam/folder.hpp"
#include "support/store_fixture.hpp"

namespace psnam::test {

inline nam::AllocationSource segment_of(std::uint64_t parent, std::optional<std::uint64_t> offset = std::nullopt) {
  return {.kind = nam::AllocationSource::Kind::segment, .id = parent, .offset_bytes = offset};
}
inline nam::AllocationSource existing(std::uint64_t id) {
  return {.kind = nam::AllocationSource::Kind::existing, .id = id};
}

class MemoryTest : public StoreTest {
 protected:
  format::AllocationRecord allocate(std::uint64_t bytes, nam::AllocationRequest request = {},
                                    const std::vector<format::ProcessIdentity>& users = me()) {
    request.size_bytes = bytes;
    auto use = store().allocate(request, users);
    if (!use) {
      ADD_FAILURE() << use.error().message;
      return {};
    }
    uses_[use->allocation.id] = use->use_id;
    return std::move(use->allocation);
  }
  format::AllocationRecord keep(format::AllocationRecord allocation) {
    const Status kept = store().set_allocation_consistency(allocation.id, format::Consistency::persistent);
    EXPECT_TRUE(kept) << kept.error().message;
    EXPECT_TRUE(store().close(uses_[allocation.id]));
    return allocation;
  }
  /// The use that allocate() began.
  [[nodiscard]] std::uint64_t use_of(std::uint64_t allocation_id) { return uses_[allocation_id]; }

  nam::WindowUse in_segments(const std::string& name, const std::vector<std::uint64_t>& sizes,
                             const std::vector<nam::AllocationSource>& sources,
                             const std::vector<format::ProcessIdentity>& users = me()) {
    auto use = store().create(draft_of(name, sizes), sources, users);
    if (!use) {
      ADD_FAILURE() << use.error().message;
      return {};
    }
    return std::move(*use);
  }
  format::AllocationRecord record(std::uint64_t id) {
    auto found = store().find_allocation(id);
    if (!found) {
      ADD_FAILURE() << found.error().message;
      return {};
    }
    return std::move(*found);
  }
  nam::AllocationReport report(std::uint64_t id) {
    auto reports = store().allocations();
    if (!reports) {
      ADD_FAILURE() << reports.error().message;
      return {};
    }
    for (auto& report : *reports)
      if (report.allocation.id == id) return std::move(report);
    ADD_FAILURE() << "no report of " << id;
    return {};
  }
  std::uint64_t reserved() {
    const auto summary = store().summary();
    return summary ? summary->reserved_bytes : ~std::uint64_t{0};
  }
  /// What the file of an allocation takes of the file system, in blocks of 512 bytes.
  std::int64_t blocks_of(std::uint64_t id) {
    struct stat status {};
    if (::stat((folder() / "memory" / nam::file_name(id)).c_str(), &status) != 0) return -1;
    return status.st_blocks;
  }

 private:
  std::map<std::uint64_t, std::uint64_t> uses_;
};

}  // namespace psnam::test
