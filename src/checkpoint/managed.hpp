// Managed checkpoints: a job names its data once; each version is a copy in the store of each rank's node, and parity
// on the NAM, made in one pass over the data. See survey.hpp for what makes a version complete.
//
// A version is saved in this order: the ranks agree which version is complete and is not to be touched; each clears the
// older one of its two copies; the data go to the copy and into the parity; each commits its copy and says so; when all
// of a set have, its leader commits the parity. Whoever dies in between leaves the complete version untouched.
//
// The beginning of a version is collective, and so is hearing its end; what is between needs no communicator and may
// run in a thread of its own, where the ranks of a set find each other in the memory of its parity area.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/files.hpp"
#include "checkpoint/layout.hpp"
#include "checkpoint/local_copy.hpp"
#include "checkpoint/series.hpp"
#include "checkpoint/set_areas.hpp"
#include "checkpoint/survey.hpp"
#include "checkpoint/team.hpp"

namespace psnam::checkpoint {

struct ManagedOptions {
  std::string name;
  std::uint32_t parities = 1;
  std::uint32_t set_size = 0;  ///< 0: as many ranks as can be
  bool or_older = false;       ///< restart() goes back to an older version by itself
  std::string folder;          ///< where each version is written to files too; empty: nowhere
  std::chrono::milliseconds timeout{0};
};

/// What a rank's data were got from.
enum class Origin { nothing = 0, own = 1, repaired = 2, rebuilt = 3, file = 4 };

struct Restored {
  std::uint64_t version = 0;  ///< 0: there is none
  Origin origin = Origin::nothing;
};

struct ManagedInfo {
  std::uint32_t sets = 0, set = 0, member = 0, members = 0, parities = 0;
  std::uint64_t newest = 0, older = 0;  ///< complete versions; 0: none
  std::uint64_t payload_bytes = 0;      ///< of this rank, as registered now
  std::uint64_t parity_bytes = 0;       ///< memory of the set's parity
  std::vector<std::uint32_t> lost;      ///< ranks without a copy of the newest
};

class Managed {
 public:
  /// Collective. Goes on with the series of that name, or makes it. `nam` keeps the parity, `store` is of this node.
  static Result<std::unique_ptr<Managed>> open(const Team& team, ServicePointer nam, ServicePointer store,
                                               const ManagedOptions& options);
  Managed(const Managed&) = delete;
  Managed& operator=(const Managed&) = delete;
  ~Managed();

  [[nodiscard]] const Team& team() const noexcept { return team_; }
  /// Of this rank: where its copies are.
  [[nodiscard]] format::Uuid node() const { return store_->node().store; }

  // What this process has; not collective. Code::busy while a version is saved.
  /// Code::name_exists for an id that is registered.
  Status add(std::uint64_t id, std::span<std::byte> bytes);
  /// Code::name_not_found.
  Status remove(std::uint64_t id);

  /// Collective. `version` 0: the next. Code::invalid_argument for one that is not above the newest complete one.
  Status start(std::uint64_t version);
  /// Whether wait() need not wait for this process's part.
  [[nodiscard]] bool complete() const noexcept;
  /// Collective: the number of the version, which is complete.
  Result<std::uint64_t> wait();
  Result<std::uint64_t> save(std::uint64_t version);

  /// Collective. The regions get what they had in `version`, 0: the newest complete one; copies that were lost or
  /// damaged are made again. After a failure no region was touched.
  Result<Restored> restart(std::uint64_t version);

  /// Collective.
  Result<ManagedInfo> query();
  /// Collective: the series and everything of it goes.
  Status end();
  /// Collective: nothing is under way.
  Status check_idle();

 private:
  /// A version that is being saved.
  struct Round {
    VersionKey key;
    AreaPointer memory;
    parity::Attempt attempt;
    std::optional<Layout> layout;  ///< none: the copy is whole, only its parity is made
    std::optional<CopyView> copy;
    bool pulled = false;  ///< the service makes the parity, because some rank of the set does not map the area
  };
  struct Background {
    Status status;
    std::atomic<bool> complete{false};
    std::thread thread;
  };
  enum class Asked : std::uint32_t { save = 1, restart, query, end, idle };

  Managed(const Team& team, ServicePointer nam, ServicePointer store, ManagedOptions options)
      : team_{team}, nam_{std::move(nam)}, store_{std::move(store)}, options_{std::move(options)} {}

  Status open_series();
  Result<std::unique_ptr<SeriesPage>> find_or_make(const std::vector<format::Uuid>& nodes);
  Status open_parts();

  [[nodiscard]] std::uint32_t rank() const noexcept { return static_cast<std::uint32_t>(team_.rank()); }
  [[nodiscard]] std::uint32_t set() const noexcept { return series_.set_of[rank()]; }
  [[nodiscard]] std::uint32_t leader_of(std::uint32_t set) const { return series_.ranks_of(set).front(); }
  [[nodiscard]] bool leads() const { return leader_of(set()) == rank(); }
  [[nodiscard]] parity::Deadline deadline(const AreaMemory& memory) const;

  /// Collective: what all ranks have. All ask for the same.
  Result<Survey> survey(Asked what, std::uint64_t version);
  /// Collective: the set's area for data of that size, and the leader's attempt at `key` in it.
  Result<Round> begin(const Survey& survey, const VersionKey& key, std::vector<std::uint32_t> sets);
  Result<AreaPointer> room_for_parity(const Survey& survey, bool takes_part);
  [[nodiscard]] LocalCopy& copy_to_overwrite(const VersionKey& keep);
  [[nodiscard]] LocalCopy* copy_of(const VersionKey& key);
  /// Not collective, each rank once.
  Status carry_out(const Round& round);
  Status encode(const Round& round, std::span<std::byte> payload, parity::Deadline deadline);
  Status commit(const Round& round, parity::Deadline deadline);
  Result<std::uint64_t> conclude(Status mine);

  // managed_pulled.cpp
  /// Collective: whether a rank of this one's set does not map its area.
  Result<bool> any_unmapped(const AreaPointer& memory);
  Status carry_out_pulled(const Round& round, std::span<std::byte> payload, parity::Deadline deadline);

  // managed_restart.cpp
  Result<Restored> restart_from(const Survey& survey, VersionKey key, bool or_older);
  Result<Origin> make_whole(const Survey& survey, const VersionKey& key);
  Status rebuild(const Survey& survey, const VersionKey& key, const std::vector<std::uint32_t>& sets);
  Status protect(const Survey& survey, const VersionKey& key);
  Status give_out(const VersionKey& key);

  // managed_files.cpp
  void write_file(const VersionKey& key);
  void await_file();
  Result<VersionKey> load_files(const Survey& survey, std::uint64_t asked);
  Status load_file(const VersionKey& key);

  Team team_;
  ServicePointer nam_, store_;
  ManagedOptions options_;
  Series series_;
  std::unique_ptr<SeriesPage> page_;  ///< of rank 0
  std::optional<SetAreas> areas_;
  std::vector<LocalCopy> copies_;
  std::optional<Files> files_;  ///< if they are wanted
  std::thread writer_;          ///< of the last version's file
  Regions regions_;
  std::optional<Round> round_;
  std::unique_ptr<Background> background_;
};

}  // namespace psnam::checkpoint
