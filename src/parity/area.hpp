// A parity area in memory that somebody else has mapped: made, opened, and its versions looked at and written. What
// lies there was perhaps written by a process that died, or has changed since: opening looks at all of it and believes
// nothing else, and sizes are taken from there once.
//
// One writer at a time: begin() to commit() of one version is one attempt, and nobody begins another while a process
// still works on the last. Readers of other versions are not disturbed. The memory has to stay as long as the Area.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "format/parity_page.hpp"
#include "parity/code.hpp"

namespace psnam::parity {

using Deadline = std::chrono::steady_clock::time_point;
using Note = std::array<std::uint8_t, format::kParityNoteBytes>;

inline constexpr std::uint32_t kDefaultBlockBytes = 64U << 10;

/// What a set is; the rest of the shape follows.
struct AreaSpec {
  std::uint32_t members = 0;
  std::uint32_t parities = 1;
  std::uint64_t capacity_bytes = 0;  ///< of the longest member that will ever be
  std::uint32_t block_bytes = kDefaultBlockBytes;
  std::array<std::uint8_t, 16> id{};
  std::string name;                               ///< at most 127 bytes
  std::uint32_t slots = format::kParityMinSlots;  ///< versions that it keeps, with the one that is being written
};

/// How many bytes an area takes. Code::invalid_argument naming what no area can have.
[[nodiscard]] Result<std::uint64_t> bytes_needed(std::uint32_t members, std::uint64_t capacity_bytes,
                                                 std::uint32_t parities, std::uint32_t block_bytes = kDefaultBlockBytes,
                                                 std::uint32_t slots = format::kParityMinSlots);

enum class SlotState {
  empty,       ///< never written
  unfinished,  ///< begun, not committed
  committed,   ///< whole, as far as header, sizes and checksums tell; the parity bytes are looked at by verify()
  damaged,     ///< its commit record or what that record vouches for is not as it was written
};

/// One committed version, as copied from its slot when it was looked at.
struct Version {
  std::uint64_t number = 0;
  std::uint64_t taken_ns = 0;  ///< since 1970
  Note note{};
  std::vector<std::uint64_t> sizes;  ///< of each member; none above the capacity
  std::uint64_t longest_bytes = 0;
  std::size_t slot = 0;
};

struct SlotReport {
  SlotState state = SlotState::empty;
  std::uint64_t number = 0;        ///< of the version, where it is known; else 0
  std::string reason;              ///< for unfinished and damaged: what, and where
  std::optional<Version> version;  ///< if committed
};

/// Names one begin(). Plain bytes: the one who began hands it to the other members, by any way.
struct Attempt {
  std::uint64_t number = 0;
  std::uint64_t version = 0;
  std::uint64_t slot = 0;
};

/// A block whose checksum does not hold: member, or members + index of the parity.
struct BadBlock {
  std::uint32_t piece = 0;
  std::uint64_t block = 0;
  auto operator<=>(const BadBlock&) const = default;
};
/// "member 3 block 17", "parity 0 block 2".
[[nodiscard]] std::string describe(const BadBlock& bad, std::uint32_t members);

class Area {
 public:
  /// Writes a new area into `memory`, which is at least bytes_needed() and aligned to 64, without versions. Whatever
  /// was there is gone.
  [[nodiscard]] static Result<Area> create(std::span<std::byte> memory, const AreaSpec& spec);
  /// Code::corrupt or Code::incompatible, naming what and where, if this is no area of this format; damaged versions
  /// are no error here.
  [[nodiscard]] static Result<Area> open(std::span<std::byte> memory);

  [[nodiscard]] const format::ParityShape& shape() const noexcept { return shape_; }
  [[nodiscard]] const Code& code() const noexcept { return code_; }
  [[nodiscard]] const std::array<std::uint8_t, 16>& id() const noexcept { return id_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

  /// All slots, looked at now.
  [[nodiscard]] std::vector<SlotReport> slots() const;
  /// Newest first.
  [[nodiscard]] std::vector<Version> versions() const;
  /// Code::name_not_found (none was ever committed, or not this one) or Code::corrupt, telling what each slot has.
  [[nodiscard]] Result<Version> newest() const;
  [[nodiscard]] Result<Version> version(std::uint64_t number) const;
  /// Reads all parity of a version; the blocks that are not as they were written.
  [[nodiscard]] std::vector<BadBlock> verify(const Version& version) const;

  /// Begins a version in a slot without one, or else in that of the oldest; what that slot held is gone.
  /// Code::invalid_argument unless `number` is above every committed version's.
  [[nodiscard]] Result<Attempt> begin(std::uint64_t number, const Note& note = {});
  /// The version is none any more, and its slot the next to be written.
  void drop(const Version& version);
  /// Begins common work that writes no version (a rebuild): the number alone.
  [[nodiscard]] Attempt begin_rebuild(const Version& version);
  /// The last step, by one process, after every member's encode() has returned success: waits until all have said so
  /// in the area, at most until `deadline` (Code::peer_lost, naming who is missing), then writes the commit record.
  [[nodiscard]] Status commit(const Attempt& attempt, Deadline deadline);

  // For the parts of this layer. Pointers stay inside the memory for every piece < pieces() and block < blocks().
  [[nodiscard]] std::byte* parity_block(std::size_t slot, std::uint32_t parity, std::uint64_t block) const noexcept;
  [[nodiscard]] std::uint32_t* checksums(std::size_t slot, std::uint32_t piece) const noexcept;
  [[nodiscard]] std::uint64_t* sizes(std::size_t slot) const noexcept;
  [[nodiscard]] format::ParitySlotHeader& slot_header(std::size_t slot) const noexcept;
  [[nodiscard]] format::ParityTeam& team() const noexcept;
  [[nodiscard]] format::ParitySeat& seat(std::uint32_t member) const noexcept;
  [[nodiscard]] format::ParityTile& tile(std::uint32_t index) const noexcept;
  [[nodiscard]] std::byte* tile_block(std::uint32_t index, std::uint32_t output) const noexcept;
  /// Writes the commit record of what the slot has now, where the members have these sizes.
  void write_commit(const Attempt& attempt, std::span<const std::uint64_t> sizes) const noexcept;

 private:
  Area(std::byte* base, const format::ParityHeader& header, Code code);
  [[nodiscard]] SlotReport look_at(std::size_t slot) const;
  [[nodiscard]] std::byte* slot_base(std::size_t slot) const noexcept;
  [[nodiscard]] format::ParityCommit& commit_record(std::size_t slot) const noexcept;
  [[nodiscard]] std::uint32_t tables_checksum(std::size_t slot, const format::ParitySlotHeader& header,
                                              std::span<const std::uint64_t> sizes) const noexcept;
  [[nodiscard]] std::uint64_t new_attempt() const noexcept;
  /// Why there is no such version, and what each slot has.
  [[nodiscard]] Error without(std::string_view version, bool damaged, const std::vector<SlotReport>& found) const;

  std::byte* base_;
  format::ParityShape shape_;
  Code code_;
  std::array<std::uint8_t, 16> id_;
  std::string name_;
};

}  // namespace psnam::parity
