#include "manifestations/manifestation.hpp"

#include <fmt/format.h>

#include <array>

namespace psnam::manifestations {
namespace {

/// Regions that are a file of the node's store, whoever asked for them.
class StoreMemory : public Manifestation {
 public:
  explicit StoreMemory(nam::MemoryStore& memory) noexcept : memory_{memory} {}

  Result<nam::Memory> create(std::uint64_t allocation_id, const FilePart& part, format::RegionSource source,
                             format::Reserve reserve) const override {
    if (source == format::RegionSource::own) return memory_.create_memory(allocation_id, part.bytes, reserve);
    // The memory is there, but it may be sparse, and a window that is not lazy must never meet a page that is missing.
    if (reserve == format::Reserve::full)
      PSNAM_CHECK(memory_.reserve_range(allocation_id, part.offset_bytes, part.bytes));
    return open(allocation_id, part, Protection::read_write);
  }
  Result<nam::Memory> open(std::uint64_t allocation_id, const FilePart& part, Protection protection) const override {
    return memory_.open_range(allocation_id, part.offset_bytes, part.bytes, protection);
  }

 private:
  nam::MemoryStore& memory_;
};

/// Memory of the NAM. Without a manager the NAM is the embedded store, which ends at the border of its node.
class Libnam final : public StoreMemory {
 public:
  using StoreMemory::StoreMemory;
  Status admits(std::size_t nodes) const override {
    if (nodes <= 1) return {};
    return Error{
        Code::unreachable,
        fmt::format(
            "psnam_manifestation = \"psnam_manifestation_libnam\": the ranks of the window are on {} nodes, and memory "
            "of the NAM reaches other nodes only through a manager; name one with PSNAM_MANAGER=host[:port], or use "
            "psnam_manifestation_pershm",
            nodes)};
  }
};

/// Persistent shared memory of the node; ranks of other nodes reach it through the MPI library.
class PersistentShm final : public StoreMemory {
 public:
  using StoreMemory::StoreMemory;
  Status admits(std::size_t) const override { return {}; }
};

/// A part of an allocation or of another segment, which says by its own place which ranks can reach it.
class Segment final : public StoreMemory {
 public:
  using StoreMemory::StoreMemory;
  Status admits(std::size_t) const override { return {}; }
};

template <class T>
std::unique_ptr<Manifestation> make(nam::MemoryStore& memory) {
  return std::make_unique<T>(memory);
}

struct Row {
  format::Manifestation kind;
  std::unique_ptr<Manifestation> (*factory)(nam::MemoryStore&);
};

constexpr std::array<Row, 3> kFactories{{
    {format::Manifestation::libnam, make<Libnam>},
    {format::Manifestation::persistent_shm, make<PersistentShm>},
    {format::Manifestation::segment, make<Segment>},
}};

}  // namespace

Result<std::unique_ptr<Manifestation>> make_manifestation(format::Manifestation kind, nam::MemoryStore& memory) {
  for (const Row& row : kFactories)
    if (row.kind == kind) return row.factory(memory);
  return Error{Code::incompatible, fmt::format("a region has the manifestation {}, which this version does not know",
                                               static_cast<unsigned>(kind))};
}

}  // namespace psnam::manifestations
