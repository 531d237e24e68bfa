// A version that was saved by one division of the data is given to another: of more or fewer ranks, or of as many with
// other blocks. Everybody hears of every saved and every registered region, and comes to the same plan; then each
// process that keeps the data of former ranks sends what others of it need, a bounded amount at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "checkpoint/exchange.hpp"
#include "checkpoint/layout.hpp"
#include "checkpoint/part.hpp"
#include "checkpoint/team.hpp"

namespace psnam::checkpoint {

/// The data of a former rank, which this process has.
struct KeptRank {
  std::uint32_t rank = 0;
  std::map<std::uint64_t, Saved> saved;
};

/// What this process has registered.
struct Registered {
  const Regions& regions;
  const Parts& parts;
  const std::set<std::uint64_t>& any_size;  ///< whatever was saved under these ids is taken
};

class Redistribution {
 public:
  /// Collective. Every one of the `former_ranks` is kept by exactly one process. Code::size, naming ids, on all of them
  /// if something registered cannot be had from what was saved, or something saved is registered nowhere.
  static Result<Redistribution> plan(const Team& team, std::uint32_t former_ranks, std::vector<KeptRank> kept,
                                     const Registered& registered);
  /// Collective. The regions get their bytes.
  Status carry_out();
  /// After it: what was saved under the ids whose size may be any.
  [[nodiscard]] const std::map<std::uint64_t, std::vector<std::byte>>& taken() const noexcept { return taken_; }

 private:
  struct Outline {
    std::uint64_t bytes = 0;
    Part part;
  };
  using Outlines = std::map<std::uint64_t, Outline>;
  /// A piece of a region of `rank`, for a region of the same id here.
  struct Transfer {
    std::uint64_t id = 0;
    std::uint32_t rank = 0;
    Box box;  ///< of a part; else all of the region
  };
  Redistribution(const Team& team, std::vector<KeptRank> kept, const Registered& registered)
      : team_{team}, kept_{std::move(kept)}, registered_{registered} {}

  [[nodiscard]] std::vector<std::uint64_t> words() const;
  Status hear(std::uint32_t former_ranks);
  static void append(std::vector<std::uint64_t>& words, const Outlines& outlines);
  static Outlines take(std::span<const std::uint64_t>& words);
  [[nodiscard]] Outlines mine() const;

  [[nodiscard]] bool same_number() const noexcept { return former_.size() == wanted_.size(); }
  [[nodiscard]] const Outline* saved(std::uint32_t rank, std::uint64_t id) const;
  /// Whether a region is taken as it is from the rank of the same number.
  [[nodiscard]] bool stays(std::uint32_t process, std::uint64_t id) const;
  [[nodiscard]] bool is_wanted(std::uint32_t rank, std::uint64_t id, const Outline& outline) const;
  [[nodiscard]] Status check() const;
  [[nodiscard]] Status check_one(std::uint64_t id, const Outline& outline) const;
  [[nodiscard]] Status check_part(std::uint64_t id, const Outline& outline) const;
  [[nodiscard]] Status check_shared(std::uint64_t id, const Outline& outline) const;
  [[nodiscard]] std::vector<Transfer> transfers_to(std::uint32_t process) const;
  [[nodiscard]] FetchPlan plan_of(std::uint64_t id, const Outline& outline) const;
  [[nodiscard]] std::uint32_t source_of_shared(std::uint32_t process, std::uint64_t id) const;
  [[nodiscard]] const Saved& kept(std::uint32_t rank, std::uint64_t id) const;
  void fill(Exchange& exchange);

  Team team_;
  std::vector<KeptRank> kept_;
  Registered registered_;
  std::vector<Outlines> former_;       ///< of each former rank
  std::vector<std::uint32_t> keeper_;  ///< likewise
  std::vector<Outlines> wanted_;       ///< of each process
  std::map<std::uint64_t, std::vector<std::byte>> taken_;
};

}  // namespace psnam::checkpoint
