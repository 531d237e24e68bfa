// What the parts of nam::Store share. Not included by anybody else.
//
// Why the store survives the death of any process at any point, and any number of processes at once:
// - Decisions are LMDB transactions: one writer at a time, all or nothing, a dead writer's transaction never happened.
// - Ids are never given twice, so a file of memory belongs to one record for ever, and removing it twice does no harm.
// - An object is released in two transactions. The first leaves it volatile, without a name, a use and a child; from
//   then on nobody can take it into use: names are how windows are opened, uses how they are duplicated, and an
//   allocation whose owner has neither persistence nor a use is refused to whoever would use, divide or refer to it.
//   Its files are removed outside. The second removes the records, if they are still there, and gives the capacity, and
//   the bytes of its segments, back. Whoever dies in between leaves what the first transaction left, and collect() of
//   anybody goes on from there; two that do it at once find nothing left to do the second time.
// - An object that is only kept by its children goes with the last of them: the transaction that removes a child's
//   records names the parents that nothing else keeps, and they are released next. Who dies before that leaves parents
//   that collect() finds.
// - A segment's record and its row among the extents change in one transaction, so no byte has two owners or none.
// - That a process has ended is for ever, so a use found dead outside a transaction is dead inside it too.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "nam/access.hpp"
#include "nam/accounts.hpp"
#include "nam/catalog.hpp"
#include "nam/folder.hpp"
#include "nam/identity.hpp"
#include "nam/serving.hpp"
#include "nam/session_uses.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

struct Store::Impl {
  /// Uses and objects that a pass over the catalog found to be without life.
  struct Dead {
    std::vector<std::uint64_t> uses;
    std::vector<std::uint64_t> objects;  ///< kept by nothing, except maybe their children
  };
  /// An object between the two transactions of its release.
  struct Release {
    std::uint64_t object_id = 0;
    std::vector<std::uint64_t> files;
    std::vector<std::uint64_t> memory;  ///< allocations and segments, which may have pages of notifications
  };
  struct Ended {
    std::uint64_t uses = 0;
    std::vector<Release> releases;
  };

  Folder folder;
  ServingLock lock;
  FileArea memory;
  FileArea control;
  FileArea locks;
  FileArea notifications;
  std::unique_ptr<Catalog> catalog;
  format::StoreRecord identity;  ///< as it was when the store was opened; identity, host and capacity never change
  format::Uuid boot;
  std::uint64_t pid_namespace = 0;
  std::uint32_t uid = 0;  ///< of the user whose store it is
  std::optional<Serving> serving;
  SessionUses session_uses;  ///< with `serving`
  Collected released_at_open;
  mutable std::mutex limits_mutex;
  std::shared_ptr<const Limits> current_limits = std::make_shared<Limits>();

  [[nodiscard]] std::shared_ptr<const Limits> limits() const {
    const std::lock_guard guard{limits_mutex};
    return current_limits;
  }
  Status set_capacity(std::uint64_t bytes);
  /// Whether a failed attempt is worth a pass over the whole catalog. A server ends uses when their sessions end, so a
  /// pass finds only what has expired, and anybody may fail as often as he likes: it makes one in a second.
  [[nodiscard]] bool may_clean() noexcept;
  std::atomic<std::chrono::steady_clock::rep> last_cleaned{0};
  /// Takes the folder, and opens, or makes, what is in it.
  Status open_files(const StoreOptions& options);
  [[nodiscard]] Judge judge() const noexcept { return {boot, pid_namespace, serving ? &*serving : nullptr}; }
  /// Who makes what nobody uses: this process, or this run of the server.
  [[nodiscard]] Result<format::ProcessIdentity> itself() const;
  /// What a store that serves wants of users: sessions of it that live.
  [[nodiscard]] Status check_users(std::span<const format::ProcessIdentity> users) const;
  /// To be called when a use was recorded: finds it again when its sessions end. Code::peer_lost if they have ended
  /// meanwhile; the use has ended then.
  [[nodiscard]] Status entered(std::uint64_t use_id, std::span<const format::ProcessIdentity> users);

