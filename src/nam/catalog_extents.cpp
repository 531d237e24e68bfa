// The tables of extents: rows as src/segments wants them.
#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "format/catalog_wire.hpp"
#include "nam/catalog.hpp"
#include "nam/keys.hpp"

namespace psnam::nam {
namespace {

using format::wire::Extent;

constexpr auto kExtents = static_cast<std::size_t>(Table::extents);
constexpr auto kFreeExtents = static_cast<std::size_t>(Table::free_extents);
constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();

Error damaged(const std::string& shown, const char* table) {
  return Error{Code::corrupt, fmt::format("{}: a row of the table \"{}\" has another size", shown, table)};
}

Result<ExtentRow> extent_row(const Entry& entry, const std::string& shown) {
  if (entry.key.size() != 16 || entry.value.size() != sizeof(Extent)) return damaged(shown, "extents");
  Extent piece{};
  std::memcpy(&piece, entry.value.data(), sizeof piece);
  return ExtentRow{
      .parent_id = number_in(entry.key, 0),
      .extent = {
          .offset_bytes = number_in(entry.key, 1), .size_bytes = piece.size_bytes, .segment_id = piece.segment_id}};
}

Result<ExtentRow> free_row(const Entry& entry, const std::string& shown) {
  if (entry.key.size() != 24 || !entry.value.empty()) return damaged(shown, "free_extents");
  return ExtentRow{.parent_id = number_in(entry.key, 0),
                   .extent = {.offset_bytes = number_in(entry.key, 2), .size_bytes = number_in(entry.key, 1)}};
}

/// The extent of `entry` if it is there and one of `parent_id`.
template <class Read>
Result<std::optional<segments::Extent>> of_parent(const std::optional<Entry>& entry, std::uint64_t parent_id,
                                                  const std::string& shown, Read read) {
  if (!entry) return std::optional<segments::Extent>{};
  PSNAM_TRY(const ExtentRow row, read(*entry, shown));
  return row.parent_id == parent_id ? std::optional{row.extent} : std::nullopt;
}

}  // namespace

Result<std::optional<segments::Extent>> CatalogExtents::at(std::uint64_t parent_id, std::uint64_t offset) {
  PSNAM_TRY(const auto entry, catalog_.transaction_.last_to(kExtents, NumberKey{parent_id, offset}.bytes()));
  return of_parent(entry, parent_id, *catalog_.shown_, extent_row);
}

Result<std::optional<segments::Extent>> CatalogExtents::next_free(std::uint64_t parent_id, std::uint64_t size,
                                                                  std::uint64_t offset) {
  const NumberKey key{parent_id, size, offset};
  PSNAM_TRY(const auto entry, catalog_.transaction_.first_from(kFreeExtents, key.bytes()));
  return of_parent(entry, parent_id, *catalog_.shown_, free_row);
}

Result<std::optional<segments::Extent>> CatalogExtents::largest_free(std::uint64_t parent_id) {
  const NumberKey key{parent_id, kLast, kLast};
  PSNAM_TRY(const auto entry, catalog_.transaction_.last_to(kFreeExtents, key.bytes()));
  return of_parent(entry, parent_id, *catalog_.shown_, free_row);
}

Status CatalogExtents::put(std::uint64_t parent_id, const segments::Extent& extent) {
  const Extent piece{.size_bytes = extent.size_bytes, .segment_id = extent.segment_id};
  PSNAM_CHECK(catalog_.transaction_.put(kExtents, NumberKey{parent_id, extent.offset_bytes}.bytes(),
                                        std::as_bytes(std::span{&piece, 1})));
  if (!extent.free()) return {};
  const NumberKey key{parent_id, extent.size_bytes, extent.offset_bytes};
  return catalog_.transaction_.put(kFreeExtents, key.bytes(), {});
}

Status CatalogExtents::erase(std::uint64_t parent_id, const segments::Extent& extent) {
  PSNAM_CHECK(catalog_.transaction_.erase(kExtents, NumberKey{parent_id, extent.offset_bytes}.bytes()));
  if (!extent.free()) return {};
  const NumberKey key{parent_id, extent.size_bytes, extent.offset_bytes};
  return catalog_.transaction_.erase(kFreeExtents, key.bytes());
}

Result<std::vector<ExtentRow>> CatalogTransaction::extents() {
  std::vector<ExtentRow> rows;
  PSNAM_CHECK(transaction_.each(kExtents, [&](Bytes key, Bytes value) -> Status {
    PSNAM_TRY(const ExtentRow row, extent_row({key, value}, *shown_));
    rows.push_back(row);
    return {};
  }));
  return rows;
}

Result<std::vector<ExtentRow>> CatalogTransaction::free_extents() {
  std::vector<ExtentRow> rows;
  PSNAM_CHECK(transaction_.each(kFreeExtents, [&](Bytes key, Bytes value) -> Status {
    PSNAM_TRY(const ExtentRow row, free_row({key, value}, *shown_));
    rows.push_back(row);
    return {};
  }));
  return rows;
}

}  // namespace psnam::nam
