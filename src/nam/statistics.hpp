// What a service tells of itself for those who watch it: numbers for `namctl top`, sessions, nams, and for metrics.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"

namespace psnam::nam {

/// Upper limits of the bins that latencies are counted in, in microseconds, inclusive; one more bin holds the rest.
inline constexpr std::array<std::uint64_t, 11> kLatencyLimitsUs{4,      16,     64,      256,       1'000,    4'000,
                                                                16'000, 64'000, 256'000, 1'000'000, 4'000'000};

/// Requests of one kind, answered since the service began.
struct RequestStatistics {
  std::string kind;
  std::uint64_t requests = 0;
  std::uint64_t failed = 0;         ///< answered with an error
  std::uint64_t total_time_us = 0;  ///< from when it was begun to its answer, summed
  std::array<std::uint64_t, kLatencyLimitsUs.size() + 1> latencies{};
  bool operator==(const RequestStatistics&) const = default;
};

/// Errors of one kind that were answered.
struct RefusalStatistics {
  std::string kind;  ///< the word of refusal_kind()
  std::uint64_t count = 0;
  bool operator==(const RefusalStatistics&) const = default;
};

struct SessionStatistics {
  std::uint64_t session = 0;
  std::uint32_t uid = 0;
  std::uint32_t pid = 0;
  std::string host = {};    ///< as the client says
  std::string ip = {};      ///< empty over the Unix socket
  std::string method = {};  ///< how it was recognised
  std::uint64_t began_unix_seconds = 0;
  std::uint64_t requests = 0;
  std::uint64_t uses = 0;
  std::uint64_t fabric_bytes = 0;  ///< memory that it may reach over the fabric
  bool operator==(const SessionStatistics&) const = default;
};

struct UserStatistics {
  std::uint32_t uid = 0;
  std::uint64_t reserved_bytes = 0;  ///< of memory files, sparse ones with their whole size: what the quota is for
  std::uint64_t objects = 0;
  std::uint64_t quota_bytes = UINT64_MAX;    ///< UINT64_MAX: none
  std::uint64_t quota_objects = UINT64_MAX;  ///< likewise
  std::uint64_t sessions = 0;
  bool operator==(const UserStatistics&) const = default;
};

/// A memory node, the manager itself (index 0) included.
struct NamStatistics {
  std::uint32_t index = 0;
  format::Uuid store;
  std::string name = {};
  std::string address = {};  ///< empty for the manager itself
  bool reachable = true;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t reserved_bytes = 0;
  bool operator==(const NamStatistics&) const = default;
};

struct Statistics {
  std::string software_version;
  std::string provider;  ///< of the fabric; empty: the fabric was never needed
  std::uint64_t began_unix_seconds = 0;
  std::uint64_t now_unix_us = 0;  ///< the clock of the service's host
  std::uint64_t sessions_open = 0;
  std::uint64_t sessions_accepted = 0;
  std::uint64_t sessions_refused = 0;
  std::uint64_t sessions_dropped = 0;
  std::uint64_t control_requests = 0;
  std::uint64_t control_received_bytes = 0;
  std::uint64_t control_sent_bytes = 0;
  std::uint64_t fabric_endpoints = 0;
  std::uint64_t fabric_registered_bytes = 0;  ///< reachable by one-sided access, a range once for each session
  std::uint64_t agent_bytes = 0;              ///< moved by accumulates and the like, done by the service
  std::uint64_t quarantine_bytes = 0;         ///< released, but kept from others until old keys are worthless
  std::uint64_t windows = 0;
  std::uint64_t allocations = 0;
  std::uint64_t uses = 0;
  std::uint64_t capacity_bytes = 0;
  std::uint64_t reserved_bytes = 0;
  std::uint64_t file_system_bytes = 0;
  std::uint64_t file_system_free_bytes = 0;
  std::uint64_t catalog_bytes = 0;  ///< of the store's records
  std::uint64_t catalog_limit_bytes = 0;
  std::vector<RequestStatistics> requests;
  std::vector<RefusalStatistics> refusals;
  std::vector<UserStatistics> users;
  std::vector<SessionStatistics> sessions;
  std::vector<NamStatistics> nams;
  bool operator==(const Statistics&) const = default;
};

/// For the control connection (src/format/statistics.capnp): fields that one side does not know are left out or 0.
[[nodiscard]] std::vector<std::byte> encode(const Statistics& statistics);
/// Code::corrupt.
[[nodiscard]] Result<Statistics> decode_statistics(std::span<const std::byte> bytes);

/// What an error counts as: "quota", "no_memory", "access", ...
[[nodiscard]] const char* refusal_kind(Code code) noexcept;

}  // namespace psnam::nam