  /// `draft` with its ids, recorded with its memory and its use.
  Result<WindowUse> record_window(format::WindowRecord draft, std::span<const AllocationSource> sources,
                                  const Rights& rights, std::span<const format::ProcessIdentity> users);
  Result<std::string> set_window_consistency(std::uint64_t window_id, format::Consistency consistency, bool in_doubt,
                                             const Rights& rights);
  /// A volatile allocation with its use, and without its file.
  Result<AllocationUse> record_allocation(const AllocationRequest& request, const Caller& caller,
                                          std::span<const format::ProcessIdentity> users);
  /// Records a use of an object.
  Result<std::uint64_t> record_use(CatalogTransaction& transaction, std::uint64_t object_id,
                                   std::span<const format::ProcessIdentity> users);
  /// With `use_to_end`, when it becomes persistent, that use ends in the same transaction; it has no page.
  Status change_consistency(std::uint64_t allocation_id, format::Consistency consistency, const Rights& rights,
                            std::uint64_t use_to_end = 0);
  /// The file of a recorded allocation. Of a store that serves, the allocation may be released meanwhile, with its
  /// session: Code::peer_lost, and no file is left.
  Result<Mapping> make_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve);
  /// Takes the names and the persistence of an allocation, and with `recursive` of all that lies in it; returns the ids
  /// of all these.
  Result<std::vector<std::uint64_t>> withdraw_allocation(std::uint64_t id, bool recursive, const Caller& caller);
  /// Of the uses of `objects`, those of dead processes.
  Result<std::vector<std::uint64_t>> dead_uses_of(std::span<const std::uint64_t> objects);
  [[nodiscard]] format::UseRecord use_of(std::uint64_t object_id, std::span<const format::ProcessIdentity> users) const;

  /// Releases what has no life.
  Result<Collected> collect();
  /// Does `attempt`, and again if it failed with one of `codes` and there was something to collect.
  template <class Attempt>
  auto with_cleaning(std::initializer_list<Code> codes, Attempt attempt) -> decltype(attempt());
  Result<Dead> find_dead();
  /// Ends `uses` and releases those of their objects, and of `objects`, that nothing keeps any more, and whatever was
  /// kept by those alone.
  Result<Collected> end(std::span<const std::uint64_t> uses, std::span<const std::uint64_t> objects);
  /// The same, a few at a time.
  Result<Collected> end_in_steps(std::span<const std::uint64_t> uses, std::span<const std::uint64_t> objects);
  Result<Ended> end_in_catalog(std::span<const std::uint64_t> uses, std::vector<std::uint64_t> candidates);
  /// Removes files and records of `ended`; returns the parents that nothing keeps any more.
  Result<std::vector<std::uint64_t>> finish(const Ended& ended, Collected& collected);
  /// Removes files that no record knows.
  Status sweep(const FileArea& area, Table table);
};

template <class Attempt>
auto Store::Impl::with_cleaning(std::initializer_list<Code> codes, Attempt attempt) -> decltype(attempt()) {
  auto made = attempt();
  if (made || std::find(codes.begin(), codes.end(), made.error().code) == codes.end()) return made;
  if (!may_clean()) return made;
  PSNAM_TRY(const Collected collected, collect());
  if (collected.uses == 0 && collected.windows == 0 && collected.allocations == 0) return made;
  return attempt();
}

/// Takes a window's name out of the catalog. The service names that lead to it stay until its records go, so that who
/// published them can still unpublish them; they are not found meanwhile.
[[nodiscard]] Status withdraw_name(CatalogTransaction& transaction, const format::WindowRecord& window);
/// Code::info_value unless `name` is 1 to 255 printable ASCII characters without blanks.
[[nodiscard]] Status check_window_name(std::string_view name);
/// Code::info_value unless `name` is 1 to 255 bytes without control characters.
[[nodiscard]] Status check_service_name(std::string_view name);
/// Code::info_value unless `name` is one that a window could have.
[[nodiscard]] Status check_name(std::string_view name, std::string_view of_what);
[[nodiscard]] Error no_such_window(std::string_view name, const Folder& folder);

}  // namespace psnam::nam
