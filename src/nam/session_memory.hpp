// What one session reaches over the fabric: its endpoint, and the parts of memory that it has keys for.
//
// A key is good as long as a use of the session gives the right to the part. After that it opens nothing, but what was
// under way may still land, so the mappings stay until the endpoint is gone (nam/memory_table.hpp).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "backends/fabric.hpp"
#include "base/result.hpp"
#include "nam/memory_table.hpp"
#include "nam/reply.hpp"
#include "nam/service.hpp"

namespace psnam::nam {

/// The fabric of a server, opened when the first client needs it. Thread-safe.
class FabricSource {
 public:
  /// `module`: as for backends::load_fabric().
  FabricSource(backends::FabricOptions options, std::string module)
      : options_{std::move(options)}, module_{std::move(module)} {}
  /// The server; an error is tried anew the next time.
  [[nodiscard]] Result<backends::FabricServer*> server();
  /// A connection to an endpoint of a client, whose memory this side reads and writes.
  [[nodiscard]] Result<std::shared_ptr<backends::FabricClient>> connect(const std::string& provider,
                                                                        const std::string& address,
                                                                        const std::string& local_address,
                                                                        std::stop_token stop);
  /// Empty until somebody needed it.
  [[nodiscard]] std::string provider() const;

 private:
  const backends::FabricOptions options_;
  const std::string module_;
  mutable std::mutex mutex_;
  std::shared_ptr<backends::Fabric> fabric_;
  std::unique_ptr<backends::FabricServer> server_;
};

/// A part of a root's memory, and the right to it.
struct GrantedRange {
  std::uint64_t root_id = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t bytes = 0;
  AccessRight right = AccessRight::read_only;
};

/// Thread-safe.
class SessionMemory {
 public:
  SessionMemory() = default;
  /// A new endpoint; the old one is gone when this returns, with all keys.
  [[nodiscard]] Result<reply::Fabric> open(FabricSource& source, std::string_view local_address);
  [[nodiscard]] bool opened() const;
  /// A key for `range` of `mapping`. Code::unsupported without an endpoint, Code::no_memory beyond kMostGrants.
  [[nodiscard]] Result<reply::Range> grant(std::shared_ptr<RootMapping> mapping, const GrantedRange& range);
  void forget(std::uint64_t key);
  /// Takes back the keys for which `still_allowed` is false.
  void review(const std::function<bool(const GrantedRange&)>& still_allowed);
  /// Ends everything: nothing of the client lands any more when this returns.
  void close();
  /// Reachable by it.
  [[nodiscard]] std::uint64_t granted_bytes() const;

  static constexpr std::size_t kMostGrants = 1 << 16;

 private:
  struct Grant {
    GrantedRange range;
    std::unique_ptr<backends::FabricRegistration> registration;
  };
  using Grants = std::unordered_map<std::uint64_t, Grant>;

  mutable std::mutex mutex_;
  // In this order: registrations end before their endpoint, the endpoint before the mappings it wrote to.
  std::set<std::shared_ptr<RootMapping>> touched_;
  std::unique_ptr<backends::FabricEndpoint> endpoint_;
  Grants grants_;  ///< by key
};

}  // namespace psnam::nam
