// The parity of the data of all processes of a communicator, on one NAM: an area that is moved into a larger one when
// the data have grown.
//
// A checkpoint has a collective beginning, in which sizes are compared and the attempt is made known, and a part
// without any communicator, which may run in a thread of its own: the processes find each other in the memory of the
// area there. Process 0 of the team leads: it allocates, commits, and lets go of what a larger area has replaced. That
// is the order: the new area is committed, then kept, then the old one goes; whoever dies in between leaves at least
// one whole version, and the next use of the set takes the newest and lets go of the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/area_memory.hpp"
#include "checkpoint/team.hpp"
#include "parity/encode.hpp"
#include "parity/rebuild.hpp"

namespace psnam::checkpoint {

/// What of an area is kept outside of it. Called in process 0.
class AreaRecords {
 public:
  virtual ~AreaRecords() = default;
  /// A name for the allocation of a new area, never given before.
  [[nodiscard]] virtual std::string name_for(std::uint64_t capacity_bytes) = 0;
  virtual void kept(const format::AllocationRecord& record) = 0;
  virtual void gone(const format::AllocationRecord& record) = 0;
};

struct SetSpec {
  std::uint32_t parities = 1;
  std::uint64_t capacity_bytes = 0;  ///< of each process, at first; it grows
  std::string name;                  ///< for people and for finding it again; may be empty
  std::array<std::uint8_t, 16> id{};
};

/// One checkpoint or restart under way, as this process has it.
struct Round {
  std::shared_ptr<AreaMemory> memory;
  std::shared_ptr<AreaMemory> replaced;  ///< the area before, if this one is larger
  parity::Attempt attempt;
  parity::Version version;  ///< of a restart
  parity::Note note{};      ///< of a checkpoint
  bool pulled = false;      ///< the service makes the parity, because some process does not map the area
};

class ParitySet {
 public:
  /// Collective. A persistent set without a checkpoint. `nam` is this process's way to the same NAM.
  static Result<std::unique_ptr<ParitySet>> create(const Team& team, ServicePointer nam, const SetSpec& spec,
                                                   std::unique_ptr<AreaRecords> records);
  /// Collective. The set whose areas, newest version first, process 0 has found. Code::invalid_argument if it is not
  /// one of as many processes.
  static Result<std::unique_ptr<ParitySet>> reuse(const Team& team, ServicePointer nam,
                                                  const std::vector<AreaTicket>& areas,
                                                  std::unique_ptr<AreaRecords> records);

  [[nodiscard]] const Team& team() const noexcept { return team_; }
  [[nodiscard]] std::uint32_t parities() const noexcept { return spec_.parities; }
  /// Of the present area.
  [[nodiscard]] std::uint64_t capacity_bytes() const;
  /// The longest data of a process for which there is room now.
  [[nodiscard]] Result<std::uint64_t> largest_bytes() const;
  [[nodiscard]] format::AllocationRecord record() const;

  /// Collective. Code::busy while a round is under way.
  Result<Round> begin_checkpoint(std::uint64_t bytes, const parity::Note& note = {});
  /// Not collective, of any thread, each process once: this process's data into the parity, and the commit. Returns
  /// when the version is committed.
  Status checkpoint(const Round& round, std::span<const std::byte> data, std::byte* copy_to, parity::Deadline deadline);

  /// Collective: the newest version, for processes that have their data or have lost it. Code::name_not_found without
  /// any; Code::size if a process has another number of bytes than in that version; Code::peer_lost for more lost ones
  /// than there are parities.
  Result<Round> begin_restart(std::uint64_t bytes, bool available);
  Status restart(const Round& round, std::span<std::byte> data, bool available, parity::Deadline deadline,
                 parity::RebuildReport& report);

  /// Collective: the set goes, with all versions.
  Status end();

 private:
  ParitySet(const Team& team, ServicePointer nam, SetSpec spec, std::unique_ptr<AreaRecords> records)
      : team_{team}, nam_{std::move(nam)}, spec_{std::move(spec)}, records_{std::move(records)} {}

  [[nodiscard]] bool leads() const noexcept { return team_.rank() == 0; }
  [[nodiscard]] std::uint32_t member() const noexcept { return static_cast<std::uint32_t>(team_.rank()); }
  [[nodiscard]] parity::AreaSpec area_spec(std::uint64_t capacity_bytes) const;
  /// Collective: an area that process 0 has made or found, to all.
  Result<std::shared_ptr<AreaMemory>> share(Result<std::shared_ptr<AreaMemory>> made);
  Result<std::shared_ptr<AreaMemory>> allocate(std::uint64_t capacity_bytes);
  Status lead_begin(Round& round);
  Status checkpoint_together(const Round& round, const parity::MemberData& data, parity::Deadline deadline);
  Status checkpoint_pulled(const Round& round, const parity::MemberData& data, parity::Deadline deadline);
  Status lead_commit(const Round& round, parity::Deadline deadline);
  void let_go(AreaMemory& left);
  void adopt(const Round& round);

  Team team_;
  ServicePointer nam_;
  SetSpec spec_;
  std::unique_ptr<AreaRecords> records_;
  mutable std::mutex mutex_;  ///< for what follows
  std::shared_ptr<AreaMemory> memory_;
  bool under_way_ = false;
};

}  // namespace psnam::checkpoint
