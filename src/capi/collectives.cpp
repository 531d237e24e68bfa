// nam_ext.h: gather, scatter and broadcast through the memory of the NAM. Each byte is put once, and got by whom it is
// for; the communicator carries the sizes before, so that all judge them alike, and verdicts after.
#include <fmt/format.h>

#include <limits>

#include "capi/failure.hpp"
#include "capi/operations.hpp"
#include "capi/process.hpp"
#include "nam_team.h"

namespace psnam::capi {
namespace {

struct Call {
  const char* function;
  Operation operation;
  std::size_t offset;
  const void* send;
  std::size_t send_bytes;
  void* receive;
  std::size_t receive_bytes;
  int root;
};

/// How the parts of the processes lie behind each other in the NAM.
struct Layout {
  std::vector<Arguments> all;
  std::vector<Range> parts;  ///< by rank
  Range whole;
};

Result<std::vector<Arguments>> exchange(const Set& set, const Call& call) {
  PSNAM_TRY(auto all, set.team().compare(call.function, {.operation = static_cast<std::int32_t>(call.operation),
                                                         .root = call.root,
                                                         .value = call.offset,
                                                         .send_bytes = call.send_bytes,
                                                         .receive_bytes = call.receive_bytes,
                                                         .send_is_null = call.send == nullptr ? 1 : 0,
                                                         .receive_is_null = call.receive == nullptr ? 1 : 0}));
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank].value != all[0].value)
      return Error{Code::invalid_argument, fmt::format("{}: the offset is {} on rank 0 and {} on rank {}",
                                                       call.function, all[0].value, all[rank].value, rank)};
  return all;
}

/// The same on every process, as all it looks at is.
Result<Layout> lay_out(const Set& set, const Call& call, std::uint64_t Arguments::*bytes) {
  Layout layout;
  PSNAM_TRY(layout.all, exchange(set, call));
  std::uint64_t end = call.offset;
  for (const Arguments& one : layout.all) {
    if (one.*bytes > std::numeric_limits<std::uint64_t>::max() - end)
      return Error{Code::range, fmt::format("{}: the parts end beyond 2^64 bytes", call.function)};
    layout.parts.push_back({end, one.*bytes});
    end += one.*bytes;
  }
  layout.whole = {call.offset, end - call.offset};
  PSNAM_CHECK(set.allocation().check(call.function, layout.whole));
  return layout;
}

Error null_buffer(const Call& call, std::size_t rank, std::uint64_t bytes) {
  return Error{Code::buffer, fmt::format("{}: the buffer of {} bytes is NULL on rank {}", call.function, bytes, rank)};
}

/// Every process has a buffer for its own part.
Status check_own_buffers(const Call& call, const std::vector<Arguments>& all, std::uint64_t Arguments::*bytes,
                         std::int32_t Arguments::*is_null) {
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    if (all[rank].*bytes != 0 && all[rank].*is_null != 0) return null_buffer(call, rank, all[rank].*bytes);
  return {};
}

Status gather(const Set& set, const Call& call) {
  PSNAM_TRY(const Layout layout, lay_out(set, call, &Arguments::send_bytes));
  PSNAM_CHECK(check_own_buffers(call, layout.all, &Arguments::send_bytes, &Arguments::send_is_null));
  const Arguments& root = layout.all[static_cast<std::size_t>(call.root)];
  if (layout.whole.bytes > root.receive_bytes)
    return Error{Code::range, fmt::format("{}: {} bytes are sent, the root has room for {}", call.function,
                                          layout.whole.bytes, root.receive_bytes)};
  if (layout.whole.bytes != 0 && root.receive_is_null != 0)
    return null_buffer(call, static_cast<std::size_t>(call.root), root.receive_bytes);
  const Team& team = set.team();
  PSNAM_CHECK(team.agree(set.allocation().put(call.send, layout.parts[static_cast<std::size_t>(team.rank())])));
  Status got;
  if (team.rank() == call.root) got = set.allocation().get(call.receive, layout.whole);
  // Nobody goes on to write there again before the root has read.
  return team.agree(got);
}

Status scatter(const Set& set, const Call& call) {
  PSNAM_TRY(const Layout layout, lay_out(set, call, &Arguments::receive_bytes));
  PSNAM_CHECK(check_own_buffers(call, layout.all, &Arguments::receive_bytes, &Arguments::receive_is_null));
  const Arguments& root = layout.all[static_cast<std::size_t>(call.root)];
  if (layout.whole.bytes > root.send_bytes)
    return Error{Code::range, fmt::format("{}: {} bytes are wanted, the root sends {}", call.function,
                                          layout.whole.bytes, root.send_bytes)};
  if (layout.whole.bytes != 0 && root.send_is_null != 0)
    return null_buffer(call, static_cast<std::size_t>(call.root), root.send_bytes);
  const Team& team = set.team();
  Status put;
  if (team.rank() == call.root) put = set.allocation().put(call.send, layout.whole);
  PSNAM_CHECK(team.agree(put));
  return team.agree(set.allocation().get(call.receive, layout.parts[static_cast<std::size_t>(team.rank())]));
}

Status broadcast(const Set& set, const Call& call) {
  PSNAM_TRY(const auto all, exchange(set, call));
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank].receive_bytes != all[0].receive_bytes)
      return Error{Code::size, fmt::format("{}: {} bytes on rank 0 and {} on rank {}", call.function,
                                           all[0].receive_bytes, all[rank].receive_bytes, rank)};
  PSNAM_CHECK(check_own_buffers(call, all, &Arguments::receive_bytes, &Arguments::receive_is_null));
  const Range range{call.offset, call.receive_bytes};
  PSNAM_CHECK(set.allocation().check(call.function, range));
  const Team& team = set.team();
  Status moved;
  if (team.rank() == call.root) moved = set.allocation().put(call.receive, range);
  PSNAM_CHECK(team.agree(moved));
  if (team.rank() != call.root) moved = set.allocation().get(call.receive, range);
  return team.agree(moved);
}

template <class Body>
Status with_set(const Call& call, const nam_ext_allocation_t* handle, Body&& body) {
  PSNAM_TRY(const auto set, process().set(call.function, handle));
  return body(*set, call);
}

}  // namespace
}  // namespace psnam::capi

using psnam::capi::boundary;
using psnam::capi::Operation;

extern "C" {

int nam_gather(size_t offset, const void* sendbuf, size_t sendbytes, void* recvbuf, size_t recvbytes, int root,
               nam_ext_allocation_t* ext) {
  return boundary(-1, [&] {
    return psnam::capi::with_set(
        {"nam_gather", Operation::gather, offset, sendbuf, sendbytes, recvbuf, recvbytes, root}, ext,
        psnam::capi::gather);
  });
}

int nam_scatter(size_t offset, const void* sendbuf, size_t sendbytes, void* recvbuf, size_t recvbytes, int root,
                nam_ext_allocation_t* ext) {
  return boundary(-1, [&] {
    return psnam::capi::with_set(
        {"nam_scatter", Operation::scatter, offset, sendbuf, sendbytes, recvbuf, recvbytes, root}, ext,
        psnam::capi::scatter);
  });
}

int nam_bcast(size_t offset, void* buf, size_t bytes, int root, nam_ext_allocation_t* ext) {
  return boundary(-1, [&] {
    return psnam::capi::with_set({"nam_bcast", Operation::broadcast, offset, nullptr, 0, buf, bytes, root}, ext,
                                 psnam::capi::broadcast);
  });
}

}  // extern "C"
