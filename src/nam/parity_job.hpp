// One piece of common work on a parity set, done by the server for the members: it waits until all have come, then
// reads their memory, and encodes or rebuilds.
//
//   waiting  members join; who leaves, or whose session ends, ends it for all
//   running  on one thread; a member that is lost stops it, and the version before stays the newest
//   over     with what was done or an error, which stays until every member has heard it
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "backends/fabric.hpp"
#include "base/result.hpp"
#include "nam/member_memory.hpp"
#include "nam/memory_table.hpp"
#include "nam/request.hpp"
#include "parity/rebuild.hpp"

namespace psnam::nam {

/// Thread-safe.
class ParityJob {
 public:
  using Clock = std::chrono::steady_clock;
  /// The connection to a member's endpoint; waiting for it ends when a stop is requested.
  using Connect = std::function<Result<std::shared_ptr<backends::FabricClient>>(std::stop_token)>;

  /// For the attempt of `first`, over the area in `memory`, which is a part of `mapping`. Code::corrupt if it is none.
  [[nodiscard]] static Result<std::shared_ptr<ParityJob>> open(std::shared_ptr<RootMapping> mapping,
                                                               std::span<std::byte> memory,
                                                               const request::JoinParity& first);

  [[nodiscard]] std::uint64_t attempt() const noexcept { return attempt_; }
  /// A member of the session has come: true if it was the last. Code::rank, Code::size, Code::invalid_argument for one
  /// that does not fit; the others go on waiting then.
  [[nodiscard]] Result<bool> join(std::uint64_t session, const request::JoinParity& member, Connect connect);
  /// The work. Once, when all have come.
  void run();
  /// Ends it with this error, if it is not over.
  void abandon(Error reason);
  /// The session has no part in it any more, for this reason.
  void leave(std::uint64_t session, std::string_view reason);

  /// The end, as the session hears it; nothing if there is none until `deadline`. Code::name_not_found for a session
  /// without a member.
  [[nodiscard]] Result<std::optional<ParityDone>> await(std::uint64_t session, Clock::time_point deadline);
  [[nodiscard]] bool over() const;
  [[nodiscard]] bool running() const;
  /// Over, and every member has heard it or is gone; or long over, for members that have never come.
  [[nodiscard]] bool forgotten() const;
  /// How far it is, for people: "members 1, 3 have not come".
  [[nodiscard]] std::string standing() const;

 private:
  static constexpr std::chrono::minutes kRemembered{10};
  enum class State { waiting, running, over };
  struct Member {
    std::uint64_t session = 0;
    request::JoinParity part;
    Connect connect;
    bool heard = false;
  };

  ParityJob(std::shared_ptr<RootMapping> mapping, std::span<std::byte> memory, const format::ParityShape& shape,
            const request::JoinParity& first);
  [[nodiscard]] Status check(const request::JoinParity& member) const;
  [[nodiscard]] Result<ParityDone> work();
  [[nodiscard]] Result<std::vector<MemberMemory>> connect_all();
  [[nodiscard]] Result<ParityDone> encode(parity::Area& area, std::span<const MemberMemory> members);
  [[nodiscard]] Result<ParityDone> rebuild(parity::Area& area, std::span<const MemberMemory> members);
  [[nodiscard]] Status still_on() const;
  void end(Result<ParityDone> result);
  void finish();

  const std::uint64_t attempt_;
  const ParityWork work_;
  const std::uint64_t version_;
  const format::ParityShape shape_;
  mutable std::mutex mutex_;  ///< for what follows, but for what the running thread alone uses
  std::condition_variable ended_;
  State state_ = State::waiting;
  Clock::time_point ended_at_;
  std::shared_ptr<RootMapping> mapping_;  ///< until it is over
  std::span<std::byte> memory_;
  std::vector<std::optional<Member>> members_;  ///< not changed while it runs, but for `heard`
  std::size_t come_ = 0;
  std::vector<std::shared_ptr<backends::FabricClient>> links_;  ///< in use by the running thread
  std::optional<Error> stop_;
  std::stop_source stops_connecting_;
  std::optional<Error> failure_;
  ParityDone done_;
};

}  // namespace psnam::nam
