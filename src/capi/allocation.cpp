#include "capi/allocation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.hpp"

namespace psnam::capi {
namespace {

/// Of a transfer that nothing is to be waited for.
constexpr std::optional<RemoteTransfers::Number> kComplete;

Result<std::array<format::ProcessIdentity, 1>> this_user(nam::Service& store) {
  PSNAM_TRY(const format::ProcessIdentity me, store.user(0));
  return std::array{me};
}

}  // namespace

Allocation::Allocation(std::shared_ptr<nam::Service> store, nam::AllocationUse use, nam::Memory memory)
    : id_{use.allocation.id},
      bytes_{use.allocation.size_bytes},
      memory_{std::move(memory)},
      remote_{memory_.remote ? std::make_unique<RemoteTransfers>(memory_.remote) : nullptr},
      store_{std::move(store)},
      details_{std::move(use.allocation)},
      use_id_{use.use_id} {}

Result<std::shared_ptr<Allocation>> Allocation::map(std::shared_ptr<nam::Service> store, nam::AllocationUse use) {
  const format::AllocationRecord& record = use.allocation;
  auto memory = store->open_range(record.root_id, record.root_offset_bytes, record.size_bytes, Protection::read_write);
  if (!memory) {
    PSNAM_CHECK(store->close(use.use_id));
    return memory.take_error();
  }
  return std::shared_ptr<Allocation>{new Allocation{std::move(store), std::move(use), std::move(*memory)}};
}

Allocation::~Allocation() {
  if (const Status closed = close(); !closed) log::warn("allocation {} stays in use: {}", id_, closed.error().message);
}

Result<std::shared_ptr<Allocation>> Allocation::allocate(const ServicePointer& home, std::size_t bytes, int flag,
                                                         const std::string& name, int nam_index) {
  if (bytes == 0) return Error{Code::size, "an allocation of 0 bytes"};
  if (flag != 0 && flag != NM_CPRS)
    return Error{Code::invalid_argument, fmt::format("flag {}: 0 and NM_CPRS ({}) are known", flag, NM_CPRS)};
  PSNAM_TRY(auto store, nam_of(home, nam_index));
  PSNAM_TRY(const auto users, this_user(*store));
  nam::AllocationRequest request;
  request.size_bytes = bytes;
  request.kind = flag == NM_CPRS ? format::AllocationKind::checkpoint : format::AllocationKind::memory;
  request.name = name;
  PSNAM_TRY(nam::AllocationUse use, store->allocate(request, users));
  return map(std::move(store), std::move(use));
}

Result<std::shared_ptr<Allocation>> Allocation::connect(const ServicePointer& home, const nam_allocation_t& record) {
  // Any: its id says which.
  const int index = record.nam_index == -1 ? static_cast<int>(format::nam_that_gave(record.address)) : record.nam_index;
  PSNAM_TRY(auto store, nam_of(home, index));
  PSNAM_TRY(const auto users, this_user(*store));
  PSNAM_TRY(nam::AllocationUse use,
            store->open_allocation(record.address, record.challenge, nam::AccessRight::read_write, users));
  const std::uint64_t bytes = use.allocation.size_bytes;
  if (record.size != 0 && record.size != bytes) {
    PSNAM_CHECK(store->close(use.use_id));
    return Error{Code::invalid_argument,
                 fmt::format("allocation {} has {} bytes; the record says {}", record.address, bytes, record.size)};
  }
  return map(std::move(store), std::move(use));
}

Result<std::shared_ptr<nam::Service>> Allocation::store() {
  const std::lock_guard lock{mutex_};
  if (!store_) return Error{Code::invalid_argument, fmt::format("allocation {} was freed meanwhile", id_)};
  return store_;
}

Status Allocation::keep() {
  PSNAM_TRY(const auto store, this->store());
  PSNAM_CHECK(store->set_allocation_consistency(id_, format::Consistency::persistent));
  was_kept();
  return {};
}

void Allocation::was_kept() noexcept {
  const std::lock_guard lock{mutex_};
  details_.consistency = format::Consistency::persistent;
}

Status Allocation::close() {
  std::shared_ptr<nam::Service> store;
  {
    const std::lock_guard lock{mutex_};
    store.swap(store_);
  }
  if (!store) return {};
  // Whoever waits for one of them learns what became of it.
  if (remote_) remote_->finish_all();
  return store->close(use_id_);
}

Status Allocation::release() {
  const auto store = this->store();
  if (!store) return {};  // closed already
  if (persistent()) {
    auto gone = (*store)->free_allocation(id_, false);
    // Somebody else has freed it before: what is left is this use.
    if (!gone && gone.error().code != Code::name_not_found) return gone.take_error();
  }
  return close();
}

bool Allocation::persistent() const noexcept {
  const std::lock_guard lock{mutex_};
  return details_.consistency == format::Consistency::persistent;
}

format::AllocationRecord Allocation::details() const {
  const std::lock_guard lock{mutex_};
  return details_;
}

nam_allocation_t Allocation::record() const noexcept {
  nam_allocation_t record{};
  record.status = NAM_STATUS_CONNECTED;
  record.persistent = persistent() ? 1 : 0;
  const format::AllocationRecord details = this->details();
  record.nam_index = static_cast<std::int32_t>(details.nam_index);
  record.challenge = details.challenge;
  record.address = id_;
  record.size = bytes();
  return record;
}

Status Allocation::check(const char* function, Range range) const {
  if (range.offset <= bytes() && range.bytes <= bytes() - range.offset) return {};
  return Error{Code::range, fmt::format("{}: {} bytes at offset {} leave allocation {}, which has {}", function,
                                        range.bytes, range.offset, id_, bytes())};
}

Result<std::optional<RemoteTransfers::Number>> Allocation::start_put(const void* from, Range range) {
  if (range.bytes == 0) return kComplete;
  if (!remote_) {
    std::memcpy(memory_.mapping.data() + range.offset, from, range.bytes);
    return kComplete;
  }
  // A write only reads what is there.
  auto* const bytes = const_cast<std::byte*>(static_cast<const std::byte*>(from));
  PSNAM_TRY(const auto number, remote_->start_put({range.offset, bytes, range.bytes}));
  return std::optional{number};
}

Result<std::optional<RemoteTransfers::Number>> Allocation::start_get(void* to, Range range) {
  if (range.bytes == 0) return kComplete;
  if (!remote_) {
    std::memcpy(to, memory_.mapping.data() + range.offset, range.bytes);
    return kComplete;
  }
  PSNAM_TRY(const auto number, remote_->start_get({range.offset, static_cast<std::byte*>(to), range.bytes}));
  return std::optional{number};
}

Status Allocation::put(const void* from, Range range) {
  PSNAM_TRY(const auto number, start_put(from, range));
  return number ? finish(*number) : Status{};
}

Status Allocation::get(void* to, Range range) {
  PSNAM_TRY(const auto number, start_get(to, range));
  return number ? finish(*number) : Status{};
}

Status Allocation::persist() {
  PSNAM_TRY(const auto store, this->store());
  if (remote_) remote_->finish_all();
  const format::AllocationRecord details = this->details();
  return store->persist(details.root_id, details.root_offset_bytes, details.size_bytes);
}

Result<nam::NotificationQueue*> Allocation::notifications() {
  PSNAM_TRY(const auto store, this->store());
  const std::lock_guard lock{mutex_};
  if (!notifications_) {
    PSNAM_TRY(notifications_, store->open_notifications(id_));
  }
  return notifications_.get();
}

}  // namespace psnam::capi
