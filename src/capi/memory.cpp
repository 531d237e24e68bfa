// nam.h: the process's connection, and allocations made, connected and freed.
#include <fmt/format.h>

#include <limits>

#include "capi/failure.hpp"
#include "capi/process.hpp"
#include "nam.h"

namespace psnam::capi {
namespace {

Result<nam_allocation_t*> make(std::size_t bytes, int flag, int nam_index, bool persistent) {
  PSNAM_TRY(const auto home, process().store());
  PSNAM_TRY(auto made, Allocation::allocate(home, bytes, flag, "", nam_index));
  if (persistent) PSNAM_CHECK(made->keep());
  const nam_allocation_t record = made->record();
  return process().allocations().add(record, std::move(made));
}

Result<std::size_t> product(std::size_t count, std::size_t size) {
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size)
    return Error{Code::no_memory, fmt::format("{} times {} bytes are more than an address can tell", count, size)};
  return count * size;
}

Result<nam_allocation_t*> make_counted(std::size_t count, std::size_t size) {
  PSNAM_TRY(const std::size_t bytes, product(count, size));
  return make(bytes, 0, -1, false);
}

Status connect(nam_allocation_t* record) {
  if (record == nullptr) return Error{Code::invalid_argument, "nam_connect_allocation: the record is NULL"};
  auto& handles = process().allocations();
  if (const auto known = handles.find(record); known && known->id() == record->address) return {};
  PSNAM_TRY(const auto home, process().store());
  PSNAM_TRY(auto connected, Allocation::connect(home, *record));
  *record = connected->record();
  // A record whose memory was used again without being freed loses what it stood for.
  if (const auto before = handles.add(record, std::move(connected))) return before->close();
  return {};
}

Status persist(nam_allocation_t* handle) {
  PSNAM_TRY(const auto allocation, process().allocation("nam_persist", handle));
  return allocation->persist();
}

Status release(nam_allocation_t* handle) {
  PSNAM_TRY(const auto allocation, process().allocation("nam_free", handle));
  PSNAM_CHECK(allocation->release());
  nam_allocation_t freed = allocation->record();
  freed.status = NAM_STATUS_FREED;
  process().allocations().remove(handle, freed);
  return {};
}

}  // namespace
}  // namespace psnam::capi

using psnam::Status;
using psnam::capi::boundary;
using psnam::capi::process;

namespace {

constexpr nam_allocation_t* kNone = nullptr;

}  // namespace

extern "C" {

int nam_init(void) {
  return boundary(-1, [] { return process().store().status(); });
}

int nam_finalize(void) {
  return boundary(-1, [] { return process().finalize(); });
}

nam_allocation_t* nam_malloc(size_t bytes) {
  return boundary(kNone, [&] { return psnam::capi::make(bytes, 0, -1, false); });
}

nam_allocation_t* nam_calloc(size_t count, size_t size) {
  return boundary(kNone, [&] { return psnam::capi::make_counted(count, size); });
}

nam_allocation_t* nam_malloc_persistent(size_t bytes) {
  return boundary(kNone, [&] { return psnam::capi::make(bytes, 0, -1, true); });
}

nam_allocation_t* nam_malloc_persistant(size_t bytes) { return nam_malloc_persistent(bytes); }

nam_allocation_t* nam_alloc(size_t bytes, int flag, int nam_index, int persistent) {
  return boundary(kNone, [&] { return psnam::capi::make(bytes, flag, nam_index, persistent != 0); });
}

int nam_connect_allocation(nam_allocation_t* allocation) {
  return boundary(-1, [&] { return psnam::capi::connect(allocation); });
}

int nam_persist(nam_allocation_t* allocation) {
  return boundary(-1, [&] { return psnam::capi::persist(allocation); });
}

int nam_free(nam_allocation_t* allocation) {
  return boundary(-1, [&] { return psnam::capi::release(allocation); });
}

}  // extern "C"
