#include "rma/remote_accumulate.hpp"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "backends/strips.hpp"
#include "rma/run_list.hpp"

namespace psnam::rma {
namespace {

using backends::Element;
using backends::IndivisibleRequest;
using backends::Kind;
using backends::Op;
using backends::Places;
using backends::Side;

// The data of an element: a gap inside is not ours.
void copy_element(Kind kind, std::byte* to, const std::byte* from) noexcept {
  if (kind != Kind::short_int) {
    std::memcpy(to, from, Element{kind, Element::kNoRow}.bytes());
    return;
  }
  std::memcpy(to, from, sizeof(short));
  std::memcpy(to + sizeof(int), from + sizeof(int), sizeof(int));
}

/// `n` elements at equal distances.
struct Row {
  std::uintptr_t address;
  std::ptrdiff_t stride;
  std::size_t n;
};

// The next elements of a side, at most `most`; the side goes on behind them.
Row next_row(Places& places, std::size_t most) noexcept {
  const Row row{reinterpret_cast<std::uintptr_t>(places.address()), places.stride(), std::min(most, places.n())};
  places.skip(row.n);
  return row;
}

std::byte* place_in(const Row& row, std::size_t i) noexcept {
  return reinterpret_cast<std::byte*>(row.address + i * static_cast<std::uintptr_t>(row.stride));
}

// From the packed elements at `packed` to a row of them, and back.
void unpack_row(Kind kind, const Row& row, const std::byte* packed) noexcept {
  const std::size_t each = backends::packed_bytes(kind);
  if (kind != Kind::short_int && std::cmp_equal(row.stride, each)) {
    std::memcpy(place_in(row, 0), packed, row.n * each);
    return;
  }
  for (std::size_t i = 0; i < row.n; ++i) copy_element(kind, place_in(row, i), packed + i * each);
}

void pack_row(Kind kind, std::byte* packed, const Row& row) noexcept {
  const std::size_t each = backends::packed_bytes(kind);
  if (kind != Kind::short_int && std::cmp_equal(row.stride, each)) {
    std::memcpy(packed, place_in(row, 0), row.n * each);
    return;
  }
  for (std::size_t i = 0; i < row.n; ++i) copy_element(kind, packed + i * each, place_in(row, i));
}

class RemoteAccumulate {
 public:
  RemoteAccumulate(Op op, Element element, const Side& target, const Side& origin, const Side* result) noexcept
      : kind_{element.kind()},
        left_{target.count * target.layout->size / element.bytes()},
        target_{&target, element},
        origin_{op == Op::no_op ? nullptr : &origin, element},
        result_{result, element} {
    request_.op = op;
    request_.kind = kind_;
    request_.wants_old = result != nullptr;
  }

  Status run(const SendRequest& send) {
    while (left_ != 0) {
      PSNAM_TRY(const std::size_t n, next_request());
      PSNAM_TRY(const std::vector<std::byte> old, send(request_));
      PSNAM_CHECK(take_old(old, n));
      left_ -= n;
    }
    return {};
  }

 private:
  // A run that follows others is up to two of them: see RunList::append().
  static constexpr std::size_t kRunsOfARow = 2;

  // The elements in it.
  Result<std::size_t> next_request() {
    const std::size_t most = std::min(left_, backends::kMaxIndivisibleBytes / each());
    RunList runs;
    std::size_t n = 0;
    while (n < most && runs.runs().size() + kRunsOfARow <= backends::kMaxIndivisibleRuns) {
      const Row row = next_row(target_, most - n);
      const bool in_a_row = row.n == 1 || std::cmp_equal(row.stride, each());
      const auto offset = static_cast<std::ptrdiff_t>(row.address);
      runs.append(in_a_row ? Run{offset, row.n * each(), 0, 1} : Run{offset, each(), row.stride, row.n});
      n += row.n;
    }
    PSNAM_CHECK(runs.status());
    request_.target = runs.take();
    pack(request_.op == Op::no_op ? 0 : n);
    return n;
  }

  void pack(std::size_t n) {
    request_.operand.assign(n * each(), std::byte{0});
    std::byte* to = request_.operand.data();
    while (n != 0) {
      const Row row = next_row(origin_, n);
      pack_row(kind_, to, row);
      to += row.n * each();
      n -= row.n;
    }
  }

  Status take_old(const std::vector<std::byte>& old, std::size_t n) {
    const std::size_t expected = request_.wants_old ? n * each() : 0;
    if (old.size() != expected)
      return Error{Code::corrupt, fmt::format("{} bytes of old values came back from an accumulate of {} elements, "
                                              "{} were expected",
                                              old.size(), n, expected)};
    const std::byte* from = old.data();
    while (request_.wants_old && n != 0) {
      const Row row = next_row(result_, n);
      unpack_row(kind_, row, from);
      from += row.n * each();
      n -= row.n;
    }
    return {};
  }

  [[nodiscard]] std::size_t each() const noexcept { return backends::packed_bytes(kind_); }

  Kind kind_;
  std::size_t left_;
  Places target_;
  Places origin_;
  Places result_;
  IndivisibleRequest request_;
};

}  // namespace

Status accumulate_remotely(Op op, Element element, const Side& target, const Side& origin, const Side* result,
                           const SendRequest& send) {
  if (target.count * target.layout->size == 0 || (op == Op::no_op && result == nullptr)) return {};
  return RemoteAccumulate{op, element, target, origin, result}.run(send);
}

Status compare_and_swap_remotely(Element element, std::uint64_t offset_bytes, const std::byte* origin,
                                 const std::byte* compare, std::byte* result, const SendRequest& send) {
  const std::size_t bytes = element.bytes();
  IndivisibleRequest request;
  request.action = IndivisibleRequest::Action::compare_and_swap;
  request.kind = element.kind();
  request.target = {Run{static_cast<std::ptrdiff_t>(offset_bytes), bytes, 0, 1}};
  request.operand.assign(origin, origin + bytes);
  request.compare.assign(compare, compare + bytes);
  PSNAM_TRY(const std::vector<std::byte> old, send(request));
  if (old.size() != bytes)
    return Error{Code::corrupt, fmt::format("{} bytes came back from a compare-and-swap of {}", old.size(), bytes)};
  std::memcpy(result, old.data(), bytes);
  return {};
}

}  // namespace psnam::rma
