#include "nam/statistics.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/format.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>

#include "format/statistics.capnp.h"

namespace psnam::nam {
namespace {

namespace wire = format::statistics;

/// The list `Init` makes, filled from `values` by `fill`.
template <class List, class Values, class Fill>
void put_list(List list, const Values& values, Fill&& fill) {
  for (unsigned i = 0; i < list.size(); ++i) fill(list[i], values[i]);
}

unsigned size_of(const auto& values) noexcept { return static_cast<unsigned>(values.size()); }

void put_numbers(wire::Statistics::Builder out, const Statistics& in) {
  out.setSoftwareVersion(in.software_version.c_str());
  out.setProvider(in.provider.c_str());
  out.setBeganUnixSeconds(in.began_unix_seconds);
  out.setNowUnixUs(in.now_unix_us);
  out.setSessionsOpen(in.sessions_open);
  out.setSessionsAccepted(in.sessions_accepted);
  out.setSessionsRefused(in.sessions_refused);
  out.setSessionsDropped(in.sessions_dropped);
  out.setControlRequests(in.control_requests);
  out.setControlReceivedBytes(in.control_received_bytes);
  out.setControlSentBytes(in.control_sent_bytes);
  out.setFabricEndpoints(in.fabric_endpoints);
  out.setFabricRegisteredBytes(in.fabric_registered_bytes);
  out.setAgentBytes(in.agent_bytes);
  out.setQuarantineBytes(in.quarantine_bytes);
  out.setWindows(in.windows);
  out.setAllocations(in.allocations);
  out.setUses(in.uses);
  out.setCapacityBytes(in.capacity_bytes);
  out.setReservedBytes(in.reserved_bytes);
  out.setFileSystemBytes(in.file_system_bytes);
  out.setFileSystemFreeBytes(in.file_system_free_bytes);
  out.setCatalogBytes(in.catalog_bytes);
  out.setCatalogLimitBytes(in.catalog_limit_bytes);
}

void get_numbers(wire::Statistics::Reader in, Statistics& out) {
  out.software_version = in.getSoftwareVersion().cStr();
  out.provider = in.getProvider().cStr();
  out.began_unix_seconds = in.getBeganUnixSeconds();
  out.now_unix_us = in.getNowUnixUs();
  out.sessions_open = in.getSessionsOpen();
  out.sessions_accepted = in.getSessionsAccepted();
  out.sessions_refused = in.getSessionsRefused();
  out.sessions_dropped = in.getSessionsDropped();
  out.control_requests = in.getControlRequests();
  out.control_received_bytes = in.getControlReceivedBytes();
  out.control_sent_bytes = in.getControlSentBytes();
  out.fabric_endpoints = in.getFabricEndpoints();
  out.fabric_registered_bytes = in.getFabricRegisteredBytes();
  out.agent_bytes = in.getAgentBytes();
  out.quarantine_bytes = in.getQuarantineBytes();
  out.windows = in.getWindows();
  out.allocations = in.getAllocations();
  out.uses = in.getUses();
  out.capacity_bytes = in.getCapacityBytes();
  out.reserved_bytes = in.getReservedBytes();
  out.file_system_bytes = in.getFileSystemBytes();
  out.file_system_free_bytes = in.getFileSystemFreeBytes();
  out.catalog_bytes = in.getCatalogBytes();
  out.catalog_limit_bytes = in.getCatalogLimitBytes();
}

void put(wire::Statistics::Requests::Builder out, const RequestStatistics& in) {
  out.setKind(in.kind.c_str());
  out.setRequests(in.requests);
  out.setFailed(in.failed);
  out.setTotalTimeUs(in.total_time_us);
  auto latencies = out.initLatencies(size_of(in.latencies));
  for (unsigned i = 0; i < latencies.size(); ++i) latencies.set(i, in.latencies[i]);
}

RequestStatistics get(wire::Statistics::Requests::Reader in) {
  RequestStatistics out{.kind = in.getKind().cStr(),
                        .requests = in.getRequests(),
                        .failed = in.getFailed(),
                        .total_time_us = in.getTotalTimeUs()};
  const auto latencies = in.getLatencies();
  for (unsigned i = 0; i < std::min(latencies.size(), size_of(out.latencies)); ++i) out.latencies[i] = latencies[i];
  return out;
}

void put(wire::Statistics::Refusals::Builder out, const RefusalStatistics& in) {
  out.setKind(in.kind.c_str());
  out.setCount(in.count);
}

RefusalStatistics get(wire::Statistics::Refusals::Reader in) {
  return {.kind = in.getKind().cStr(), .count = in.getCount()};
}

void put(wire::Statistics::User::Builder out, const UserStatistics& in) {
  out.setUid(in.uid);
  out.setReservedBytes(in.reserved_bytes);
  out.setObjects(in.objects);
  out.setQuotaBytes(in.quota_bytes);
  out.setQuotaObjects(in.quota_objects);
  out.setSessions(in.sessions);
}

UserStatistics get(wire::Statistics::User::Reader in) {
  return {.uid = in.getUid(),
          .reserved_bytes = in.getReservedBytes(),
          .objects = in.getObjects(),
          .quota_bytes = in.getQuotaBytes(),
          .quota_objects = in.getQuotaObjects(),
          .sessions = in.getSessions()};
}

void put(wire::Statistics::Session::Builder out, const SessionStatistics& in) {
  out.setSession(in.session);
  out.setUid(in.uid);
  out.setPid(in.pid);
  out.setHost(in.host.c_str());
  out.setIp(in.ip.c_str());
  out.setMethod(in.method.c_str());
  out.setBeganUnixSeconds(in.began_unix_seconds);
  out.setRequests(in.requests);
  out.setUses(in.uses);
  out.setFabricBytes(in.fabric_bytes);
}

SessionStatistics get(wire::Statistics::Session::Reader in) {
  return {.session = in.getSession(),
          .uid = in.getUid(),
          .pid = in.getPid(),
          .host = in.getHost().cStr(),
          .ip = in.getIp().cStr(),
          .method = in.getMethod().cStr(),
          .began_unix_seconds = in.getBeganUnixSeconds(),
          .requests = in.getRequests(),
          .uses = in.getUses(),
          .fabric_bytes = in.getFabricBytes()};
}

void put(wire::Statistics::Nam::Builder out, const NamStatistics& in) {
  out.setIndex(in.index);
  out.setStore(kj::arrayPtr(in.store.bytes.data(), in.store.bytes.size()));
  out.setName(in.name.c_str());
  out.setAddress(in.address.c_str());
  out.setReachable(in.reachable);
  out.setCapacityBytes(in.capacity_bytes);
  out.setReservedBytes(in.reserved_bytes);
}

NamStatistics get(wire::Statistics::Nam::Reader in) {
  NamStatistics out{.index = in.getIndex(),
                    .store = {},
                    .name = in.getName().cStr(),
                    .address = in.getAddress().cStr(),
                    .reachable = in.getReachable(),
                    .capacity_bytes = in.getCapacityBytes(),
                    .reserved_bytes = in.getReservedBytes()};
  const auto store = in.getStore();
  std::copy_n(store.begin(), std::min<std::size_t>(store.size(), out.store.bytes.size()), out.store.bytes.begin());
  return out;
}

template <class List, class Value>
void get_list(List list, std::vector<Value>& values) {
  for (const auto one : list) values.push_back(get(one));
}

Statistics read(capnp::MessageReader& message) {
  Statistics statistics;
  const auto in = message.getRoot<wire::Statistics>();
  get_numbers(in, statistics);
  get_list(in.getRequests(), statistics.requests);
  get_list(in.getRefusals(), statistics.refusals);
  get_list(in.getUsers(), statistics.users);
  get_list(in.getSessions(), statistics.sessions);
  get_list(in.getNams(), statistics.nams);
  return statistics;
}

}  // namespace

std::vector<std::byte> encode(const Statistics& statistics) {
  capnp::MallocMessageBuilder message;
  auto out = message.initRoot<wire::Statistics>();
  const auto put_one = [](auto builder, const auto& value) { put(builder, value); };
  put_numbers(out, statistics);
  put_list(out.initRequests(size_of(statistics.requests)), statistics.requests, put_one);
  put_list(out.initRefusals(size_of(statistics.refusals)), statistics.refusals, put_one);
  put_list(out.initUsers(size_of(statistics.users)), statistics.users, put_one);
  put_list(out.initSessions(size_of(statistics.sessions)), statistics.sessions, put_one);
  put_list(out.initNams(size_of(statistics.nams)), statistics.nams, put_one);
  const auto words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  std::vector<std::byte> result(bytes.size());
  std::memcpy(result.data(), bytes.begin(), bytes.size());
  return result;
}

Result<Statistics> decode_statistics(std::span<const std::byte> bytes) {
  // The words of a message must lie where words may; those of a frame may not.
  std::vector<capnp::word> words((bytes.size() + sizeof(capnp::word) - 1) / sizeof(capnp::word));
  if (!bytes.empty()) std::memcpy(words.data(), bytes.data(), bytes.size());
  constexpr int kDepth = 8;
  const capnp::ReaderOptions limits{.traversalLimitInWords = 8 * words.size() + 1024, .nestingLimit = kDepth};
  std::optional<Statistics> statistics;
  const auto failure = kj::runCatchingExceptions([&] {
    capnp::FlatArrayMessageReader message{kj::arrayPtr(words.data(), words.size()), limits};
    statistics = read(message);
  });
  KJ_IF_MAYBE (exception, failure) {
    return Error{Code::corrupt, fmt::format("statistics of {} bytes are damaged: {}", bytes.size(),
                                            exception->getDescription().cStr())};
  }
  return std::move(*statistics);
}

const char* refusal_kind(Code code) noexcept {
  switch (code) {
    case Code::quota:
      return "quota";
    case Code::no_memory:
      return "no_memory";
    case Code::access:
      return "access";
    case Code::name_not_found:
    case Code::service_not_found:
      return "not_found";
    case Code::name_exists:
    case Code::service_exists:
      return "exists";
    case Code::busy:
      return "busy";
    case Code::unsupported:
      return "unsupported";
    case Code::corrupt:
    case Code::incompatible:
    case Code::system:
      return "fault";
    case Code::unreachable:
    case Code::peer_lost:
      return "unreachable";
    default:
      return "invalid";
  }
}

}  // namespace psnam::nam
