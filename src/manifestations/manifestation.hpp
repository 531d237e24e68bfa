// Manifestations: where the bytes of a region live, and how long.
#pragma once

#include <memory>
#include <span>

#include "base/result.hpp"
#include "base/system.hpp"
#include "format/catalog.hpp"
#include "nam/service.hpp"

namespace psnam::manifestations {

/// One way to hold a region's bytes. Stateless but for the memory store it works on.
class Manifestation {
 public:
  virtual ~Manifestation() = default;

  /// Whether a window whose ranks are spread over `nodes` nodes can hold regions of this kind.
  [[nodiscard]] virtual Status admits(std::size_t nodes) const = 0;

  /// Takes the memory of a recorded allocation; the pages are there when it returns (Reserve::full). Code::no_memory.
  [[nodiscard]] virtual Result<Mapping> create(std::uint64_t allocation_id, std::uint64_t bytes,
                                               format::Reserve reserve) const = 0;

  /// Maps an existing allocation of this node.
  [[nodiscard]] virtual Result<Mapping> open(std::uint64_t allocation_id, std::uint64_t bytes,
                                             Protection protection) const = 0;
};

/// The manifestation of `kind` over `memory`. Code::unsupported for one that this version does not have.
[[nodiscard]] Result<std::unique_ptr<Manifestation>> make_manifestation(format::Manifestation kind,
                                                                        nam::MemoryStore& memory);

}  // namespace psnam::manifestations
