// The copy of one rank's data in the store of its node: a persistent allocation, so it outlives the processes. It holds
// one version, or none while it is written; a rank has as many of them as versions are kept. See
// format/checkpoint_page.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/area_memory.hpp"
#include "checkpoint/names.hpp"
#include "checkpoint/version_key.hpp"
#include "format/catalog.hpp"
#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {

/// Whose copy it is.
struct CopyOwner {
  format::Uuid series;
  std::uint32_t ranks = 0;
  std::uint32_t rank = 0;
};

/// What is in a copy, of memory that is mapped somewhere. Nothing in it is believed.
class CopyView {
 public:
  CopyView(std::span<std::byte> memory, const CopyOwner& owner) noexcept : memory_{memory}, owner_{owner} {}

  /// The header of a whole version, as far as header and checksums tell. Code::name_not_found as long as there is none,
  /// Code::corrupt, saying why, for what is not as it was written, or somebody else's.
  [[nodiscard]] Result<format::CheckpointCopyHeader> look() const;
  /// No version if look() finds none.
  [[nodiscard]] VersionKey version() const;
  /// Of the whole version.
  [[nodiscard]] std::span<std::byte> payload() const;
  /// All of it, from the header to the end of the payload; of the whole version, as the next two.
  [[nodiscard]] std::span<const std::byte> whole() const;
  [[nodiscard]] const std::uint32_t* checksums() const noexcept;
  [[nodiscard]] std::uint32_t block_bytes() const;
  /// Blocks of the payload that are not as they were written. Reads all of it.
  [[nodiscard]] std::vector<std::uint64_t> damaged_blocks() const;
  /// How many; 1 if there is no whole version.
  [[nodiscard]] std::uint64_t count_damaged() const;

  /// Whether it is known, from this copy alone, that its version was complete on all ranks.
  [[nodiscard]] bool confirmed() const;
  void confirm() const;

  /// There is no version from here on.
  void invalidate() const noexcept;
  /// Room for a payload; `payload_bytes` fits.
  [[nodiscard]] std::span<std::byte> room(std::uint64_t payload_bytes, std::uint32_t block_bytes) const noexcept;
  /// What was written to that room is the version, with the checksums of its blocks.
  void commit(const VersionKey& key, std::uint64_t payload_bytes, std::uint32_t block_bytes,
              const std::uint32_t* checksums) const noexcept;

 private:
  [[nodiscard]] std::optional<format::CheckpointCopyHeader> header() const;

  std::span<std::byte> memory_;
  CopyOwner owner_;
};

class LocalCopy {
 public:
  /// `index`: below the number of versions that are kept. Looks for the copy; there may be none yet.
  static Result<LocalCopy> open(ServicePointer store, const CopyOwner& owner, int index, CopyKind kind = CopyKind::own);
  LocalCopy(LocalCopy&&) noexcept = default;
  LocalCopy& operator=(LocalCopy&&) noexcept = default;

  /// No version if there is none.
  [[nodiscard]] VersionKey version() const;
  /// Precondition: version() is one, or make_room() has succeeded.
  [[nodiscard]] CopyView view() const noexcept { return {use_->bytes(), owner_}; }
  /// What is there goes; room for a payload, in a new allocation where the one that is there is too small.
  Result<CopyView> make_room(std::uint64_t payload_bytes, std::uint32_t block_bytes);
  /// Of a copy of another process, which writes or has written it: the room for its payload. Code::corrupt if there is
  /// less.
  [[nodiscard]] Result<std::span<std::byte>> room(std::uint64_t payload_bytes, std::uint32_t block_bytes) const;
  /// The allocation goes.
  Status remove();

 private:
  /// The mapped allocation, in use.
  class Use {
   public:
    Use(ServicePointer store, nam::AllocationUse use, nam::Memory memory) noexcept
        : store_{std::move(store)}, use_{std::move(use)}, memory_{std::move(memory)} {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();
    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
      return {memory_.mapping.data(), memory_.mapping.bytes()};
    }
    [[nodiscard]] std::uint64_t id() const noexcept { return use_.allocation.id; }

   private:
    ServicePointer store_;
    nam::AllocationUse use_;
    nam::Memory memory_;
  };

  LocalCopy(ServicePointer store, const CopyOwner& owner, std::string name);
  Result<std::unique_ptr<Use>> map(nam::AllocationUse use) const;
  Status allocate(std::uint64_t bytes);

  ServicePointer store_;
  CopyOwner owner_;
  std::string name_;
  std::unique_ptr<Use> use_;
};

}  // namespace psnam::checkpoint
