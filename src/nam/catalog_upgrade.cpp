// A catalog of the former version becomes one of this version, in one transaction: its records get their new fields,
// and what each user has is counted.
#include <array>
#include <utility>
#include <vector>

#include "nam/accounts.hpp"
#include "nam/catalog.hpp"

namespace psnam::nam {
namespace {

/// The tables with records in them. The others have numbers and names only.
constexpr std::array<Table, 5> kRecords{Table::store, Table::windows, Table::allocations, Table::uses, Table::services};

std::vector<std::byte> copy(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

Result<bool> Catalog::is_former() {
  PSNAM_TRY(CatalogTransaction transaction, read());
  bool former = false;
  PSNAM_CHECK(transaction.transaction_.each(static_cast<std::size_t>(Table::store), [&](Bytes, Bytes value) -> Status {
    former = format::is_of_former_version(value);
    return {};
  }));
  return former;
}

Status Catalog::upgrade() {
  PSNAM_TRY(CatalogTransaction transaction, write(Purpose::removal));
  for (const Table table : kRecords) {
    const auto place = static_cast<std::size_t>(table);
    std::vector<std::pair<std::vector<std::byte>, std::vector<std::byte>>> rows;
    PSNAM_CHECK(transaction.transaction_.each(place, [&](Bytes key, Bytes value) -> Status {
      rows.emplace_back(copy(key), format::upgraded(value));
      return {};
    }));
    for (const auto& [key, value] : rows) PSNAM_CHECK(transaction.transaction_.put(place, key, value));
  }
  PSNAM_TRY(const auto windows, transaction.windows());
  PSNAM_TRY(const auto allocations, transaction.allocations());
  Tally tally;
  for (const auto& window : windows) tally.add(window);
  for (const auto& allocation : allocations) tally.add(allocation);
  for (const auto& [uid, user] : tally.users()) PSNAM_CHECK(transaction.put(user));
  return transaction.commit();
}

}  // namespace psnam::nam
