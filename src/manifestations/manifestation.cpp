#include "manifestations/manifestation.hpp"

#include <fmt/format.h>

#include <array>

namespace psnam::manifestations {
namespace {

/// Regions that are a file of the node's store, whoever asked for them.
class StoreMemory : public Manifestation {
 public:
  explicit StoreMemory(nam::MemoryStore& memory) noexcept : memory_{memory} {}

  Result<Mapping> create(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) const override {
    return memory_.create_memory(allocation_id, bytes, reserve);
  }
  Result<Mapping> open(std::uint64_t allocation_id, std::uint64_t bytes, Protection protection) const override {
    return memory_.open_memory(allocation_id, bytes, protection);
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

template <class T>
std::unique_ptr<Manifestation> make(nam::MemoryStore& memory) {
  return std::make_unique<T>(memory);
}

struct Row {
  format::Manifestation kind;
  std::unique_ptr<Manifestation> (*factory)(nam::MemoryStore&);
};

constexpr std::array<Row, 2> kFactories{{
    {format::Manifestation::libnam, make<Libnam>},
    {format::Manifestation::persistent_shm, make<PersistentShm>},
}};

}  // namespace

Result<std::unique_ptr<Manifestation>> make_manifestation(format::Manifestation kind, nam::MemoryStore& memory) {
  for (const Row& row : kFactories)
    if (row.kind == kind) return row.factory(memory);
  std::string known;
  for (const Row& row : kFactories)
    known += fmt::format("{}{}", known.empty() ? "" : ", ", name_of(row.kind, format::kManifestations));
  return Error{Code::unsupported,
               fmt::format("psnam_manifestation = \"{}\" is not available in this version; available: {}",
                           name_of(kind, format::kManifestations), known)};
}

}  // namespace psnam::manifestations
