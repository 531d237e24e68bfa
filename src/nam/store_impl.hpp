// What the parts of nam::Store share. Not included by anybody else.
//
// Why the store survives the death of any process at any point, and any number of processes at once:
// - Decisions are LMDB transactions: one writer at a time, all or nothing, a dead writer's transaction never happened.
// - Ids are never given twice, so a file of memory belongs to one record for ever, and removing it twice does no harm.
// - A window is released in two transactions. The first leaves it volatile, without a name and without a use; from then
// on
//   nobody can take it into use: names are how windows are opened, uses how they are duplicated, and set_consistency()
//   refuses a window without uses. Its files are removed outside. The second removes the records, if they are still
//   there, and gives the capacity back. Whoever dies in between leaves what the first transaction left, and collect()
//   of anybody goes on from there; two that do it at once find nothing left to do the second time.
// - That a process has ended is for ever, so a use found dead outside a transaction is dead inside it too.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "nam/catalog.hpp"
#include "nam/folder.hpp"
#include "nam/identity.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

struct Store::Impl {
  /// Uses and windows that a pass over the catalog found to be without life.
  struct Dead {
    std::vector<std::uint64_t> uses;
    std::vector<std::uint64_t> windows;  ///< released already but for their files and records
  };
  /// A window between the two transactions of its release.
  struct Release {
    std::uint64_t window_id = 0;
    std::vector<std::uint64_t> allocations;
  };
  struct Ended {
    std::uint64_t uses = 0;
    std::vector<Release> releases;
  };

  Folder folder;
  FileArea memory;
  FileArea control;
  FileArea locks;
  FileArea notifications;
  std::unique_ptr<Catalog> catalog;
  format::StoreRecord identity;  ///< as it was when the store was opened; identity, host and capacity never change
  format::Uuid boot;
  std::uint64_t pid_namespace = 0;
  Collected released_at_open;

  /// `draft` with its ids, recorded with its allocations and its use.
  Result<WindowUse> record_window(format::WindowRecord draft, std::span<const format::ProcessIdentity> users);
  [[nodiscard]] format::UseRecord use_of(std::uint64_t object_id, std::span<const format::ProcessIdentity> users) const;

  /// Releases what has no life.
  Result<Collected> collect();
  Result<Dead> find_dead();
  /// Ends `uses` and releases those of their windows, and of `windows`, that nothing holds any more.
  Result<Collected> end(std::span<const std::uint64_t> uses, std::span<const std::uint64_t> windows);
  Result<Ended> end_in_catalog(std::span<const std::uint64_t> uses, std::span<const std::uint64_t> windows);
  Result<Collected> finish(const Ended& ended);
  Result<std::uint64_t> forget(const Ended& ended);
  /// Removes files that no record knows.
  Status sweep(const FileArea& area, Table table);
};

/// Takes a window's name out of the catalog. The service names that lead to it stay until its records go, so that who
/// published them can still unpublish them; they are not found meanwhile.
[[nodiscard]] Status withdraw_name(CatalogTransaction& transaction, const format::WindowRecord& window);
/// Code::info_value unless `name` is 1 to 255 printable ASCII characters without blanks.
[[nodiscard]] Status check_window_name(std::string_view name);
/// Code::info_value unless `name` is 1 to 255 bytes without control characters.
[[nodiscard]] Status check_service_name(std::string_view name);
[[nodiscard]] Error no_such_window(std::string_view name, const Folder& folder);

}  // namespace psnam::nam
