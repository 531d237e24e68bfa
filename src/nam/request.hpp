// What a client asks of a server, as values; src/format/control.capnp is how they travel. Each is one function of
// nam::Service, or of an agent or a queue that it gives out.
//
// A decoded request has the form of one and nothing more: whether its numbers mean anything, and whether the client may
// ask for it, the session finds out.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "backends/indivisible.hpp"
#include "base/result.hpp"
#include "nam/parity_service.hpp"
#include "nam/service.hpp"

namespace psnam::nam::request {

using Users = std::vector<format::ProcessIdentity>;

struct CreateWindow {
  format::WindowRecord draft;
  std::vector<AllocationSource> sources;
  Users users;
};
struct SetConsistency {
  std::uint64_t id = 0;
  format::Consistency consistency = format::Consistency::volatile_;
  bool in_doubt = false;
};
struct FindWindow {
  std::string name;
};
struct GetWindow {
  std::uint64_t id = 0;
};
struct OpenWindow {
  std::string name;
  AccessRight right = AccessRight::read_only;
  Users users;
};
struct Duplicate {
  std::uint64_t use_id = 0;
};
struct Close {
  std::uint64_t use_id = 0;
};
struct Allocate {
  AllocationRequest request;
  Users users;
};
struct SetAllocationConsistency {
  std::uint64_t id = 0;
  format::Consistency consistency = format::Consistency::volatile_;
};
struct OpenAllocation {
  std::uint64_t id = 0;
  std::optional<std::uint64_t> challenge;
  AccessRight right = AccessRight::read_only;
  Users users;
};
struct GetAllocation {
  std::uint64_t id = 0;
};
struct FindAllocation {
  std::string name;
};
struct FreeAllocation {
  std::uint64_t id = 0;
  bool recursive = false;
};
/// Lists come in pieces, ascending by id.
struct ListAllocations {
  std::uint64_t after = 0;
};
struct Publish {
  std::string service;
  std::string port_name;
};
struct LookUp {
  std::string service;
};
struct Unpublish {
  std::string service;
  std::string port_name;
};
struct CreateMemory {
  std::uint64_t allocation_id = 0;
  std::uint64_t bytes = 0;
  format::Reserve reserve = format::Reserve::full;
  bool remote = false;  ///< no descriptor is wanted; a key is had by OpenRange
};
struct OpenRange {
  std::uint64_t root_id = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t bytes = 0;
  AccessRight right = AccessRight::read_only;
  bool remote = false;  ///< a key is wanted, not a descriptor
};
struct ReserveRange {
  std::uint64_t root_id = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t bytes = 0;
};
struct Persist {
  std::uint64_t root_id = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t bytes = 0;
};
/// A key will not be used again.
struct ForgetMemory {
  std::uint64_t key = 0;
};
/// An endpoint of the fabric. The one that the session had is gone, and with it all its keys.
struct OpenFabric {};
struct CreateControl {
  std::uint64_t use_id = 0;
  std::uint64_t bytes = 0;
};
struct OpenControl {
  std::uint64_t use_id = 0;
  std::uint64_t bytes = 0;
};
struct DropControl {
  std::uint64_t use_id = 0;
};
struct OpenLocks {
  std::uint64_t window_id = 0;
  std::uint32_t ranks = 0;
};
struct OpenNotifications {
  std::uint64_t allocation_id = 0;
};
struct PostNotification {
  std::uint64_t allocation_id = 0;
  std::uint64_t value = 0;
  std::uint64_t wait_us = 0;
};
struct TakeNotification {
  std::uint64_t allocation_id = 0;
  std::uint64_t wait_us = 0;
};
struct CountNotifications {
  std::uint64_t allocation_id = 0;
};
struct OpenAgent {
  std::uint64_t window_id = 0;
};
struct CloseAgent {
  std::uint64_t agent = 0;
};
/// Of one rank, or a shared lock of all. Asked again, it goes on waiting where it was.
struct Lock {
  std::uint64_t agent = 0;
  std::optional<std::uint32_t> rank;  ///< absent: all
  LockKind kind = LockKind::shared;
  std::uint64_t wait_us = 0;
};
struct Unlock {
  std::uint64_t agent = 0;
  std::optional<std::uint32_t> rank;
};
struct Execute {
  std::uint64_t agent = 0;
  std::uint32_t rank = 0;
  backends::IndivisibleRequest operation;
};
/// An object that the client had in use under a session that has ended. A store gives no id twice.
struct Reopen {
  std::uint64_t object_id = 0;
  AccessRight right = AccessRight::read_only;
};
struct Summary {};
struct ListWindows {
  std::uint64_t after = 0;
};
struct RemoveWindow {
  std::string name;
};
struct SetCapacity {
  std::uint64_t bytes = 0;
};
struct Collect {};
struct Check {};
struct CountUsers {
  std::uint64_t object_id = 0;
};
struct Statistics {};
/// A memory node tells the manager of itself. Said again, it is its sign of life.
struct JoinNam {
  format::Uuid store;
  std::uint32_t index = 0;  ///< that it has had so far; 0: none
  std::vector<std::string> addresses;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint32_t catalog_version = 0;
  std::string software_version;
};
struct Nams {};
struct RemoveNam {
  std::uint32_t index = 0;
  bool force = false;
};
/// Of each of these windows: a WindowFate.
struct DecideWindows {
  std::vector<format::Uuid> windows;
};

/// One member of a parity set gives its data, or takes them.
struct JoinParity {
  std::uint64_t allocation_id = 0;
  std::uint64_t attempt = 0;
  ParityWork work = ParityWork::encode;
  std::uint64_t version = 0;
  parity::Note note{};
  std::uint32_t member = 0;
  bool lost = false;
  std::string provider;
  std::string address;
  ExportedPart data;
  ExportedPart checksums;
};
struct AwaitParity {
  std::uint64_t allocation_id = 0;
  std::uint64_t attempt = 0;
  std::uint64_t wait_us = 0;
};
struct LeaveParity {
  std::uint64_t allocation_id = 0;
  std::uint64_t attempt = 0;
};

using Any =
    std::variant<CreateWindow, SetConsistency, FindWindow, GetWindow, OpenWindow, Duplicate, Close, Allocate,
                 SetAllocationConsistency, OpenAllocation, GetAllocation, FindAllocation, FreeAllocation,
                 ListAllocations, Publish, LookUp, Unpublish, CreateMemory, OpenRange, ReserveRange, Persist,
                 ForgetMemory, OpenFabric, CreateControl, OpenControl, DropControl, OpenLocks, OpenNotifications,
                 PostNotification, TakeNotification, CountNotifications, OpenAgent, CloseAgent, Lock, Unlock, Execute,
                 Reopen, Summary, ListWindows, RemoveWindow, SetCapacity, Collect, Check, CountUsers, Statistics,
                 JoinNam, Nams, RemoveNam, DecideWindows, JoinParity, AwaitParity, LeaveParity>;

/// By the index of Any.
inline constexpr std::array<std::string_view, std::variant_size_v<Any>> kNames{"create_window",
                                                                               "set_consistency",
                                                                               "find_window",
                                                                               "get_window",
                                                                               "open_window",
                                                                               "duplicate",
                                                                               "close",
                                                                               "allocate",
                                                                               "set_allocation_consistency",
                                                                               "open_allocation",
                                                                               "get_allocation",
                                                                               "find_allocation",
                                                                               "free_allocation",
                                                                               "list_allocations",
                                                                               "publish",
                                                                               "look_up",
                                                                               "unpublish",
                                                                               "create_memory",
                                                                               "open_range",
                                                                               "reserve_range",
                                                                               "persist",
                                                                               "forget_memory",
                                                                               "open_fabric",
                                                                               "create_control",
                                                                               "open_control",
                                                                               "drop_control",
                                                                               "open_locks",
                                                                               "open_notifications",
                                                                               "post_notification",
                                                                               "take_notification",
                                                                               "count_notifications",
                                                                               "open_agent",
                                                                               "close_agent",
                                                                               "lock",
                                                                               "unlock",
                                                                               "execute",
                                                                               "reopen",
                                                                               "summary",
                                                                               "list_windows",
                                                                               "remove_window",
                                                                               "set_capacity",
                                                                               "collect",
                                                                               "check",
                                                                               "count_users",
                                                                               "statistics",
                                                                               "join_nam",
                                                                               "nams",
                                                                               "remove_nam",
                                                                               "decide_windows",
                                                                               "join_parity",
                                                                               "await_parity",
                                                                               "leave_parity"};

[[nodiscard]] std::vector<std::byte> encode(const Any& request);
/// Code::corrupt; Code::unsupported for a request of a later version.
[[nodiscard]] Result<Any> decode(std::span<const std::byte> bytes);

}  // namespace psnam::nam::request
