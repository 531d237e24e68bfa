// Windows and allocations of a session. The store decides by modes and owners; here is who may be named as a user, and
// which uses the sessions are in.
#include <fmt/format.h>

#include <algorithm>

#include "nam/session.hpp"

namespace psnam::nam {
namespace {

std::set<std::uint64_t> roots_of(const format::WindowRecord& window) {
  std::set<std::uint64_t> roots;
  for (const auto& region : window.regions)
    if (region.allocation_id != 0) roots.insert(region.allocation_id);
  return roots;
}

}  // namespace

Result<Answer> Session::entered(WindowUse use, AccessRight right, const request::Users& users) {
  parts_.sessions.enter(
      {.id = use.use_id, .object_id = use.window.id, .right = right, .roots = roots_of(use.window), .sessions = {}},
      users);
  return Answer{std::move(use)};
}

Result<Answer> Session::entered(AllocationUse use, AccessRight right, const request::Users& users) {
  parts_.sessions.enter({.id = use.use_id,
                         .object_id = use.allocation.id,
                         .right = right,
                         .roots = {use.allocation.root_id},
                         .sessions = {}},
                        users);
  return Answer{std::move(use)};
}

Result<Answer> Session::answer(request::CreateWindow& request) {
  PSNAM_CHECK(parts_.sessions.check_users(request.users, hold_->caller));
  PSNAM_TRY(WindowUse use, store_->create(std::move(request.draft), request.sources, request.users));
  return entered(std::move(use), AccessRight::read_write, request.users);
}

Result<Answer> Session::answer(const request::SetConsistency& request) {
  PSNAM_TRY(std::string name, store_->set_consistency(request.id, request.consistency, request.in_doubt));
  return Answer{reply::Text{std::move(name)}};
}

Result<Answer> Session::answer(const request::FindWindow& request) {
  PSNAM_TRY(auto window, store_->find(request.name));
  return Answer{reply::Window{std::move(window)}};
}

Result<Answer> Session::answer(const request::GetWindow& request) {
  Store& store = parts_.sessions.right(number(), request.id) ? *parts_.store : *store_;
  PSNAM_TRY(auto window, store.get(request.id));
  return Answer{reply::Window{std::move(window)}};
}

Result<Answer> Session::answer(const request::OpenWindow& request) {
  PSNAM_CHECK(parts_.sessions.check_users(request.users, hold_->caller));
  PSNAM_TRY(WindowUse use, store_->open(request.name, request.right, request.users));
  return entered(std::move(use), request.right, request.users);
}

Result<Answer> Session::answer(const request::Duplicate& request) {
  PSNAM_TRY(const std::uint64_t copy, store_->duplicate(request.use_id));
  parts_.sessions.duplicate(request.use_id, copy);
  return Answer{reply::Number{copy}};
}

Result<Answer> Session::answer(const request::Close& request) {
  PSNAM_CHECK(store_->close(request.use_id));
  if (const auto use = parts_.sessions.leave(request.use_id)) parts_.after_use(*use);
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::Allocate& request) {
  PSNAM_CHECK(parts_.sessions.check_users(request.users, hold_->caller));
  PSNAM_TRY(AllocationUse use, store_->allocate(request.request, request.users));
  return entered(std::move(use), AccessRight::read_write, request.users);
}

Result<Answer> Session::answer(const request::SetAllocationConsistency& request) {
  PSNAM_CHECK(store_->set_allocation_consistency(request.id, request.consistency));
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::OpenAllocation& request) {
  PSNAM_CHECK(parts_.sessions.check_users(request.users, hold_->caller));
  PSNAM_TRY(AllocationUse use, store_->open_allocation(request.id, request.challenge, request.right, request.users));
  return entered(std::move(use), request.right, request.users);
}

Result<Answer> Session::answer(const request::GetAllocation& request) {
  PSNAM_TRY(auto allocation, store_->find_allocation(request.id));
  return Answer{reply::Allocation{std::move(allocation)}};
}

Result<Answer> Session::answer(const request::FindAllocation& request) {
  PSNAM_TRY(auto allocation, store_->find_allocation(request.name));
  return Answer{reply::Allocation{std::move(allocation)}};
}

Result<Answer> Session::answer(const request::FreeAllocation& request) {
  PSNAM_TRY(const bool gone, store_->free_allocation(request.id, request.recursive));
  parts_.retire_released(parts_.memory.roots());
  return Answer{reply::Flag{gone}};
}

/// What was volatile has gone with the session that was lost, so only what is persistent can be had again.
Result<Answer> Session::answer(const request::Reopen& request) {
  const auto window = parts_.store->get(request.object_id);
  if (window) return reopen_window(*window, request.right);
  PSNAM_TRY(const auto allocation, parts_.store->find_allocation(request.object_id));
  return reopen_allocation(allocation, request.right);
}

Result<Answer> Session::reopen_window(const format::WindowRecord& window, AccessRight right) {
  const request::Users users{session_user(hold_->caller.pid, 0, number())};
  PSNAM_TRY(WindowUse use, store_->open(window.name, right, users));
  if (use.window.id == window.id) return entered(std::move(use), right, users);
  PSNAM_CHECK(store_->close(use.use_id));
  return Error{Code::name_not_found, fmt::format("the window {} is not found by its name any more", window.id)};
}

Result<Answer> Session::reopen_allocation(const format::AllocationRecord& allocation, AccessRight right) {
  const request::Users users{session_user(hold_->caller.pid, 0, number())};
  PSNAM_TRY(AllocationUse use, store_->open_allocation(allocation.id, std::nullopt, right, users));
  return entered(std::move(use), right, users);
}

}  // namespace psnam::nam
