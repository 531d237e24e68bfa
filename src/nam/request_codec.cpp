#include <algorithm>

#include "nam/control_fields.hpp"
#include "nam/parity_codec.hpp"
#include "nam/request.hpp"

namespace psnam::nam::request {
namespace {

namespace schema = format::control;
using codec::data_of;
using codec::Fields;
using codec::text_of;
using Builder = schema::Request::Builder;
using Reader = schema::Request::Reader;

/// Processes of a use, and allocations of a window: more than that is no job.
constexpr unsigned kMostListed = 1U << 20;

unsigned length(std::size_t size) noexcept { return static_cast<unsigned>(size); }

void put_users(capnp::List<schema::Process>::Builder out, const Users& users) {
  for (unsigned i = 0; i < out.size(); ++i) {
    out[i].setPid(users[i].pid);
    out[i].setRank(users[i].rank);
    out[i].setStartTimeTicks(users[i].start_time_ticks);
    out[i].setPidNamespace(users[i].pid_namespace);
  }
}

Users users_of(capnp::List<schema::Process>::Reader in, Fields& fields) {
  Users users;
  fields.require(in.size() <= kMostListed, "users");
  if (fields.failure()) return users;
  users.reserve(in.size());
  for (const auto user : in)
    users.push_back({.pid = user.getPid(),
                     .rank = user.getRank(),
                     .start_time_ticks = user.getStartTimeTicks(),
                     .pid_namespace = user.getPidNamespace()});
  return users;
}

void put(Builder out, const CreateWindow& from) {
  auto to = out.initCreateWindow();
  to.setDraft(data_of(format::encode(from.draft)));
  auto sources = to.initSources(length(from.sources.size()));
  for (unsigned i = 0; i < sources.size(); ++i) {
    const AllocationSource& source = from.sources[i];
    sources[i].setKind(static_cast<schema::Source>(source.kind));
    sources[i].setId(source.id);
    sources[i].setHasOffset(source.offset_bytes.has_value());
    sources[i].setOffsetBytes(source.offset_bytes.value_or(0));
    sources[i].setAlignmentBytes(source.alignment_bytes);
  }
  put_users(to.initUsers(length(from.users.size())), from.users);
}
static_assert(static_cast<int>(schema::Source::FRESH) == static_cast<int>(AllocationSource::Kind::fresh) &&
              static_cast<int>(schema::Source::EXISTING) == static_cast<int>(AllocationSource::Kind::existing) &&
              static_cast<int>(schema::Source::SEGMENT) == static_cast<int>(AllocationSource::Kind::segment));

CreateWindow get(schema::CreateWindow::Reader in, Fields& fields) {
  CreateWindow to;
  to.draft = fields.take(format::decode_window(codec::span_of(in.getDraft())));
  fields.require(in.getSources().size() <= kMostListed, "sources");
  if (fields.failure()) return to;
  for (const auto source : in.getSources()) {
    fields.require(source.getKind() <= schema::Source::SEGMENT, "kind");
    AllocationSource value{.kind = static_cast<AllocationSource::Kind>(source.getKind()), .id = source.getId()};
    if (source.getHasOffset()) value.offset_bytes = source.getOffsetBytes();
    value.alignment_bytes = source.getAlignmentBytes();
    to.sources.push_back(value);
  }
  to.users = users_of(in.getUsers(), fields);
  return to;
}

void put(Builder out, const SetConsistency& from) {
  auto to = out.initSetConsistency();
  to.setId(from.id);
  to.setConsistency(static_cast<std::uint8_t>(from.consistency));
  to.setInDoubt(from.in_doubt);
}
void put(Builder out, const FindWindow& from) { out.setFindWindow(from.name); }
void put(Builder out, const GetWindow& from) { out.setGetWindow(from.id); }
void put(Builder out, const OpenWindow& from) {
  auto to = out.initOpenWindow();
  to.setName(from.name);
  to.setRight(codec::wire(from.right));
  put_users(to.initUsers(length(from.users.size())), from.users);
}
void put(Builder out, const Duplicate& from) { out.setDuplicate(from.use_id); }
void put(Builder out, const Close& from) { out.setClose(from.use_id); }

void put(Builder out, const Allocate& from) {
  auto to = out.initAllocate();
  const AllocationRequest& request = from.request;
  to.setSizeBytes(request.size_bytes);
  to.setReserve(static_cast<std::uint8_t>(request.reserve));
  to.setConsistency(static_cast<std::uint8_t>(request.consistency));
  to.setKind(static_cast<std::uint8_t>(request.kind));
  to.setMode(request.mode);
  to.setHasUid(request.uid.has_value());
  to.setUid(request.uid.value_or(0));
  to.setHasGid(request.gid.has_value());
  to.setGid(request.gid.value_or(0));
  to.setName(request.name);
  to.setExpiresUnixSeconds(request.expires_unix_seconds);
  put_users(to.initUsers(length(from.users.size())), from.users);
}

Allocate get(schema::Allocate::Reader in, Fields& fields) {
  Allocate to;
  AllocationRequest& request = to.request;
  request.size_bytes = in.getSizeBytes();
  request.reserve = fields.one_of(in.getReserve(), format::Reserve::lazy, "reserve");
  request.consistency = fields.one_of(in.getConsistency(), format::Consistency::persistent, "consistency");
  request.kind = fields.one_of(in.getKind(), format::AllocationKind::checkpoint, "kind");
  request.mode = in.getMode();
  if (in.getHasUid()) request.uid = in.getUid();
  if (in.getHasGid()) request.gid = in.getGid();
  request.name = text_of(in.getName());
  request.expires_unix_seconds = in.getExpiresUnixSeconds();
  to.users = users_of(in.getUsers(), fields);
  return to;
}

void put(Builder out, const SetAllocationConsistency& from) {
  auto to = out.initSetAllocationConsistency();
  to.setId(from.id);
  to.setConsistency(static_cast<std::uint8_t>(from.consistency));
}
void put(Builder out, const OpenAllocation& from) {
  auto to = out.initOpenAllocation();
  to.setId(from.id);
  to.setHasChallenge(from.challenge.has_value());
  to.setChallenge(from.challenge.value_or(0));
  to.setRight(codec::wire(from.right));
  put_users(to.initUsers(length(from.users.size())), from.users);
}
void put(Builder out, const GetAllocation& from) { out.setGetAllocation(from.id); }
void put(Builder out, const FindAllocation& from) { out.setFindAllocation(from.name); }
void put(Builder out, const FreeAllocation& from) {
  auto to = out.initFreeAllocation();
  to.setId(from.id);
  to.setRecursive(from.recursive);
}
void put(Builder out, const ListAllocations& from) { out.setListAllocations(from.after); }
template <class Publication>
void put_publication(schema::Publication::Builder to, const Publication& from) {
  to.setService(from.service);
  to.setPortName(from.port_name);
}
void put(Builder out, const Publish& from) { put_publication(out.initPublish(), from); }
void put(Builder out, const LookUp& from) { out.setLookUp(from.service); }
void put(Builder out, const Unpublish& from) { put_publication(out.initUnpublish(), from); }

void put(Builder out, const CreateMemory& from) {
  auto to = out.initCreateMemory();
  to.setAllocationId(from.allocation_id);
  to.setBytes(from.bytes);
  to.setReserve(static_cast<std::uint8_t>(from.reserve));
  to.setRemote(from.remote);
}
void put(Builder out, const OpenRange& from) {
  auto to = out.initOpenRange();
  to.setRootId(from.root_id);
  to.setOffsetBytes(from.offset_bytes);
  to.setBytes(from.bytes);
  to.setRight(codec::wire(from.right));
  to.setRemote(from.remote);
}
template <class Range>
void put_range(schema::Range::Builder to, const Range& from) {
  to.setRootId(from.root_id);
  to.setOffsetBytes(from.offset_bytes);
  to.setBytes(from.bytes);
}
void put(Builder out, const ReserveRange& from) { put_range(out.initReserveRange(), from); }
void put(Builder out, const Persist& from) { put_range(out.initPersist(), from); }
void put(Builder out, const ForgetMemory& from) { out.setForgetMemory(from.key); }
void put(Builder out, const OpenFabric&) { out.setOpenFabric(); }
template <class Page>
void put_page(schema::ControlPage::Builder to, const Page& from) {
  to.setUseId(from.use_id);
  to.setBytes(from.bytes);
}
void put(Builder out, const CreateControl& from) { put_page(out.initCreateControl(), from); }
void put(Builder out, const OpenControl& from) { put_page(out.initOpenControl(), from); }
void put(Builder out, const DropControl& from) { out.setDropControl(from.use_id); }
void put(Builder out, const OpenLocks& from) {
  auto to = out.initOpenLocks();
  to.setWindowId(from.window_id);
  to.setRanks(from.ranks);
}

void put(Builder out, const OpenNotifications& from) { out.setOpenNotifications(from.allocation_id); }
void put(Builder out, const PostNotification& from) {
  auto to = out.initPostNotification();
  to.setAllocationId(from.allocation_id);
  to.setValue(from.value);
  to.setWaitUs(from.wait_us);
}
void put(Builder out, const TakeNotification& from) {
  auto to = out.initTakeNotification();
  to.setAllocationId(from.allocation_id);
  to.setWaitUs(from.wait_us);
}
void put(Builder out, const CountNotifications& from) { out.setCountNotifications(from.allocation_id); }
void put(Builder out, const OpenAgent& from) { out.setOpenAgent(from.window_id); }
void put(Builder out, const CloseAgent& from) { out.setCloseAgent(from.agent); }
void put(Builder out, const Lock& from) {
  auto to = out.initLock();
  to.setAgent(from.agent);
  to.setAll(!from.rank);
  to.setRank(from.rank.value_or(0));
  to.setExclusive(from.kind == LockKind::exclusive);
  to.setWaitUs(from.wait_us);
}
void put(Builder out, const Unlock& from) {
  auto to = out.initUnlock();
  to.setAgent(from.agent);
  to.setAll(!from.rank);
  to.setRank(from.rank.value_or(0));
}

void put(Builder out, const Execute& from) {
  auto to = out.initExecute();
  const backends::IndivisibleRequest& operation = from.operation;
  to.setAgent(from.agent);
  to.setRank(from.rank);
  to.setAction(static_cast<std::uint8_t>(operation.action));
  to.setOp(static_cast<std::uint8_t>(operation.op));
  to.setKind(static_cast<std::uint8_t>(operation.kind));
  auto runs = to.initTarget(length(operation.target.size()));
  for (unsigned i = 0; i < runs.size(); ++i) {
    const backends::Run& run = operation.target[i];
    runs[i].setOffset(run.offset);
    runs[i].setLength(run.length);
    runs[i].setStride(run.stride);
    runs[i].setCount(run.count);
  }
  to.setWantsOld(operation.wants_old);
  to.setOperand(data_of(operation.operand));
  to.setCompare(data_of(operation.compare));
}

/// The numbers are taken as they are: backends::check() refuses those that mean nothing.
Execute get(schema::Execute::Reader in, Fields&) {
  Execute to;
  backends::IndivisibleRequest& operation = to.operation;
  to.agent = in.getAgent();
  to.rank = in.getRank();
  operation.action = static_cast<backends::IndivisibleRequest::Action>(in.getAction());
  operation.op = static_cast<backends::Op>(in.getOp());
  operation.kind = static_cast<backends::Kind>(in.getKind());
  // Those that are too many are for check() to refuse, so it need not see all of them.
  const auto target = in.getTarget();
  for (unsigned i = 0; i < std::min<std::size_t>(target.size(), backends::kMaxIndivisibleRuns + 1); ++i) {
    const auto run = target[i];
    operation.target.push_back({.offset = static_cast<std::ptrdiff_t>(run.getOffset()),
                                .length = run.getLength(),
                                .stride = static_cast<std::ptrdiff_t>(run.getStride()),
                                .count = run.getCount()});
  }
  operation.wants_old = in.getWantsOld();
  operation.operand = codec::bytes_of(in.getOperand());
  operation.compare = codec::bytes_of(in.getCompare());
  return to;
}

void put(Builder out, const Reopen& from) {
  auto to = out.initReopen();
  to.setObjectId(from.object_id);
  to.setRight(codec::wire(from.right));
}
void put(Builder out, const Summary&) { out.setSummary(); }
void put(Builder out, const ListWindows& from) { out.setListWindows(from.after); }
void put(Builder out, const RemoveWindow& from) { out.setRemoveWindow(from.name); }
void put(Builder out, const SetCapacity& from) { out.setSetCapacity(from.bytes); }
void put(Builder out, const Collect&) { out.setCollect(); }
void put(Builder out, const Check&) { out.setCheck(); }
void put(Builder out, const CountUsers& from) { out.setCountUsers(from.object_id); }
void put(Builder out, const Statistics&) { out.setStatistics(); }

void put(Builder out, const JoinNam& from) {
  auto to = out.initJoinNam();
  to.setStore(data_of(std::as_bytes(std::span{from.store.bytes})));
  to.setIndex(from.index);
  auto addresses = to.initAddresses(static_cast<unsigned>(from.addresses.size()));
  for (unsigned i = 0; i < addresses.size(); ++i) addresses.set(i, from.addresses[i]);
  to.setCapacityBytes(from.capacity_bytes);
  to.setFreeBytes(from.free_bytes);
  to.setCatalogVersion(from.catalog_version);
  to.setSoftwareVersion(from.software_version);
}
JoinNam get(schema::JoinNam::Reader in, Fields& fields) {
  JoinNam to;
  to.store = fields.uuid(in.getStore());
  to.index = in.getIndex();
  for (const auto address : in.getAddresses()) to.addresses.push_back(text_of(address));
  to.capacity_bytes = in.getCapacityBytes();
  to.free_bytes = in.getFreeBytes();
  to.catalog_version = in.getCatalogVersion();
  to.software_version = text_of(in.getSoftwareVersion());
  return to;
}
void put(Builder out, const Nams&) { out.setNams(); }
void put(Builder out, const RemoveNam& from) {
  auto to = out.initRemoveNam();
  to.setIndex(from.index);
  to.setForce(from.force);
}
void put(Builder out, const DecideWindows& from) {
  auto to = out.initDecideWindows(static_cast<unsigned>(from.windows.size() * sizeof(format::Uuid)));
  for (std::size_t i = 0; i < from.windows.size(); ++i)
    std::memcpy(to.begin() + i * sizeof(format::Uuid), from.windows[i].bytes.data(), sizeof(format::Uuid));
}
DecideWindows windows_of(capnp::Data::Reader in, Fields& fields) {
  fields.require(in.size() % sizeof(format::Uuid) == 0, "decideWindows");
  DecideWindows to;
  to.windows.resize(in.size() / sizeof(format::Uuid));
  for (std::size_t i = 0; i < to.windows.size(); ++i)
    std::memcpy(to.windows[i].bytes.data(), in.begin() + i * sizeof(format::Uuid), sizeof(format::Uuid));
  return to;
}

void put(Builder out, const JoinParity& from) { codec::put_parity(out, from); }
void put(Builder out, const AwaitParity& from) { codec::put_parity(out, from); }
void put(Builder out, const LeaveParity& from) { codec::put_parity(out, from); }

template <class Range>
Range range_of(schema::Range::Reader in) {
  return {.root_id = in.getRootId(), .offset_bytes = in.getOffsetBytes(), .bytes = in.getBytes()};
}
std::optional<std::uint32_t> rank_of(schema::Lock::Reader in) {
  if (in.getAll()) return std::nullopt;
  return in.getRank();
}
std::optional<std::uint64_t> challenge_of(schema::OpenAllocation::Reader in) {
  if (!in.getHasChallenge()) return std::nullopt;
  return in.getChallenge();
}
format::Consistency consistency_of(schema::SetConsistency::Reader in, Fields& fields) {
  return fields.one_of(in.getConsistency(), format::Consistency::persistent, "consistency");
}

Any get_object_request(Reader in, Fields& fields) {
  switch (in.which()) {
    case schema::Request::CREATE_WINDOW:
      return get(in.getCreateWindow(), fields);
    case schema::Request::SET_CONSISTENCY:
      return SetConsistency{in.getSetConsistency().getId(), consistency_of(in.getSetConsistency(), fields),
                            in.getSetConsistency().getInDoubt()};
    case schema::Request::FIND_WINDOW:
      return FindWindow{text_of(in.getFindWindow())};
    case schema::Request::GET_WINDOW:
      return GetWindow{in.getGetWindow()};
    case schema::Request::OPEN_WINDOW:
      return OpenWindow{text_of(in.getOpenWindow().getName()), fields.right(in.getOpenWindow().getRight()),
                        users_of(in.getOpenWindow().getUsers(), fields)};
    case schema::Request::DUPLICATE:
      return Duplicate{in.getDuplicate()};
    case schema::Request::CLOSE:
      return Close{in.getClose()};
    case schema::Request::ALLOCATE:
      return get(in.getAllocate(), fields);
    case schema::Request::SET_ALLOCATION_CONSISTENCY:
      return SetAllocationConsistency{in.getSetAllocationConsistency().getId(),
                                      consistency_of(in.getSetAllocationConsistency(), fields)};
    case schema::Request::OPEN_ALLOCATION:
      return OpenAllocation{in.getOpenAllocation().getId(), challenge_of(in.getOpenAllocation()),
                            fields.right(in.getOpenAllocation().getRight()),
                            users_of(in.getOpenAllocation().getUsers(), fields)};
    case schema::Request::GET_ALLOCATION:
      return GetAllocation{in.getGetAllocation()};
    case schema::Request::FIND_ALLOCATION:
      return FindAllocation{text_of(in.getFindAllocation())};
    case schema::Request::FREE_ALLOCATION:
      return FreeAllocation{in.getFreeAllocation().getId(), in.getFreeAllocation().getRecursive()};
    case schema::Request::LIST_ALLOCATIONS:
      return ListAllocations{in.getListAllocations()};
    case schema::Request::REOPEN:
      return Reopen{in.getReopen().getObjectId(), fields.right(in.getReopen().getRight())};
    default:
      break;
  }
  fields.fail({Code::unsupported, fmt::format("the request {} is not known here", static_cast<int>(in.which()))});
  return Summary{};
}

Any get_memory_request(Reader in, Fields& fields) {
  switch (in.which()) {
    case schema::Request::CREATE_MEMORY:
      return CreateMemory{in.getCreateMemory().getAllocationId(), in.getCreateMemory().getBytes(),
                          fields.one_of(in.getCreateMemory().getReserve(), format::Reserve::lazy, "reserve"),
                          in.getCreateMemory().getRemote()};
    case schema::Request::OPEN_RANGE:
      return OpenRange{in.getOpenRange().getRootId(), in.getOpenRange().getOffsetBytes(), in.getOpenRange().getBytes(),
                       fields.right(in.getOpenRange().getRight()), in.getOpenRange().getRemote()};
    case schema::Request::RESERVE_RANGE:
      return range_of<ReserveRange>(in.getReserveRange());
    case schema::Request::PERSIST:
      return range_of<Persist>(in.getPersist());
    case schema::Request::FORGET_MEMORY:
      return ForgetMemory{in.getForgetMemory()};
    case schema::Request::OPEN_FABRIC:
      return OpenFabric{};
    case schema::Request::CREATE_CONTROL:
      return CreateControl{in.getCreateControl().getUseId(), in.getCreateControl().getBytes()};
    case schema::Request::OPEN_CONTROL:
      return OpenControl{in.getOpenControl().getUseId(), in.getOpenControl().getBytes()};
    case schema::Request::DROP_CONTROL:
      return DropControl{in.getDropControl()};
    case schema::Request::OPEN_LOCKS:
      return OpenLocks{in.getOpenLocks().getWindowId(), in.getOpenLocks().getRanks()};
    default:
      return get_object_request(in, fields);
  }
}

Any get_parity_request(Reader in, Fields& fields) {
  switch (in.which()) {
    case schema::Request::JOIN_PARITY:
      return codec::join_of(in.getJoinParity(), fields);
    case schema::Request::AWAIT_PARITY:
      return codec::await_of(in.getAwaitParity());
    case schema::Request::LEAVE_PARITY:
      return codec::leave_of(in.getLeaveParity());
    default:
      return get_memory_request(in, fields);
  }
}

Any get_agent_request(Reader in, Fields& fields) {
  switch (in.which()) {
    case schema::Request::OPEN_NOTIFICATIONS:
      return OpenNotifications{in.getOpenNotifications()};
    case schema::Request::POST_NOTIFICATION:
      return PostNotification{in.getPostNotification().getAllocationId(), in.getPostNotification().getValue(),
                              in.getPostNotification().getWaitUs()};
    case schema::Request::TAKE_NOTIFICATION:
      return TakeNotification{in.getTakeNotification().getAllocationId(), in.getTakeNotification().getWaitUs()};
    case schema::Request::COUNT_NOTIFICATIONS:
      return CountNotifications{in.getCountNotifications()};
    case schema::Request::OPEN_AGENT:
      return OpenAgent{in.getOpenAgent()};
    case schema::Request::CLOSE_AGENT:
      return CloseAgent{in.getCloseAgent()};
    case schema::Request::LOCK:
      return Lock{in.getLock().getAgent(), rank_of(in.getLock()),
                  in.getLock().getExclusive() ? LockKind::exclusive : LockKind::shared, in.getLock().getWaitUs()};
    case schema::Request::UNLOCK:
      return Unlock{in.getUnlock().getAgent(), rank_of(in.getUnlock())};
    case schema::Request::EXECUTE:
      return get(in.getExecute(), fields);
    default:
      return get_parity_request(in, fields);
  }
}

Any get(Reader in, Fields& fields) {
  switch (in.which()) {
    case schema::Request::PUBLISH:
      return Publish{text_of(in.getPublish().getService()), text_of(in.getPublish().getPortName())};
    case schema::Request::LOOK_UP:
      return LookUp{text_of(in.getLookUp())};
    case schema::Request::UNPUBLISH:
      return Unpublish{text_of(in.getUnpublish().getService()), text_of(in.getUnpublish().getPortName())};
    case schema::Request::SUMMARY:
      return Summary{};
    case schema::Request::STATISTICS:
      return Statistics{};
    case schema::Request::LIST_WINDOWS:
      return ListWindows{in.getListWindows()};
    case schema::Request::REMOVE_WINDOW:
      return RemoveWindow{text_of(in.getRemoveWindow())};
    case schema::Request::SET_CAPACITY:
      return SetCapacity{in.getSetCapacity()};
    case schema::Request::COLLECT:
      return Collect{};
    case schema::Request::CHECK:
      return Check{};
    case schema::Request::COUNT_USERS:
      return CountUsers{in.getCountUsers()};
    case schema::Request::JOIN_NAM:
      return get(in.getJoinNam(), fields);
    case schema::Request::NAMS:
      return Nams{};
    case schema::Request::REMOVE_NAM:
      return RemoveNam{in.getRemoveNam().getIndex(), in.getRemoveNam().getForce()};
    case schema::Request::DECIDE_WINDOWS:
      return windows_of(in.getDecideWindows(), fields);
    default:
      return get_agent_request(in, fields);
  }
}

}  // namespace

std::vector<std::byte> encode(const Any& request) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::Request>();
  std::visit([&](const auto& value) { put(root, value); }, request);
  return codec::flat(message);
}

Result<Any> decode(std::span<const std::byte> bytes) {
  return codec::decode_by<schema::Request, Any>(bytes,
                                                [](Reader in, Fields& fields) -> Any { return get(in, fields); });
}

}  // namespace psnam::nam::request
