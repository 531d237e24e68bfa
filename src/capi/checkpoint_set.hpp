// A set of checkpoints as nam_ext.h has it: one parity set on one NAM, or one on each, of the processes whose rank
// leaves the same rest.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "capi/nams.hpp"
#include "checkpoint/parity_set.hpp"
#include "nam_team.h"

namespace psnam::capi {

class CheckpointSet {
 public:
  CheckpointSet(std::unique_ptr<checkpoint::ParitySet> parity, std::chrono::milliseconds timeout) noexcept
      : parity_{std::move(parity)}, timeout_{timeout} {}

  [[nodiscard]] checkpoint::ParitySet& parity() noexcept { return *parity_; }
  /// When a pass over the data of all processes has to be over.
  [[nodiscard]] parity::Deadline deadline() const;

 private:
  std::unique_ptr<checkpoint::ParitySet> parity_;
  std::chrono::milliseconds timeout_;
};

/// Which set is looked for: the newest of this user that is not in use.
struct WantedSet {
  std::uint64_t ranks = 0;
  std::string name;  ///< empty: any
};
/// Its areas. Code::name_not_found, saying what there is.
[[nodiscard]] Result<std::vector<checkpoint::AreaTicket>> find_areas(const ServicePointer& nam,
                                                                     const WantedSet& wanted);

/// Collective: ends the set and its handle.
Status end_checkpoints(nam_ext_allocation_t* handle, CheckpointSet& set);

/// The names of areas and their files, beside those of other sets (capi/records.hpp).
[[nodiscard]] std::unique_ptr<checkpoint::AreaRecords> area_records(std::vector<std::int32_t> global_ranks);

}  // namespace psnam::capi
