// Managed checkpoints: a job names its data once; each version is a copy in the store of each rank's node, and parity
// on the NAM, made in one pass over the data, or a second copy with a partner, or both. See survey.hpp for what makes a
// version complete.
//
// A version is saved in this order: the ranks agree which version is complete and is not to be touched; each clears the
// older one of its two copies; the data go to the copy and into the parity; each commits its copy and says so; when all
// of a set have, its leader commits the parity. Whoever dies in between leaves the complete version untouched.
//
// The beginning of a version is collective, and so is hearing its end; what is between needs no communicator and may
// run in a thread of its own, where the ranks of a set find each other in the memory of its parity area. Partners get
// their copies when the end is heard.
//
// A job of another number of ranks than the series has makes a new one, which takes the place of the former when its
// first version is complete: in one step, the removal of the former one's page (managed_open.cpp).
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/condition.hpp"
#include "checkpoint/file_survey.hpp"
#include "checkpoint/files.hpp"
#include "checkpoint/flush.hpp"
#include "checkpoint/former.hpp"
#include "checkpoint/layout.hpp"
#include "checkpoint/local_copy.hpp"
#include "checkpoint/part.hpp"
#include "checkpoint/series.hpp"
#include "checkpoint/set_areas.hpp"
#include "checkpoint/survey.hpp"
#include "checkpoint/team.hpp"
#include "parity/mapped.hpp"

namespace psnam::checkpoint {

struct ManagedOptions {
  std::string name;
  std::uint32_t parities = 1;                       ///< 0: none; with partners only
  bool partners = false;                            ///< a rank of another node has a copy of each rank's data too
  std::uint32_t set_size = 0;                       ///< 0: as many ranks as can be
  std::uint32_t kept = format::kCheckpointMinKept;  ///< versions, with the one that is being saved
  bool or_older = false;                            ///< restart() goes back to an older version by itself
  std::string folder;                               ///< where each version is written to files too; empty: nowhere
  bool reports = false;                             ///< rank 0 tells on standard error how far the files are
  std::chrono::milliseconds timeout{0};
};

/// What a rank's data were got from.
enum class Origin {
  nothing = 0,
  own = 1,
  repaired = 2,
  rebuilt = 3,
  file = 4,
  partner = 5,
  parts = 6,  ///< from what ranks of another number, or with other parts, have saved
};

/// Something that is saved as the bytes that it makes of itself, each time as many as it likes.
struct Object {
  /// They stay until the next call.
  std::function<Result<std::span<const std::byte>>()> pack;
  std::function<Status(std::span<const std::byte>)> unpack;
};

struct Restored {
  std::uint64_t version = 0;  ///< 0: there is none
  Origin origin = Origin::nothing;
};

struct ManagedInfo {
  std::uint32_t sets = 0, set = 0, member = 0, members = 0, parities = 0;
  std::vector<std::uint64_t> complete;  ///< versions, newest first
  std::uint64_t payload_bytes = 0;      ///< of this rank, as registered now
  std::uint64_t parity_bytes = 0;       ///< memory of the set's parity
  std::uint64_t bytes_to_flush = 0;     ///< of all ranks, of the last version that goes to files
  std::uint64_t bytes_flushed = 0;      ///< of them, those that are written
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
  /// Code::name_exists for an id that is registered, Code::invalid_argument for a part that is none or of another size.
  Status add(std::uint64_t id, std::span<std::byte> bytes, Part part = {});
  /// `share`: own or shared.
  Status add_object(std::uint64_t id, Object object, Share share);
  /// Code::name_not_found.
  Status remove(std::uint64_t id);

  /// Collective. `version` 0: the next. Code::invalid_argument for one that is not above the newest that was saved.
  Status start(std::uint64_t version);
  /// Whether wait() need not wait for this process's part.
  [[nodiscard]] bool complete() const noexcept;
  /// Collective: the number of the version, which is complete.
  Result<std::uint64_t> wait();
  Result<std::uint64_t> save(std::uint64_t version);
  /// Collective: the last version is in files too, if it is to be.
  Status flush();

  /// Collective. The regions get what they had in `version`, 0: the newest complete one; copies that were lost or
  /// damaged are made again. After a failure no region was touched.
  Result<Restored> restart(std::uint64_t version);

