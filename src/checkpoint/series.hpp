// A series of managed checkpoints: what it is called, how many ranks it has, and which of them make a set. A page on
// the NAM says it, so that a later job goes on with the same sets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/area_memory.hpp"
#include "format/catalog.hpp"
#include "format/checkpoint_page.hpp"

namespace psnam::checkpoint {

struct Series {
  format::Uuid id;
  std::string name;
  std::uint32_t sets = 1;
  std::uint32_t parities = 1;
  std::uint32_t block_bytes = 0;
  std::vector<std::uint32_t> set_of;        ///< of each rank
  std::vector<std::uint32_t> partner_of{};  ///< likewise, by whom its copies are kept too; empty: there are no partners
  format::Uuid former{};                    ///< of another number of ranks, with which this one goes on; zeros: none
  std::uint32_t kept = format::kCheckpointMinKept;  ///< versions, with the one that is being saved
  std::uint64_t newest = 0;  ///< number of a version that was complete, the newest that is known of; 0: none
  bool operator==(const Series&) const = default;

  [[nodiscard]] std::uint32_t ranks() const noexcept { return static_cast<std::uint32_t>(set_of.size()); }
  /// In rank order; the first one leads. A rank's index in it is its number as a member.
  [[nodiscard]] std::vector<std::uint32_t> ranks_of(std::uint32_t set) const;
  [[nodiscard]] std::uint32_t member(std::uint32_t rank) const;
  /// Those whose partner `rank` is, in order.
  [[nodiscard]] std::vector<std::uint32_t> wards_of(std::uint32_t rank) const;
};

/// How many sets `ranks` make of `set_size` at most (0: as large as can be).
[[nodiscard]] std::uint32_t count_sets(std::uint32_t ranks, std::uint32_t set_size, std::uint32_t parities);
/// The set of each rank, of nodes[rank]: those of a node are dealt out in turn, so that a set has as few of a node as
/// possible, and sets differ by one rank at most.
[[nodiscard]] std::vector<std::uint32_t> deal_out(std::span<const format::Uuid> nodes, std::uint32_t sets);

/// The partner of each rank: on the next node, where there are several; itself, if it is alone.
[[nodiscard]] std::vector<std::uint32_t> choose_partners(std::span<const format::Uuid> nodes);

[[nodiscard]] std::vector<std::byte> encode(const Series& series);
/// Code::corrupt or Code::incompatible, saying why.
[[nodiscard]] Result<Series> decode_series(std::span<const std::byte> page);

/// The page, in use: no second job has the series meanwhile.
class SeriesPage {
 public:
  /// Null if there is no such series of the calling user. Code::busy if a job has it.
  /// `index`: see series_name().
  static Result<std::unique_ptr<SeriesPage>> find(ServicePointer nam, const std::string& name, int index);
  static Result<std::unique_ptr<SeriesPage>> create(ServicePointer nam, Series series, int index);
  SeriesPage(const SeriesPage&) = delete;
  SeriesPage& operator=(const SeriesPage&) = delete;
  ~SeriesPage();

  [[nodiscard]] const Series& series() const noexcept { return series_; }
  [[nodiscard]] int index() const noexcept { return index_; }
  /// A version of that number is complete. Should all of it be lost one day, that is not taken for a first start.
  Status confirm(std::uint64_t number);
  Status remove();

 private:
  SeriesPage(ServicePointer nam, nam::AllocationUse use, int index)
      : nam_{std::move(nam)}, use_{std::move(use)}, index_{index} {}
  Result<nam::Memory> memory() const;
  /// The page by whatever way it is reached.
  Result<std::vector<std::byte>> read() const;
  Status write(std::size_t at, std::span<const std::byte> bytes) const;

  ServicePointer nam_;
  nam::AllocationUse use_;
  int index_;
  Series series_;
};

}  // namespace psnam::checkpoint
