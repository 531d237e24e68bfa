// What the codecs of requests and replies share: messages of Cap'n Proto to and from bytes, and fields that need a
// look.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/format.h>

#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"
#include "format/control.capnp.h"
#include "nam/control/message.hpp"
#include "nam/service.hpp"

namespace psnam::nam::codec {

namespace schema = format::control;

[[nodiscard]] inline capnp::Data::Reader data_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

[[nodiscard]] inline std::span<const std::byte> span_of(capnp::Data::Reader data) {
  return {reinterpret_cast<const std::byte*>(data.begin()), data.size()};
}

[[nodiscard]] inline std::vector<std::byte> bytes_of(capnp::Data::Reader data) {
  const auto bytes = span_of(data);
  return {bytes.begin(), bytes.end()};
}

[[nodiscard]] inline std::string text_of(capnp::Text::Reader text) { return {text.begin(), text.size()}; }

[[nodiscard]] inline std::vector<std::byte> flat(capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  const auto* const first = reinterpret_cast<const std::byte*>(bytes.begin());
  return {first, first + bytes.size()};
}

/// Remembers the first field that is not as it must be; the whole message is refused then.
class Fields {
 public:
  void require(bool condition, const char* field) {
    if (!condition && !failure_)
      failure_ =
          Error{Code::corrupt, fmt::format("control message: the field {} has no value that it may have", field)};
  }
  /// The value of a record's codec.
  template <class T>
  [[nodiscard]] T take(Result<T> value) {
    if (value) return std::move(*value);
    if (!failure_) failure_ = value.take_error();
    return {};
  }
  /// One of an enumeration whose values are 1 to `last`.
  template <class Enum>
  [[nodiscard]] Enum one_of(std::uint8_t value, Enum last, const char* field) {
    const bool good = value >= 1 && value <= static_cast<std::uint8_t>(last);
    require(good, field);
    return good ? static_cast<Enum>(value) : last;
  }
  [[nodiscard]] format::Uuid uuid(capnp::Data::Reader in) {
    format::Uuid uuid;
    require(in.size() == uuid.bytes.size(), "uuid");
    if (in.size() == uuid.bytes.size()) std::memcpy(uuid.bytes.data(), in.begin(), in.size());
    return uuid;
  }
  [[nodiscard]] AccessRight right(schema::Right right) {
    require(right <= schema::Right::READ_WRITE, "right");
    return right == schema::Right::READ_WRITE ? AccessRight::read_write : AccessRight::read_only;
  }
  void fail(Error error) {
    if (!failure_) failure_ = std::move(error);
  }
  [[nodiscard]] std::optional<Error>& failure() noexcept { return failure_; }

 private:
  std::optional<Error> failure_;
};

[[nodiscard]] inline schema::Right wire(AccessRight right) noexcept {
  return right == AccessRight::read_write ? schema::Right::READ_WRITE : schema::Right::READ_ONLY;
}

/// The head of a request is read once for each of its fields. The rest is read once: elements without bytes count as a
/// word each.
inline constexpr std::uint64_t kReadAgainWords = 4096;

/// Reads a message whose root is a `Root` by `read(reader, fields)`. What Cap'n Proto throws ends here; what it may
/// read is bounded by what was sent.
template <class Root, class Value, class Read>
Result<Value> decode_by(std::span<const std::byte> bytes, Read read) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0 || bytes.size() > control::kMaxBodyBytes)
    return Error{Code::corrupt, fmt::format("control message: {} bytes are none", bytes.size())};
  try {
    auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    std::memcpy(words.begin(), bytes.data(), bytes.size());
    capnp::ReaderOptions options;
    options.traversalLimitInWords = words.size() + kReadAgainWords;
    options.nestingLimit = 8;
    capnp::FlatArrayMessageReader reader{words, options};
    Fields fields;
    Value value = read(reader.getRoot<Root>(), fields);
    if (fields.failure()) return std::move(*fields.failure());
    return value;
  } catch (const kj::Exception& exception) {
    return Error{Code::corrupt, fmt::format("control message: {}", exception.getDescription().cStr())};
  }
}

}  // namespace psnam::nam::codec
