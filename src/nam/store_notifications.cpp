// Notifications of the embedded store's allocations, and who could send one.
#include <algorithm>
#include <vector>

#include "nam/identity.hpp"
#include "nam/notifications.hpp"
#include "nam/objects.hpp"
#include "nam/store_impl.hpp"

namespace psnam::nam {

Result<Mapping> Store::notification_page(std::uint64_t allocation_id) {
  PSNAM_CHECK(require_notifications(allocation_id));
  // Nobody else makes the page ready meanwhile; whoever dies here lets go of the lock.
  PSNAM_TRY(const FolderLock lock, FolderLock::take(impl_->folder));
  PSNAM_TRY(Mapping page, impl_->notifications.share(allocation_id, sizeof(format::NotifyPage)));
  PSNAM_CHECK(Notifications::prepare(page, impl_->boot));
  return page;
}

Result<std::unique_ptr<NotificationQueue>> Store::open_notifications(std::uint64_t allocation_id) {
  PSNAM_TRY(Mapping page, notification_page(allocation_id));
  PSNAM_TRY(Notifications queue, Notifications::over(std::move(page)));
  return std::unique_ptr<NotificationQueue>{std::make_unique<Notifications>(std::move(queue))};
}

Result<std::uint64_t> Store::count_users(std::uint64_t object_id) {
  std::vector<format::UseRecord> uses;
  PSNAM_TRY(const Rights rights, this->rights());
  {
    PSNAM_TRY(CatalogTransaction transaction, impl_->catalog->read());
    // What belongs to a window is in use when the window is.
    PSNAM_TRY(const auto allocation, transaction.allocation(object_id));
    if (allocation) PSNAM_CHECK(rights.require_sight(*allocation));
    PSNAM_TRY(const auto window, transaction.window(object_id));
    if (window) PSNAM_CHECK(rights.require_sight(*window));
    PSNAM_TRY(const auto use_ids, transaction.uses_of(allocation ? owner_of(*allocation) : object_id));
    for (const std::uint64_t id : use_ids) {
      PSNAM_TRY(auto use, transaction.use(id));
      if (use) uses.push_back(std::move(*use));
    }
  }
  Judge judge = impl_->judge();
  std::vector<format::ProcessIdentity> living;
  for (const auto& use : uses)
    for (auto process : use.processes) {
      process.rank = 0;
      if (judge.may_be_alive(process, use.boot)) living.push_back(process);
    }
  std::sort(living.begin(), living.end());
  return static_cast<std::uint64_t>(std::unique(living.begin(), living.end()) - living.begin());
}

}  // namespace psnam::nam
