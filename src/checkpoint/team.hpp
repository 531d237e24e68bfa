// The processes of a communicator, by the table of functions that a header of ours made over the user's MPI. Records
// and verdicts go this way; of the payload only what has to get to another node without the NAM.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <map>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "nam_team.h"

namespace psnam::checkpoint {

/// What a process says of itself at the beginning of each collective function, so that all come to the same judgement
/// about what they were given.
struct Arguments {
  std::int32_t operation = 0;
  std::int32_t root = 0;
  std::int32_t what = 0;
  std::int32_t global_rank = 0;
  std::uint64_t value = 0;
  std::uint64_t factor = 0;
  std::uint64_t send_bytes = 0;
  std::uint64_t receive_bytes = 0;
  std::int32_t send_is_null = 0;
  std::int32_t receive_is_null = 0;
};
static_assert(sizeof(Arguments) == 56 && std::is_trivially_copyable_v<Arguments>);

/// Does not free the communicator by itself: that is collective too.
class Team {
 public:
  /// Code::incompatible for the table of another version of the header.
  static Status check(const nam_private_team_t* table);
  /// After check().
  explicit Team(const nam_private_team_t& table) noexcept;

  [[nodiscard]] int rank() const noexcept { return table_.rank; }
  [[nodiscard]] int size() const noexcept { return table_.size; }
  /// In MPI_COMM_WORLD.
  [[nodiscard]] int global_rank() const noexcept { return table_.global_rank; }

  /// What each process says, in rank order. Code::invalid_argument, on every process, if operation, root or `what`
  /// differ or there is no such root.
  Result<std::vector<Arguments>> compare(const char* function, Arguments mine) const;

  /// Root's `value` to all.
  template <class Value>
  Status broadcast(Value& value, int root) const {
    static_assert(std::is_trivially_copyable_v<Value>);
    return broadcast_bytes(&value, static_cast<int>(sizeof(Value)), root);
  }

  /// The `value` of each process, in rank order.
  template <class Value>
  Result<std::vector<Value>> gather(const Value& value) const {
    static_assert(std::is_trivially_copyable_v<Value>);
    std::vector<Value> all(static_cast<std::size_t>(size()));
    PSNAM_CHECK(gather_bytes(&value, all.data(), static_cast<int>(sizeof(Value))));
    return all;
  }
  /// The same in one step with agree(): if a process is not `ready`, the error of the first of them everywhere.
  template <class Value>
  Result<std::vector<Value>> gather(const Value& value, const Status& ready) const {
    struct Said {
      Value value;
      std::uint32_t failed;
    };
    PSNAM_TRY(const auto said, gather(Said{value, ready ? 0U : 1U}));
    std::vector<Value> values;
    bool failed = false;
    for (const Said& one : said) {
      values.push_back(one.value);
      failed = failed || one.failed != 0;
    }
    if (failed) PSNAM_CHECK(agree(ready));
    return values;
  }

  /// The words of each process, in rank order; each has its own number of them.
  Result<std::vector<std::vector<std::uint64_t>>> gather_words(const std::vector<std::uint64_t>& mine) const;
  /// What is said of `count` things, each by one process at most.
  template <class Value>
  Result<std::vector<Value>> hear(const std::map<std::uint32_t, Value>& mine, std::size_t count) const {
    static_assert(std::is_trivially_copyable_v<Value>);
    constexpr std::size_t kWords = 1 + (sizeof(Value) + sizeof(std::uint64_t) - 1) / sizeof(std::uint64_t);
    std::vector<std::uint64_t> words(mine.size() * kWords);
    std::size_t at = 0;
    for (const auto& [thing, value] : mine) {
      words[at] = thing;
      std::memcpy(&words[at + 1], &value, sizeof value);
      at += kWords;
    }
    PSNAM_TRY(const auto all, gather_words(words));
    std::vector<Value> heard(count);
    for (const auto& said : all)
      for (std::size_t one = 0; one < said.size(); one += kWords)
        std::memcpy(static_cast<void*>(&heard.at(said[one])), &said[one + 1], sizeof(Value));
    return heard;
  }
  /// Whether it is so everywhere.
  Result<bool> everywhere(bool here) const;
  /// To each process `send_bytes[rank]` bytes of `send`, in rank order one after the other, and from each likewise.
  Status exchange(std::span<const std::byte> send, std::span<const int> send_bytes, std::span<std::byte> receive,
                  std::span<const int> receive_bytes) const;

  /// Success if it is one everywhere; else, everywhere, the error of the first rank that has one.
  Status agree(const Status& mine) const;

  /// Frees the communicator; collective.
  void release() const noexcept { table_.release(table_.communicator); }

 private:
  Status broadcast_bytes(void* data, int bytes, int root) const;
  Status gather_bytes(const void* mine, void* all, int bytes) const;

  nam_private_team_t table_;
};

/// What `body` returns, a Status; an exception as its error, so that this process can tell the others.
template <class Body>
Status locally(Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return Error{Code::no_memory, "the process has no memory left"};
  } catch (const std::exception& exception) {
    return Error{Code::system, exception.what()};
  }
}

}  // namespace psnam::checkpoint
