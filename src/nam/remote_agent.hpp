// The client's side of a WindowAgent: what is indivisible, or waits, the server does. See nam/served_agent.hpp.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "nam/client_link.hpp"
#include "nam/service.hpp"

namespace psnam::nam {

/// Thread-safe. After the server was lost it is there again with the next call, without the locks that were held: until
/// they are unlocked every call says so.
class RemoteAgent final : public WindowAgent {
 public:
  [[nodiscard]] static Result<std::unique_ptr<WindowAgent>> open(std::shared_ptr<ClientLink> link,
                                                                 std::uint64_t window_id);
  ~RemoteAgent() override;

  Status lock(std::uint32_t rank, LockKind kind, Waiter& waiter) override;
  Status unlock(std::uint32_t rank) override;
  Status lock_all(Waiter& waiter) override;
  Status unlock_all() override;
  Result<std::vector<std::byte>> execute(std::uint32_t rank, const backends::IndivisibleRequest& request) override;

 private:
  using Key = std::optional<std::uint32_t>;  ///< rank; none: all
  struct Seat {
    std::uint64_t session = 0;
    std::uint64_t agent = 0;
  };
  RemoteAgent(std::shared_ptr<ClientLink> link, std::uint64_t window_id)
      : link_{std::move(link)}, window_id_{window_id} {}

  void close();
  /// The agent of the present session, which keeps the window in use. Code::peer_lost if locks are held by that of a
  /// former one.
  [[nodiscard]] Result<Seat> seat();
  [[nodiscard]] Status wait_for(const Key& key, LockKind kind, Waiter& waiter);
  [[nodiscard]] Status give_back(const Key& key);
  /// An error of the server, or that of the connection if the agent went with it.
  [[nodiscard]] Error explained(Error error, const Seat& seat) const;
  [[nodiscard]] Error lost() const;

  const std::shared_ptr<ClientLink> link_;
  const std::uint64_t window_id_;
  std::mutex mutex_;
  Seat seat_;
  std::set<Key> held_;  ///< by the agent of `seat_`
};

}  // namespace psnam::nam
