// Manifestations: where the bytes of a region live, and how long.
#pragma once

#include <memory>
#include <span>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"
#include "nam/service.hpp"

namespace psnam::manifestations {

/// A part of a file of memory.
struct FilePart {
  std::uint64_t offset_bytes = 0;
  std::uint64_t bytes = 0;
};

/// One way to hold a region's bytes. Stateless but for the memory store it works on.
class Manifestation {
 public:
  virtual ~Manifestation() = default;

  /// Whether a window whose ranks are spread over `nodes` nodes can hold regions of this kind.
  [[nodiscard]] virtual Status admits(std::size_t nodes) const = 0;

  /// Takes the memory of an allocation of a window, which is recorded: `part` of the file `allocation_id`. What is
  /// `own` is a file that this makes; what exists already, a segment or an allocation, is given the pages that it may
  /// lack. The pages are there when this returns (Reserve::full). Code::no_memory.
  [[nodiscard]] virtual Result<nam::Memory> create(std::uint64_t allocation_id, const FilePart& part,
                                                   format::RegionSource source, format::Reserve reserve) const = 0;

  /// Reaches a part of a file: mapped, where the memory is on this node.
  [[nodiscard]] virtual Result<nam::Memory> open(std::uint64_t allocation_id, const FilePart& part,
                                                 Protection protection) const = 0;
};

/// The manifestation of `kind` over `memory`. Code::incompatible for a kind that is not in the table.
[[nodiscard]] Result<std::unique_ptr<Manifestation>> make_manifestation(format::Manifestation kind,
                                                                        nam::MemoryStore& memory);

}  // namespace psnam::manifestations
