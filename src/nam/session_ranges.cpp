// Memory of a session: as a descriptor for a client that maps it, as a key for one that does not. Either way a use of
// the session has the range in it, with the right that is asked for.
#include <fmt/format.h>

#include "nam/session.hpp"

namespace psnam::nam {
namespace {

Protection protection_of(AccessRight right) noexcept {
  return right == AccessRight::read_only ? Protection::read_only : Protection::read_write;
}

}  // namespace

Result<SharedUse> Session::require_range(const GrantedRange& range) {
  if (auto use = parts_.covering_use(number(), range)) return std::move(*use);
  return Error{
      Code::access,
      fmt::format("nothing that this session of user {} has in use gives the right to {} {} bytes at offset {} "
                  "of the file of allocation {}",
                  hold_->caller.uid, range.right == AccessRight::read_only ? "read" : "read and write", range.bytes,
                  range.offset_bytes, range.root_id)};
}

Status Session::require_local(std::string_view what) const {
  if (local_) return {};
  return Error{Code::unsupported, fmt::format("{} is for clients on the server's host, over its Unix socket", what)};
}

Result<reply::Object> Session::object_of(const SharedUse& use) {
  PSNAM_TRY(const UsedObject used, parts_.store->object_of_use(use.id));
  std::string text = used.window ? shown(*used.window) : used.allocation ? shown(*used.allocation) : std::string{};
  return reply::Object{.id = use.object_id, .right = use.right, .shown = std::move(text)};
}

/// A descriptor is of a whole file, so it is for those who may have all of it; others reach their part by a key.
Result<Answer> Session::give_range(const GrantedRange& range, const SharedUse& use, bool remote) {
  PSNAM_TRY(reply::Object object, object_of(use));
  if (!remote) PSNAM_CHECK(require_local("mapping memory"));
  if (!remote) {
    auto descriptor = store_->memory_descriptor(range.root_id, protection_of(range.right));
    if (descriptor)
      return Answer{reply::Range{.mapped = true, .key = 0, .base = 0, .object = std::move(object)},
                    std::move(*descriptor)};
    if (descriptor.error().code != Code::access) return descriptor.take_error();
    return Answer{reply::Range{.mapped = false, .key = 0, .base = 0, .object = std::move(object)}};
  }
  PSNAM_TRY(auto mapping, parts_.map_root(range.root_id));
  PSNAM_TRY(reply::Range granted, hold_->memory.grant(std::move(mapping), range));
  // The use may have ended since it was looked at.
  if (!parts_.covering_use(number(), range)) {
    hold_->memory.forget(granted.key);
    return require_range(range).take_error();
  }
  granted.object = std::move(object);
  return Answer{std::move(granted)};
}

Result<Answer> Session::answer(const request::CreateMemory& request) {
  const GrantedRange range{
      .root_id = request.allocation_id, .offset_bytes = 0, .bytes = request.bytes, .right = AccessRight::read_write};
  PSNAM_TRY(const SharedUse use, require_range(range));
  if (!request.remote) PSNAM_CHECK(require_local("mapping memory"));
  PSNAM_CHECK(store_->create_memory(request.allocation_id, request.bytes, request.reserve).status());
  if (!request.remote) return give_range(range, use, false);
  PSNAM_TRY(reply::Object object, object_of(use));
  return Answer{reply::Range{.mapped = false, .key = 0, .base = 0, .object = std::move(object)}};
}

Result<Answer> Session::answer(const request::OpenRange& request) {
  const GrantedRange range{
      .root_id = request.root_id, .offset_bytes = request.offset_bytes, .bytes = request.bytes, .right = request.right};
  PSNAM_TRY(const SharedUse use, require_range(range));
  return give_range(range, use, request.remote);
}

Result<Answer> Session::answer(const request::ReserveRange& request) {
  PSNAM_CHECK(require_range({.root_id = request.root_id,
                             .offset_bytes = request.offset_bytes,
                             .bytes = request.bytes,
                             .right = AccessRight::read_write})
                  .status());
  PSNAM_CHECK(parts_.store->reserve_range(request.root_id, request.offset_bytes, request.bytes));
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::Persist& request) {
  PSNAM_CHECK(require_range({.root_id = request.root_id,
                             .offset_bytes = request.offset_bytes,
                             .bytes = request.bytes,
                             .right = AccessRight::read_write})
                  .status());
  PSNAM_CHECK(parts_.store->persist(request.root_id, request.offset_bytes, request.bytes));
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::ForgetMemory& request) {
  hold_->memory.forget(request.key);
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::OpenFabric&) {
  PSNAM_TRY(reply::Fabric fabric, hold_->memory.open(parts_.fabric, own_ip_));
  return Answer{std::move(fabric)};
}

Result<Answer> Session::answer(const request::CreateControl& request) {
  PSNAM_CHECK(require_local("a page of control"));
  PSNAM_TRY(Fd page, store_->control_descriptor(request.use_id, request.bytes, true));
  return Answer{reply::Done{}, std::move(page)};
}

Result<Answer> Session::answer(const request::OpenControl& request) {
  PSNAM_CHECK(require_local("a page of control"));
  PSNAM_TRY(Fd page, store_->control_descriptor(request.use_id, request.bytes, false));
  return Answer{reply::Done{}, std::move(page)};
}

Result<Answer> Session::answer(const request::DropControl& request) {
  PSNAM_CHECK(store_->drop_control(request.use_id));
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::OpenLocks& request) {
  PSNAM_CHECK(require_local("a page of locks"));
  PSNAM_TRY(Fd page, store_->locks_descriptor(request.window_id, request.ranks));
  return Answer{reply::Done{}, std::move(page)};
}

Result<Answer> Session::answer(const request::OpenNotifications& request) {
  PSNAM_CHECK(require_local("a page of notifications"));
  PSNAM_TRY(Fd page, store_->notifications_descriptor(request.allocation_id));
  return Answer{reply::Done{}, std::move(page)};
}

}  // namespace psnam::nam