  /// Collective.
  Result<ManagedInfo> query();
  /// Collective: the series and everything of it goes.
  Status end();
  /// Collective: what is behind the program's back ends too. Code::busy while a version is saved.
  Status close();

 private:
  /// The copies of all ranks of a set, mapped here.
  struct SetCopies {
    std::vector<LocalCopy> others;
    parity::MappedMembers members;  ///< in rank order, as members have it
  };
  /// A version that is being saved.
  struct Round {
    VersionKey key;
    std::vector<VersionKey> before;  ///< complete; the newest of them is not to be touched
    std::uint64_t all_bytes = 0;     ///< of all ranks
    AreaPointer memory;              ///< null: without parity
    parity::Attempt attempt;
    std::optional<Layout> layout;  ///< none: the copy is whole, only its parity is made
    std::optional<CopyView> copy;
    bool pulled = false;  ///< the service makes the parity, because some rank of the set does not map the area
    std::optional<SetCopies> copies;  ///< if its parity is made from the copies, and all are mapped
  };
  /// Copies of a version that are made whole.
  struct Rebuild {
    std::optional<ParityPlace> place;
    const LocalCopy* copy = nullptr;  ///< of this rank; null if its set is not concerned
    std::span<std::byte> payload;
    bool is_lost = false;
    bool pulled = false;
    std::optional<SetCopies> copies;
  };
  struct Background {
    Status status;
    std::atomic<bool> complete{false};
    std::thread thread;
  };
  enum class Asked : std::uint32_t { save = 1, restart, query, end, idle, flush };

  Managed(const Team& team, ServicePointer nam, ServicePointer store, ManagedOptions options)
      : team_{team}, nam_{std::move(nam)}, store_{std::move(store)}, options_{std::move(options)} {}

  // managed_open.cpp
  Status open_series();
  Status find_pages();
  Status make_page();
  void warn_of_near_partners() const;
  Result<Series> tell(const SeriesPage* page) const;
  Status open_former(Series series);
  Status open_parts();
  /// Collective: what is left of related series goes, but for those.
  Status clean(std::span<const format::Uuid> keep);
  /// Collective: this series is complete.
  Status replace_former();
  [[nodiscard]] bool first_of_node() const;
  [[nodiscard]] FormerPlaces places() const;

  [[nodiscard]] std::uint32_t rank() const noexcept { return static_cast<std::uint32_t>(team_.rank()); }
  [[nodiscard]] std::uint32_t set() const noexcept { return series_.set_of[rank()]; }
  [[nodiscard]] std::uint32_t leader_of(std::uint32_t set) const { return series_.ranks_of(set).front(); }
  [[nodiscard]] bool leads() const { return leader_of(set()) == rank(); }
  [[nodiscard]] parity::Deadline deadline(const AreaMemory& memory) const;

  /// Collective, of ranks that are `ready`: what all ranks have. All ask for the same.
  Result<Survey> survey(Asked what, std::uint64_t version, Status ready = {});
  /// Collective, of ranks that are `ready`: the set's area for its data, and the leader's attempt at the version in it.
  Status begin(Round& round, const Survey& survey, const std::vector<std::uint32_t>& sets, const Status& ready);
  Status take_room_for_parity(Round& round, const Survey& survey, bool takes_part, const Status& ready);
  /// The copy that is best missed: one of no complete version, or else the oldest.
  [[nodiscard]] static LocalCopy& to_overwrite(std::vector<LocalCopy>& copies, const std::vector<VersionKey>& complete);
  [[nodiscard]] LocalCopy* copy_of(const VersionKey& key);
  /// Collective: round_ is the version that is to be saved.
  Status prepare_save(std::uint64_t version);
  /// Not collective, each rank once.
  Status carry_out(const Round& round);
  Status encode(const Round& round, std::span<std::byte> payload, parity::Deadline deadline);
  Status commit(const Round& round, parity::Deadline deadline);
  std::vector<std::uint32_t> copy_alone(const Round& round, std::span<std::byte> payload);
  Result<std::uint64_t> conclude(Status mine);
  Status confirm(const VersionKey& key);
  Status pack_objects();
  /// Code::invalid_argument if all regions together have more bytes than can be.
  [[nodiscard]] Status check_sum(std::uint64_t id, std::uint64_t bytes) const;
  [[nodiscard]] std::set<std::uint64_t> object_ids() const;
  [[nodiscard]] Layout layout() const { return Layout{regions_, series_.block_bytes, parts_}; }

