// A memory node and its manager: it joins before it serves anybody, says every few seconds that it is there and how
// much it has left, and joins again by itself when the connection was lost.
//
// It also keeps its parts of windows true to their home, the manager: a part that a job left in doubt, or whose window
// was removed while this node was away, is settled when both can talk again.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "nam/client_link.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

struct MembershipOptions {
  ClientOptions manager;
  std::vector<std::string> addresses;  ///< where this node is reached
};

class Membership {
 public:
  /// Joins and sets the store's place. Tries for as long as the limit of the options says if the manager does not
  /// answer; a store that has joined before need not wait for it, and joins when it is there. Code::unreachable, and
  /// what NamTable::join() and Store::serve_as() say.
  [[nodiscard]] static Result<std::unique_ptr<Membership>> join(Store& store, MembershipOptions options);
  ~Membership();
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  /// A session has left these windows: parts among them may have nobody left who settles or removes them.
  void left(const std::set<std::uint64_t>& windows);

 private:
  Membership(Store& store, MembershipOptions options) : store_{store}, options_{std::move(options)} {}
  [[nodiscard]] Status join_first();
  [[nodiscard]] Status tell();
  [[nodiscard]] Status settle();
  [[nodiscard]] Status settle(std::span<const format::WindowRecord> parts);
  void run();
  /// False when it is time to end.
  [[nodiscard]] bool rest(std::chrono::milliseconds time);

  Store& store_;
  const MembershipOptions options_;
  std::shared_ptr<ClientLink> link_;  ///< null until the manager has answered once
  NamPlace place_;
  std::uint64_t session_ = 0;      ///< in which it has joined
  std::string complaint_;          ///< that was logged last
  std::set<std::uint64_t> again_;  ///< windows to be asked about with the next sign of life
  std::mutex mutex_;               ///< for what follows
  std::condition_variable changed_;
  bool stopping_ = false;
  bool look_at_all_ = true;
  std::set<std::uint64_t> left_;
  std::thread thread_;
};

}  // namespace psnam::nam
