// Parity made by the service: it reads the members' memory over the fabric, while they do something else. For sets with
// a member that does not map the area; those whose members all do make it themselves (parity/encode.hpp).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "parity/area.hpp"

namespace psnam::nam {

enum class ParityWork { encode, rebuild };

/// A part of a client's memory, where the server reaches it. No bytes: nothing.
struct ExportedPart {
  std::uint64_t key = 0;
  std::uint64_t base = 0;
  std::uint64_t bytes = 0;
  bool operator==(const ExportedPart&) const = default;
};

/// What one member has to do with a version.
struct ParityPart {
  std::uint64_t allocation_id = 0;  ///< has the area; in use by the caller, who may write to it
  std::uint64_t attempt = 0;        ///< the same for all members, another each time, never 0
  ParityWork work = ParityWork::encode;
  std::uint64_t version = 0;
  parity::Note note{};  ///< of a version that is made; that of member 0 counts
  std::uint32_t member = 0;
  std::span<std::byte> bytes{};  ///< read, and in a rebuild also written
  bool lost = false;             ///< of a rebuild: there is nothing in `bytes` yet
  /// Of the blocks as they are now, if they are known: where those of no member have changed, nothing is read.
  std::span<const std::uint32_t> checksums{};
};

struct ParityDone {
  std::uint64_t version = 0;
  std::uint64_t stripes = 0;
  std::uint64_t stripes_kept = 0;  ///< nobody had changed them
  std::uint64_t bytes_read = 0;    ///< of members' data
  std::vector<std::uint32_t> rebuilt;
  std::vector<parity::BadBlock> repaired;  ///< at most the first kMostRepaired

  static constexpr std::size_t kMostRepaired = 1024;
};

class ParityService {
 public:
  virtual ~ParityService() = default;
  /// Every member calls it, from any thread; it returns when the version is committed, or everything is rebuilt. When
  /// it has returned, whatever happened, nobody reads or writes the member's bytes any more. Code::peer_lost when
  /// `deadline` passes or a member is lost. Code::unsupported of a store that nobody serves.
  [[nodiscard]] virtual Result<ParityDone> combine(const ParityPart& part,
                                                   std::chrono::steady_clock::time_point deadline) {
    static_cast<void>(deadline);
    return Error{Code::unsupported, "a store without a manager has nobody who makes parity for others: allocation " +
                                        std::to_string(part.allocation_id)};
  }
};

}  // namespace psnam::nam
