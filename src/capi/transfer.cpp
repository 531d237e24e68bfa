// nam.h: bytes to and from allocations. Where the memory is mapped a transfer that is begun is complete; a request is
// active all the same until the program has asked for it. Elsewhere the request is a ticket for what is under way.
#include <fmt/format.h>

#include <limits>
#include <utility>

#include "capi/failure.hpp"
#include "capi/process.hpp"
#include "capi/transfer.hpp"
#include "nam.h"

namespace psnam::capi {
namespace {

/// In nam_async_request_t::state of an active request that is complete; of another one, its ticket. Whatever else
/// stands there, the request is inactive.
constexpr std::uint64_t kActive = 0x4e414d2061637476;

class Transfer final : public UnderWay {
 public:
  Transfer(std::shared_ptr<Allocation> allocation, RemoteTransfers::Number number)
      : allocation_{std::move(allocation)}, number_{number} {}
  // Nothing moves without the program's help: whoever asks waits.
  [[nodiscard]] bool complete() const override { return true; }
  [[nodiscard]] Status finish() override { return allocation_->finish(number_); }

 private:
  std::shared_ptr<Allocation> allocation_;
  RemoteTransfers::Number number_;
};

Result<ssize_t> moved(std::size_t bytes) { return static_cast<ssize_t>(bytes); }

Status check(const char* function, const Allocation& allocation, const void* buffer, Range range) {
  PSNAM_CHECK(allocation.check(function, range));
  if (range.bytes > static_cast<std::size_t>(std::numeric_limits<ssize_t>::max()))
    return Error{Code::range, fmt::format("{}: {} bytes are more than a call can report", function, range.bytes)};
  if (buffer == nullptr && range.bytes != 0)
    return Error{Code::buffer, fmt::format("{}: the buffer of {} bytes is NULL", function, range.bytes)};
  return {};
}

Result<ssize_t> get(const char* function, void* to, Range range, const nam_allocation_t* handle) {
  PSNAM_TRY(const auto allocation, process().allocation(function, handle));
  PSNAM_CHECK(check(function, *allocation, to, range));
  PSNAM_CHECK(allocation->get(to, range));
  return moved(range.bytes);
}

/// Begins `start(allocation)` for `request`.
template <class Start>
Status begin(const char* function, const void* buffer, Range range, const nam_allocation_t* handle,
             nam_async_request_t* request, Start&& start) {
  if (request == nullptr) return Error{Code::invalid_argument, fmt::format("{}: the request is NULL", function)};
  *request = NAM_ASYNC_REQUEST_NULL;
  PSNAM_TRY(const auto allocation, process().allocation(function, handle));
  PSNAM_CHECK(check(function, *allocation, buffer, range));
  PSNAM_TRY(const auto number, start(*allocation));
  request->state = kActive;
  if (number) request->state = process().transfers().insert(std::make_shared<Transfer>(allocation, *number));
  request->bytes = static_cast<ssize_t>(range.bytes);
  return {};
}

/// Waits for the transfer; its failure is that of the wait.
Status end(const char* function, nam_async_request_t* request) {
  if (request == nullptr) return Error{Code::invalid_argument, fmt::format("{}: the request is NULL", function)};
  const std::uint64_t state = std::exchange(request->state, 0);
  if (state == kActive) return {};
  const auto under_way = process().transfers().erase(state);
  if (!under_way) return {};
  Status finished = under_way->finish();
  if (finished) return {};
  request->bytes = 0;
  request->error = errno_of(finished.error());
  return finished;
}

Result<int> test(nam_async_request_t* request) {
  const auto under_way = request == nullptr ? nullptr : process().transfers().find(request->state);
  if (under_way && !under_way->complete()) return 0;
  PSNAM_CHECK(end("nam_test", request));
  return 1;
}

Status end_all(int count, nam_async_request_t* requests) {
  if (count < 0) return Error{Code::count, fmt::format("nam_wait_all: {} requests", count)};
  if (requests == nullptr && count != 0)
    return Error{Code::invalid_argument, fmt::format("nam_wait_all: the array of {} requests is NULL", count)};
  Status first;
  for (int i = 0; i < count; ++i) {
    Status ended = end("nam_wait_all", &requests[i]);
    if (first && !ended) first = std::move(ended);
  }
  return first;
}

}  // namespace

Result<ssize_t> put(const char* function, const void* from, Range range, const nam_allocation_t* handle) {
  PSNAM_TRY(const auto allocation, process().allocation(function, handle));
  PSNAM_CHECK(check(function, *allocation, from, range));
  PSNAM_CHECK(allocation->put(from, range));
  return moved(range.bytes);
}

}  // namespace psnam::capi

using psnam::capi::boundary;

extern "C" {

ssize_t nam_put_sync(const void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation) {
  return boundary(ssize_t{-1}, [&] { return psnam::capi::put("nam_put_sync", buffer, {offset, bytes}, allocation); });
}

ssize_t nam_get_sync(void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation) {
  return boundary(ssize_t{-1}, [&] { return psnam::capi::get("nam_get_sync", buffer, {offset, bytes}, allocation); });
}

int nam_put_async(const void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation,
                  nam_async_request_t* request) {
  const psnam::capi::Range range{offset, bytes};
  const auto start = [&](psnam::capi::Allocation& to) { return to.start_put(buffer, range); };
  return boundary(-1, [&] { return psnam::capi::begin("nam_put_async", buffer, range, allocation, request, start); });
}

int nam_get_async(void* buffer, size_t offset, size_t bytes, nam_allocation_t* allocation,
                  nam_async_request_t* request) {
  const psnam::capi::Range range{offset, bytes};
  const auto start = [&](psnam::capi::Allocation& from) { return from.start_get(buffer, range); };
  return boundary(-1, [&] { return psnam::capi::begin("nam_get_async", buffer, range, allocation, request, start); });
}

int nam_test(nam_async_request_t* request) {
  return boundary(-1, [&] { return psnam::capi::test(request); });
}

int nam_wait(nam_async_request_t* request) {
  return boundary(-1, [&] { return psnam::capi::end("nam_wait", request); });
}

int nam_wait_all(int count, nam_async_request_t* requests) {
  return boundary(-1, [&] { return psnam::capi::end_all(count, requests); });
}

}  // extern "C"
