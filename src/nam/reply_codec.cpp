#include <algorithm>
#include <array>

#include "nam/control_fields.hpp"
#include "nam/parity_codec.hpp"
#include "nam/reply.hpp"

namespace psnam::nam::reply {
namespace {

namespace schema = format::control;
using codec::bytes_of;
using codec::data_of;
using codec::Fields;
using codec::span_of;
using codec::text_of;
using Builder = schema::Reply::Builder;
using Reader = schema::Reply::Reader;

unsigned length(std::size_t size) noexcept { return static_cast<unsigned>(size); }

struct CodeRow {
  Code code;
  schema::Code wire;
};
constexpr std::array kCodes{
    CodeRow{Code::invalid_argument, schema::Code::INVALID_ARGUMENT},
    CodeRow{Code::info_key, schema::Code::INFO_KEY},
    CodeRow{Code::info_value, schema::Code::INFO_VALUE},
    CodeRow{Code::size, schema::Code::SIZE},
    CodeRow{Code::displacement, schema::Code::DISPLACEMENT},
    CodeRow{Code::count, schema::Code::COUNT},
    CodeRow{Code::rank, schema::Code::RANK},
    CodeRow{Code::buffer, schema::Code::BUFFER},
    CodeRow{Code::datatype, schema::Code::DATATYPE},
    CodeRow{Code::operation, schema::Code::OPERATION},
    CodeRow{Code::range, schema::Code::RANGE},
    CodeRow{Code::sync, schema::Code::SYNC},
    CodeRow{Code::lock_type, schema::Code::LOCK_TYPE},
    CodeRow{Code::assertion, schema::Code::ASSERTION},
    CodeRow{Code::request, schema::Code::REQUEST},
    CodeRow{Code::access, schema::Code::ACCESS},
    CodeRow{Code::no_memory, schema::Code::NO_MEMORY},
    CodeRow{Code::name_not_found, schema::Code::NAME_NOT_FOUND},
    CodeRow{Code::name_exists, schema::Code::NAME_EXISTS},
    CodeRow{Code::service_not_found, schema::Code::SERVICE_NOT_FOUND},
    CodeRow{Code::service_exists, schema::Code::SERVICE_EXISTS},
    CodeRow{Code::busy, schema::Code::BUSY},
    CodeRow{Code::unreachable, schema::Code::UNREACHABLE},
    CodeRow{Code::peer_lost, schema::Code::PEER_LOST},
    CodeRow{Code::incompatible, schema::Code::INCOMPATIBLE},
    CodeRow{Code::corrupt, schema::Code::CORRUPT},
    CodeRow{Code::unsupported, schema::Code::UNSUPPORTED},
    CodeRow{Code::system, schema::Code::SYSTEM},
    CodeRow{Code::quota, schema::Code::QUOTA},
};

schema::Code wire_of(Code code) noexcept {
  const auto* const row = std::find_if(kCodes.begin(), kCodes.end(), [&](const CodeRow& r) { return r.code == code; });
  return row == kCodes.end() ? schema::Code::OTHER : row->wire;
}

/// An error of a kind that is not known here is one of the server's system.
Code code_of(schema::Code wire) noexcept {
  const auto* const row = std::find_if(kCodes.begin(), kCodes.end(), [&](const CodeRow& r) { return r.wire == wire; });
  return row == kCodes.end() ? Code::system : row->code;
}

template <class Record>
void put_use(schema::Use::Builder to, const Record& record, std::uint64_t use_id) {
  to.setRecord(data_of(format::encode(record)));
  to.setUseId(use_id);
}

void put_uses(capnp::List<capnp::Data>::Builder to, const std::vector<format::UseRecord>& uses) {
  for (unsigned i = 0; i < to.size(); ++i) to.set(i, data_of(format::encode(uses[i])));
}
std::vector<format::UseRecord> uses_of(capnp::List<capnp::Data>::Reader in, Fields& fields) {
  std::vector<format::UseRecord> uses;
  for (const auto use : in) uses.push_back(fields.take(format::decode_use(span_of(use))));
  return uses;
}

void put(Builder out, const Error& from) {
  auto to = out.initFailure();
  to.setCode(wire_of(from.code));
  to.setMessage(from.message);
  to.setDetail(from.detail);
}
void put(Builder out, const Done&) { out.setDone(); }
void put(Builder out, const Flag& from) { out.setFlag(from.value); }
void put(Builder out, const Number& from) { out.setNumber(from.value); }
void put(Builder out, const Text& from) { out.setText(from.text); }
void put(Builder out, const Window& from) { out.setWindow(data_of(format::encode(from.window))); }
void put(Builder out, const Allocation& from) { out.setAllocation(data_of(format::encode(from.allocation))); }
void put(Builder out, const WindowUse& from) { put_use(out.initWindowUse(), from.window, from.use_id); }
void put(Builder out, const AllocationUse& from) { put_use(out.initAllocationUse(), from.allocation, from.use_id); }

void put(Builder out, const Windows& from) {
  auto to = out.initWindows();
  to.setMore(from.more);
  auto windows = to.initWindows(length(from.windows.size()));
  for (unsigned i = 0; i < windows.size(); ++i) {
    const WindowReport& report = from.windows[i];
    windows[i].setWindow(data_of(format::encode(report.window)));
    put_uses(windows[i].initUses(length(report.uses.size())), report.uses);
    auto services = windows[i].initServices(length(report.services.size()));
    for (unsigned s = 0; s < services.size(); ++s) services.set(s, report.services[s]);
  }
}

Windows get(schema::Windows::Reader in, Fields& fields) {
  Windows to;
  to.more = in.getMore();
  for (const auto window : in.getWindows()) {
    WindowReport report;
    report.window = fields.take(format::decode_window(span_of(window.getWindow())));
    report.uses = uses_of(window.getUses(), fields);
    for (const auto service : window.getServices()) report.services.push_back(text_of(service));
    to.windows.push_back(std::move(report));
  }
  return to;
}

void put(Builder out, const Allocations& from) {
  auto to = out.initAllocations();
  to.setMore(from.more);
  auto allocations = to.initAllocations(length(from.allocations.size()));
  for (unsigned i = 0; i < allocations.size(); ++i) {
    const AllocationReport& report = from.allocations[i];
    allocations[i].setAllocation(data_of(format::encode(report.allocation)));
    put_uses(allocations[i].initUses(length(report.uses.size())), report.uses);
    auto windows = allocations[i].initReferringWindows(length(report.referring_windows.size()));
    for (unsigned w = 0; w < windows.size(); ++w) windows.set(w, report.referring_windows[w]);
    allocations[i].setSegments(report.segments);
    allocations[i].setTakenBytes(report.taken_bytes);
    allocations[i].setLargestFreeBytes(report.largest_free_bytes);
  }
}

Allocations get(schema::Allocations::Reader in, Fields& fields) {
  Allocations to;
  to.more = in.getMore();
  for (const auto allocation : in.getAllocations()) {
    AllocationReport report;
    report.allocation = fields.take(format::decode_allocation(span_of(allocation.getAllocation())));
    report.uses = uses_of(allocation.getUses(), fields);
    for (const std::uint64_t id : allocation.getReferringWindows()) report.referring_windows.push_back(id);
    report.segments = allocation.getSegments();
    report.taken_bytes = allocation.getTakenBytes();
    report.largest_free_bytes = allocation.getLargestFreeBytes();
    to.allocations.push_back(std::move(report));
  }
  return to;
}

void put(schema::Object::Builder out, const Object& from) {
  out.setId(from.id);
  out.setRight(codec::wire(from.right));
  out.setShown(from.shown);
}
Object get(schema::Object::Reader in, Fields& fields) {
  return {.id = in.getId(), .right = fields.right(in.getRight()), .shown = text_of(in.getShown())};
}

void put(Builder out, const Range& from) {
  auto to = out.initMemory();
  to.setMapped(from.mapped);
  to.setKey(from.key);
  to.setBase(from.base);
  put(to.initObject(), from.object);
}
Range get(schema::Memory::Reader in, Fields& fields) {
  return {.mapped = in.getMapped(), .key = in.getKey(), .base = in.getBase(), .object = get(in.getObject(), fields)};
}

void put(Builder out, const Agent& from) {
  auto to = out.initAgent();
  to.setNumber(from.number);
  put(to.initObject(), from.object);
}
Agent get(schema::Agent::Reader in, Fields& fields) { return {in.getNumber(), get(in.getObject(), fields)}; }

void put(Builder out, const Fabric& from) {
  auto to = out.initFabric();
  to.setProvider(from.provider);
  to.setAddress(data_of(std::as_bytes(std::span{from.address})));
}
void put(Builder out, const Bytes& from) { out.setBytes(data_of(from.bytes)); }

void put(Builder out, const StoreSummary& from) {
  auto to = out.initSummary();
  to.setId({from.id.bytes.data(), from.id.bytes.size()});
  to.setHost(from.host);
  to.setFolder(from.folder.string());
  to.setCapacityBytes(from.capacity_bytes);
  to.setReservedBytes(from.reserved_bytes);
  to.setFileSystemBytes(from.file_system_bytes);
  to.setFileSystemFreeBytes(from.file_system_free_bytes);
  to.setWindows(from.windows);
  to.setAllocations(from.allocations);
  to.setUses(from.uses);
  to.setServices(from.services);
  to.setCatalogBytes(from.catalog_bytes);
  to.setCatalogLimitBytes(from.catalog_limit_bytes);
}
StoreSummary get(schema::Summary::Reader in, Fields& fields) {
  StoreSummary to;
  const auto id = in.getId();
  fields.require(id.size() == to.id.bytes.size(), "id");
  if (id.size() == to.id.bytes.size()) std::copy(id.begin(), id.end(), to.id.bytes.begin());
  to.host = text_of(in.getHost());
  to.folder = text_of(in.getFolder());
  to.capacity_bytes = in.getCapacityBytes();
  to.reserved_bytes = in.getReservedBytes();
  to.file_system_bytes = in.getFileSystemBytes();
  to.file_system_free_bytes = in.getFileSystemFreeBytes();
  to.windows = in.getWindows();
  to.allocations = in.getAllocations();
  to.uses = in.getUses();
  to.services = in.getServices();
  to.catalog_bytes = in.getCatalogBytes();
  to.catalog_limit_bytes = in.getCatalogLimitBytes();
  return to;
}

void put(Builder out, const Collected& from) {
  auto to = out.initCollected();
  to.setUses(from.uses);
  to.setWindows(from.windows);
  to.setAllocations(from.allocations);
  to.setBytes(from.bytes);
}
void put(Builder out, const Findings& from) {
  auto to = out.initFindings(length(from.size()));
  for (unsigned i = 0; i < to.size(); ++i) to.set(i, from[i]);
}
Findings get(capnp::List<capnp::Text>::Reader in) {
  Findings to;
  for (const auto finding : in) to.push_back(text_of(finding));
  return to;
}
void put(Builder out, const Value& from) {
  auto to = out.initValue();
  to.setPresent(from.value.has_value());
  to.setValue(from.value.value_or(0));
}

void put(Builder out, const Joined& from) {
  auto to = out.initJoined();
  to.setIndex(from.index);
  to.setManager(data_of(std::as_bytes(std::span{from.manager.bytes})));
}
void put(Builder out, const Nams& from) {
  auto to = out.initNams(length(from.size()));
  for (unsigned i = 0; i < to.size(); ++i) {
    to[i].setIndex(from[i].index);
    to[i].setStore(data_of(std::as_bytes(std::span{from[i].store.bytes})));
    to[i].setAddress(from[i].address);
    to[i].setSocket(from[i].socket);
    to[i].setCapacityBytes(from[i].capacity_bytes);
    to[i].setFreeBytes(from[i].free_bytes);
    to[i].setReachable(from[i].reachable);
  }
}
Nams get(capnp::List<schema::Nam>::Reader in, Fields& fields) {
  Nams to;
  for (const auto nam : in)
    to.push_back({.index = nam.getIndex(),
                  .store = fields.uuid(nam.getStore()),
                  .address = text_of(nam.getAddress()),
                  .socket = text_of(nam.getSocket()),
                  .capacity_bytes = nam.getCapacityBytes(),
                  .free_bytes = nam.getFreeBytes(),
                  .reachable = nam.getReachable()});
  return to;
}

void put(Builder out, const Parity& from) { codec::put_parity(out, from); }

Any get_record(Reader in, Fields& fields) {
  switch (in.which()) {
    case schema::Reply::WINDOW:
      return Window{fields.take(format::decode_window(span_of(in.getWindow())))};
    case schema::Reply::ALLOCATION:
      return Allocation{fields.take(format::decode_allocation(span_of(in.getAllocation())))};
    case schema::Reply::WINDOW_USE:
      return WindowUse{fields.take(format::decode_window(span_of(in.getWindowUse().getRecord()))),
                       in.getWindowUse().getUseId()};
    case schema::Reply::ALLOCATION_USE:
      return AllocationUse{fields.take(format::decode_allocation(span_of(in.getAllocationUse().getRecord()))),
                           in.getAllocationUse().getUseId()};
    case schema::Reply::WINDOWS:
      return get(in.getWindows(), fields);
    case schema::Reply::ALLOCATIONS:
      return get(in.getAllocations(), fields);
    case schema::Reply::SUMMARY:
      return get(in.getSummary(), fields);
    case schema::Reply::COLLECTED:
      return Collected{in.getCollected().getUses(), in.getCollected().getWindows(), in.getCollected().getAllocations(),
                       in.getCollected().getBytes()};
    case schema::Reply::FINDINGS:
      return get(in.getFindings());
    case schema::Reply::JOINED:
      return Joined{in.getJoined().getIndex(), fields.uuid(in.getJoined().getManager())};
    case schema::Reply::NAMS:
      return get(in.getNams(), fields);
    case schema::Reply::AGENT:
      return get(in.getAgent(), fields);
    case schema::Reply::PARITY:
      return codec::parity_of(in.getParity(), fields);
    default:
      break;
  }
  fields.fail(
      {Code::corrupt, fmt::format("control message: the reply {} is not known here", static_cast<int>(in.which()))});
  return Done{};
}

Any get(Reader in, Fields& fields) {
  switch (in.which()) {
    case schema::Reply::FAILURE:
      return Error{code_of(in.getFailure().getCode()), text_of(in.getFailure().getMessage()),
                   in.getFailure().getDetail()};
    case schema::Reply::DONE:
      return Done{};
    case schema::Reply::FLAG:
      return Flag{in.getFlag()};
    case schema::Reply::NUMBER:
      return Number{in.getNumber()};
    case schema::Reply::TEXT:
      return Text{text_of(in.getText())};
    case schema::Reply::MEMORY:
      return get(in.getMemory(), fields);
    case schema::Reply::FABRIC: {
      const auto address = in.getFabric().getAddress();
      return Fabric{text_of(in.getFabric().getProvider()), {address.asChars().begin(), address.size()}};
    }
    case schema::Reply::BYTES:
      return Bytes{bytes_of(in.getBytes())};
    case schema::Reply::VALUE:
      if (!in.getValue().getPresent()) return Value{};
      return Value{in.getValue().getValue()};
    default:
      return get_record(in, fields);
  }
}

}  // namespace

std::vector<std::byte> encode(const Any& reply) {
  capnp::MallocMessageBuilder message;
  auto root = message.initRoot<schema::Reply>();
  std::visit([&](const auto& value) { put(root, value); }, reply);
  return codec::flat(message);
}

Result<Any> decode(std::span<const std::byte> bytes) {
  return codec::decode_by<schema::Reply, Any>(bytes, [](Reader in, Fields& fields) -> Any { return get(in, fields); });
}

}  // namespace psnam::nam::reply
