// The NAMs of a manager: the manager itself, of index 0, and the memory nodes that have joined it. Which store has
// which index the catalog keeps, for ever; here is who is connected now, and what he last said of himself.
//
// A memory node joins over a control connection of its own, as user 0 or the user whose the manager's store is, and
// says it all again every few seconds. It is reachable while that connection lives.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "nam/reply.hpp"
#include "nam/request.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

/// How often a memory node says that it is there, and how much it has left.
inline constexpr std::chrono::milliseconds kNamNewsInterval{2'000};

/// The session by which a memory node joins.
struct NamGuest {
  std::uint64_t session = 0;
  std::string host;  ///< where others find it who do not listen at a certain address
};

/// Thread-safe.
class NamTable {
 public:
  /// `store` is the manager's, as the guest sees it. Code::access for another user; Code::incompatible for a store with
  /// records of another version, or one that has an index that was not given to it here; Code::busy if another server
  /// has joined with the same store and is connected; Code::unsupported where this is no manager.
  [[nodiscard]] Result<reply::Joined> join(Store& store, const request::JoinNam& news, const NamGuest& guest);
  /// The session has ended.
  void left(std::uint64_t session);

  /// Ascending by index. Code::unsupported, naming the manager, where this is none.
  [[nodiscard]] Result<std::vector<NamReport>> reports(Store& store);
  /// See Service::remove_nam().
  [[nodiscard]] Result<std::vector<std::string>> remove(Store& store, std::uint32_t index, bool force);

 private:
  struct Member {
    std::uint64_t session = 0;
    NamReport report;
  };
  [[nodiscard]] Result<std::uint32_t> index_of(Store& store, const request::JoinNam& news, const std::string& address);

  std::mutex joining_;  ///< one after another
  std::mutex mutex_;    ///< for what follows
  std::map<std::uint32_t, Member> members_;
};

/// Code::unsupported unless `store` is the manager of its NAMs.
[[nodiscard]] Status require_manager(Store& store);

}  // namespace psnam::nam
