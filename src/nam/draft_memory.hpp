// The memory of a window that is being made: what its draft asks for, taken from where its sources say.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "nam/access.hpp"
#include "nam/accounts.hpp"
#include "nam/catalog.hpp"
#include "nam/folder.hpp"
#include "nam/service.hpp"

namespace psnam::nam {

class DraftMemory {
 public:
  /// What the regions of `draft` ask for. Code::size if one ends beyond 2^64.
  static Result<DraftMemory> of(const format::WindowRecord& draft, std::span<const AllocationSource> sources);

  /// Records it for `draft`, which has its id, charges `accounts` with it, and sets what the regions of `draft` say of
  /// it. A failure leaves all three half-way: the transaction is to be thrown away.
  [[nodiscard]] Status take(CatalogTransaction& transaction, Accounts& accounts, format::WindowRecord& draft,
                            const Caller& caller, const Folder& folder);

 private:
  /// One allocation of the draft.
  struct Piece {
    AllocationSource source;
    std::uint64_t size_bytes = 0;
    std::uint64_t id = 0;  ///< once taken: its record, and where its bytes are
    std::uint64_t root_id = 0;
    std::uint64_t root_offset_bytes = 0;
  };
  struct Target;

  [[nodiscard]] Status take_fresh(Piece& piece, Target& target) const;
  [[nodiscard]] Status take_existing(Piece& piece, Target& target) const;
  [[nodiscard]] Status take_segment(Piece& piece, Target& target) const;
  void give(format::WindowRecord& draft) const;

  std::map<std::uint64_t, Piece> pieces_;  ///< by draft id
};

}  // namespace psnam::nam
