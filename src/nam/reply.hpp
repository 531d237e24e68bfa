// What a server answers, as values; src/format/control.capnp is how they travel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "nam/service.hpp"

namespace psnam::nam::reply {

struct Done {};
struct Flag {
  bool value = false;
};
struct Number {
  std::uint64_t value = 0;
};
struct Text {
  std::string text;
};
struct Window {
  format::WindowRecord window;
};
struct Allocation {
  format::AllocationRecord allocation;
};
/// A piece of a list, ascending by id.
struct Windows {
  std::vector<WindowReport> windows;
  bool more = false;
};
struct Allocations {
  std::vector<AllocationReport> allocations;
  bool more = false;
};
/// What a session has in use, as its client may ask for it again after the server was lost.
struct Object {
  std::uint64_t id = 0;
  AccessRight right = AccessRight::read_only;
  std::string shown;  ///< for messages
};
/// Memory: a descriptor beside the reply, or a key.
struct Range {
  bool mapped = false;
  std::uint64_t key = 0;
  std::uint64_t base = 0;
  Object object;
};
struct Agent {
  std::uint64_t number = 0;
  Object object;
};
struct Fabric {
  std::string provider;
  std::string address;
};
struct Bytes {
  std::vector<std::byte> bytes;
};
struct Value {
  std::optional<std::uint64_t> value;
};

/// A memory node is one of the NAMs.
struct Joined {
  std::uint32_t index = 0;
  format::Uuid manager;
};
using Nams = std::vector<NamReport>;

/// How far the work on a parity set is.
struct Parity {
  std::optional<ParityDone> done;
};

using Any =
    std::variant<Error, Done, Flag, Number, Text, Window, Allocation, WindowUse, AllocationUse, Windows, Allocations,
                 Range, Fabric, Bytes, StoreSummary, Collected, Findings, Value, Joined, Nams, Agent, Parity>;

[[nodiscard]] std::vector<std::byte> encode(const Any& reply);
/// Code::corrupt.
[[nodiscard]] Result<Any> decode(std::span<const std::byte> bytes);

}  // namespace psnam::nam::reply
