// Where one process that encodes or rebuilds for all members gets their bytes from, and puts them: buffers of its own,
// or memory of other processes that it reads over a network while it works on what came before.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.hpp"

namespace psnam::parity {

/// Which bytes of which member. Whole blocks, but for a member's last one.
struct Extent {
  std::uint32_t member = 0;
  std::uint64_t offset = 0;
  std::size_t bytes = 0;
};

/// Bytes of members that are there. The engine calls it from one thread.
class Source {
 public:
  virtual ~Source() = default;

  /// The bytes where they are, if this process can read them in place until it is done; else null, and they are brought
  /// by start() and finish().
  [[nodiscard]] virtual const std::byte* view(const Extent& extent) = 0;
  /// Begins to bring the bytes to `into`, which stays untouched until finish() of the same extent has returned.
  /// Several may be under way; they are finished in the order in which they were started. After an error of either the
  /// engine calls drain() and nothing else.
  [[nodiscard]] virtual Status start(const Extent& extent, std::byte* into) = 0;
  [[nodiscard]] virtual Status finish(const Extent& extent) = 0;
  /// Returns when no `into` is written any more.
  virtual void drain() noexcept = 0;
};

/// Takes the bytes of members that were rebuilt, or of blocks that were repaired.
class Sink {
 public:
  virtual ~Sink() = default;

  /// Called for bytes whose checksum holds; blocks of damaged stripes come after the others.
  [[nodiscard]] virtual Status put(const Extent& extent, const std::byte* from) = 0;
};

/// What is known of members' data without reading it, so that what did not change since the last version is not read
/// again. See docs/decisions/0020: a change that leaves a checksum as it was (one in 2^32) would not be seen.
class Changes {
 public:
  virtual ~Changes() = default;

  /// The checksum of a block as it is now, where the member has told it.
  [[nodiscard]] virtual std::optional<std::uint32_t> checksum_now(std::uint32_t member, std::uint64_t block) = 0;
  /// Where the bytes of the extent are as they were in version `version`; null if they are not at hand.
  [[nodiscard]] virtual const std::byte* before(const Extent& extent, std::uint64_t version) = 0;
};

/// All members in buffers of this process. An empty one with `size` above zero is a member that is lost: reading it
/// is an error.
class Buffers final : public Source, public Sink {
 public:
  explicit Buffers(std::vector<std::span<std::byte>> members) : members_{std::move(members)} {}

  [[nodiscard]] const std::byte* view(const Extent& extent) override;
  [[nodiscard]] Status start(const Extent& extent, std::byte* into) override;
  [[nodiscard]] Status finish(const Extent& extent) override;
  void drain() noexcept override {}
  [[nodiscard]] Status put(const Extent& extent, const std::byte* from) override;
  [[nodiscard]] std::vector<std::uint64_t> sizes() const;

 private:
  std::vector<std::span<std::byte>> members_;
};

}  // namespace psnam::parity
