// What the sessions of a server share.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "nam/control/server.hpp"
#include "nam/helpers.hpp"
#include "nam/membership.hpp"
#include "nam/memory_table.hpp"
#include "nam/nam_table.hpp"
#include "nam/parity_jobs.hpp"
#include "nam/request.hpp"
#include "nam/request_meter.hpp"
#include "nam/session_memory.hpp"
#include "nam/session_table.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

struct HostParts {
  /// Jobs that may wait for others, at a time.
  static constexpr std::size_t kMostHelpers = 4096;

  HostParts(backends::FabricOptions fabric_options, std::string fabric_module)
      : fabric{std::move(fabric_options), std::move(fabric_module)} {}

  std::unique_ptr<Store> store;  ///< decides as the server itself; sessions have their own view of it
  SessionTable sessions;
  MemoryTable memory;
  FabricSource fabric;
  ParityJobs parity{helpers};  ///< worked on by helpers, which end before it does
  Helpers helpers{kMostHelpers};
  NamTable nams;                           ///< of a manager
  std::unique_ptr<Membership> membership;  ///< of a memory node
  /// Shared with answers that a helper still owes when all this ends.
  std::shared_ptr<RequestMeter> meter = std::make_shared<RequestMeter>(request::kNames);
  const std::uint64_t began_unix_seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count());
  std::atomic<std::uint64_t> agent_bytes{0};  ///< moved by agents
  std::mutex limits_mutex;
  Limits limits;                                      ///< as they were set last
  std::function<control::ServerCounters()> counters;  ///< of the server; before the first session

  /// The server's own mapping of a root.
  [[nodiscard]] Result<std::shared_ptr<RootMapping>> map_root(std::uint64_t root_id) {
    return memory.get(root_id, [&] { return store->memory_descriptor(root_id, Protection::read_write); });
  }
  /// Whether a use of the session, with at least this right, has the range in it; that use.
  [[nodiscard]] std::optional<SharedUse> covering_use(std::uint64_t session, const GrantedRange& range);
  /// A use has ended for its sessions: what they held by it alone is taken from them.
  void after_use(const SharedUse& use);
  /// Puts nobody's pages in the place of those roots that are no more.
  void retire_released(std::span<const std::uint64_t> roots);
  /// Has a helper let go of agents: that may wait.
  void let_go(std::vector<std::shared_ptr<ServedAgent>> agents);
};

}  // namespace psnam::nam
