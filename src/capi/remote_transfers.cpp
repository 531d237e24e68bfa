#include "capi/remote_transfers.hpp"

namespace psnam::capi {

Result<RemoteTransfers::Number> RemoteTransfers::start(const backends::Piece& piece, bool put) {
  const std::shared_lock order{order_};
  PSNAM_CHECK(put ? memory_->write({&piece, 1}) : memory_->read({&piece, 1}));
  const std::lock_guard lock{mutex_};
  under_way_.insert(++last_);
  return last_;
}

Status RemoteTransfers::finish(Number number) {
  const std::lock_guard order{order_};
  if (under_way_.contains(number)) complete();
  auto failed = failed_.extract(number);
  if (failed.empty()) return {};
  return std::move(failed.mapped());
}

void RemoteTransfers::finish_all() {
  const std::lock_guard order{order_};
  if (!under_way_.empty()) complete();
}

/// A failure may be of any of them, so it is of all.
void RemoteTransfers::complete() {
  const Status flushed = memory_->flush();
  if (!flushed)
    for (const Number number : under_way_) failed_.emplace(number, flushed.error());
  under_way_.clear();
}

}  // namespace psnam::capi