  // managed_pulled.cpp
  /// Collective: whether a rank of this one's set does not map its area.
  Result<bool> any_unmapped(const AreaPointer& memory);
  Status carry_out_pulled(const Round& round, std::span<std::byte> payload, parity::Deadline deadline);

  // managed_mapped.cpp
  /// Collective. Everybody's copy, where those of this rank's set are on one node; `payload` is, or will be, in `mine`.
  /// Null for a rank that takes no part.
  Result<std::optional<SetCopies>> map_set(const LocalCopy* mine, std::span<std::byte> payload);

  // managed_restart.cpp
  Result<Restored> restart_from(const Survey& survey, VersionKey key, bool or_older);
  Result<Origin> make_whole(const Survey& survey, const VersionKey& key);
  Status rebuild(const Survey& survey, const VersionKey& key, const std::vector<std::uint32_t>& sets);
  Status prepare_rebuild(Rebuild& work, const Survey& survey, const VersionKey& key);
  /// Not collective, each rank once.
  Status carry_out_rebuild(const Rebuild& work, const VersionKey& key, const parity::Attempt& attempt);
  Status protect(const Survey& survey, const VersionKey& key);
  /// Whether the regions were put together from other parts.
  Result<bool> give_out(const VersionKey& key);
  Status unpack_objects(const std::map<std::uint64_t, Saved>& saved);

  // managed_partner.cpp
  /// Whose data this rank's partners' copies are: number and stamp of each, filled into the states.
  Status hear_partners(std::vector<RankState>& states) const;
  /// Collective: of those ranks that it is named for.
  Status send_to_partners(const VersionKey& key, const std::vector<VersionKey>& before, const std::vector<bool>& ranks);
  Status protect_with_partners(const Survey& survey, const VersionKey& key);
  /// Collective: the copies that are not whole and that a partner has; their conditions change. Whether this rank's is
  /// one of them.
  Result<bool> fetch_from_partners(const Survey& survey, const VersionKey& key, std::vector<Condition>& all);

  // managed_spread.cpp
  Result<Restored> restart_from_former(Former& former, std::uint64_t asked);
  Status spread(std::uint32_t former_ranks, std::vector<KeptRank> kept);
  /// Collective: what files of another number of ranks have that is newer than `than`; null if there is nothing.
  Result<std::unique_ptr<Former>> newer_files_of_others(const VersionKey& than, std::uint64_t asked);

  // managed_files.cpp
  void write_file(const VersionKey& key, std::uint64_t all_bytes);
  void await_file();
  /// Collective: those for which every rank has newer ones.
  Status remove_old_files();
  Result<std::vector<VersionKey>> versions_in_files(const Survey& survey, std::uint64_t asked) const;
  Result<VersionKey> load_files(const Survey& survey, const std::vector<VersionKey>& candidates);
  Status load_file(const VersionKey& key);

  Team team_;
  ServicePointer nam_, store_;
  ManagedOptions options_;
  Series series_;
  std::vector<format::Uuid> nodes_;   ///< of each rank
  std::unique_ptr<SeriesPage> page_;  ///< of rank 0
  std::unique_ptr<Former> former_;    ///< as long as its newest version is that of the series
  std::unique_ptr<SeriesPage> former_page_;
  VersionKey floor_;               ///< versions that others than this series have are not above it
  VersionKey unusable_;            ///< the newest that was found to be damaged beyond repair; none: no version was
  std::optional<SetAreas> areas_;  ///< if there are parities
  std::vector<LocalCopy> copies_;
  std::map<std::uint32_t, std::vector<LocalCopy>> wards_;  ///< copies of the ranks whose partner this one is
  std::optional<Files> files_;                             ///< if they are wanted
  std::unique_ptr<Flush> flush_;                           ///< of the last version
  Regions regions_;
  Parts parts_;
  std::map<std::uint64_t, Object> objects_;
  std::optional<Round> round_;
  std::unique_ptr<Background> background_;
};

}  // namespace psnam::checkpoint
