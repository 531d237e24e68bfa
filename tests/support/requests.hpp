// One request of each kind, for tests of how they travel.
#pragma once

#include <vector>

#include "nam/identity.hpp"
#include "nam/request.hpp"

namespace psnam::test {

inline nam::request::Users users(std::uint64_t count) {
  nam::request::Users all;
  for (std::uint64_t i = 0; i < count; ++i)
    all.push_back(nam::session_user(static_cast<std::uint32_t>(100 + i), static_cast<std::uint32_t>(i), 1000 + i));
  return all;
}

inline format::WindowRecord small_draft() {
  format::WindowRecord draft;
  draft.name = "w";
  draft.nodes.push_back({.store = {}, .host = "h", .path = "/p"});
  draft.regions.push_back({.size_bytes = 4096, .allocation_id = 1});
  return draft;
}

inline backends::IndivisibleRequest sum_of_two() {
  backends::IndivisibleRequest sum;
  sum.op = backends::Op::sum;
  sum.kind = backends::Kind::int64;
  sum.target = {{.offset = 8, .length = 8, .stride = 16, .count = 2}};
  sum.wants_old = true;
  sum.operand.resize(16);
  return sum;
}

inline std::vector<nam::request::Any> requests_for_objects() {
  using namespace nam::request;
  constexpr auto kPersistent = format::Consistency::persistent;
  return {CreateWindow{small_draft(),
                       {nam::AllocationSource{nam::AllocationSource::Kind::segment, 3, 64, 128},
                        nam::AllocationSource{nam::AllocationSource::Kind::existing, 4, {}, 64}},
                       users(2)},
          SetConsistency{1, kPersistent, true},
          FindWindow{"w"},
          GetWindow{1},
          OpenWindow{"w", nam::AccessRight::read_write, users(1)},
          Duplicate{2},
          Close{2},
          Allocate{{.size_bytes = 4096, .mode = 0640, .uid = 1, .gid = 2, .name = "a"}, users(1)},
          SetAllocationConsistency{1, kPersistent},
          OpenAllocation{1, 77, nam::AccessRight::read_only, users(1)},
          GetAllocation{1},
          FindAllocation{"a"},
          FreeAllocation{1, true},
          ListAllocations{5},
          Publish{"s", "w"},
          LookUp{"s"},
          Unpublish{"s", "w"}};
}

/// In the order of nam::request::Any.
inline std::vector<nam::request::Any> every_request() {
  using namespace nam::request;
  std::vector<Any> all = requests_for_objects();
  for (Any& request : std::vector<Any>{CreateMemory{1, 4096, format::Reserve::lazy, true},
                                       OpenRange{1, 64, 128, nam::AccessRight::read_write, true},
                                       ReserveRange{1, 2, 3},
                                       Persist{1, 2, 3},
                                       ForgetMemory{9},
                                       OpenFabric{},
                                       CreateControl{2, 64},
                                       OpenControl{2, 64},
                                       DropControl{2},
                                       OpenLocks{1, 1},
                                       OpenNotifications{1},
                                       PostNotification{1, 5, 10},
                                       TakeNotification{1, 10},
                                       CountNotifications{1},
                                       OpenAgent{1},
                                       CloseAgent{7},
                                       Lock{7, 0, nam::LockKind::exclusive, 10},
                                       Unlock{7, {}},
                                       Execute{7, 0, sum_of_two()},
                                       Reopen{1, nam::AccessRight::read_write},
                                       Summary{},
                                       ListWindows{5},
                                       RemoveWindow{"w"},
                                       SetCapacity{1 << 20},
                                       Collect{},
                                       Check{},
                                       CountUsers{1},
                                       Statistics{},
                                       JoinNam{.store = format::Uuid{{1}},
                                       .index = 2,
                                       .addresses = {"/a/socket", "host:1"},
                                       .capacity_bytes = 3,
                                       .free_bytes = 4,
                                       .catalog_version = 5,
                                       .software_version = "6"},
                                       Nams{},
                                       RemoveNam{3, true},
                                       DecideWindows{{format::Uuid{{1}}, format::Uuid{{2}}}},
                                       JoinParity{.allocation_id = 1,
                                       .attempt = 2,
                                       .work = nam::ParityWork::rebuild,
                                       .version = 3,
                                       .note = {4},
                                       .member = 5,
                                       .lost = true,
                                       .provider = "net",
                                       .address = "an address",
                                       .data = {6, 7, 8},
                                       .checksums = {9, 10, 12}},
                                       AwaitParity{1, 2, 10},
                                       LeaveParity{1, 2}})
    all.push_back(std::move(request));
  return all;
}

}  // namespace psnam::test
