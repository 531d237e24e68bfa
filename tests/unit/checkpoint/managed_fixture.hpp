// Jobs whose ranks are threads of the test, over one store: managed checkpoints as real ranks use them, for any number
// of ranks and without MPI.
#pragma once

#include <algorithm>
#include <atomic>
#include <barrier>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "checkpoint/managed.hpp"
#include "support/copy_files.hpp"
#include "support/store_fixture.hpp"

namespace psnam::checkpoint::test {

/// The collectives that a team needs, between threads.
class TeamOfThreads {
 public:
  explicit TeamOfThreads(int size) : barrier_{size} {
    for (int rank = 0; rank < size; ++rank) members_.push_back({this, rank});
    said_.resize(members_.size());
  }

  [[nodiscard]] Team member(int rank) {
    return Team{nam_private_team_t{.bytes = sizeof(nam_private_team_t),
                                   .rank = rank,
                                   .size = static_cast<std::int32_t>(members_.size()),
                                   .global_rank = rank,
                                   .communicator = &members_[static_cast<std::size_t>(rank)],
                                   .broadcast = broadcast,
                                   .gather = gather,
                                   .minimum = minimum,
                                   .release = [](void*) {},
                                   .exchange = exchange_parts}};
  }

  /// One rank makes no call any more: where the others still do, they fail.
  void leave() {
    left_ = true;
    barrier_.arrive_and_drop();
  }

 private:
  struct Member {
    TeamOfThreads* team;
    int rank;
  };
  /// `look` sees what all have said, before anybody says anything else.
  template <class Look>
  static int meet(void* communicator, const void* mine, Look look) {
    const auto& [team, rank] = *static_cast<Member*>(communicator);
    team->said_[static_cast<std::size_t>(rank)] = mine;
    team->barrier_.arrive_and_wait();
    const bool all = !team->left_;
    if (all) look(team->said_);
    team->barrier_.arrive_and_wait();
    return all ? 0 : 1;
  }
  static int broadcast(void* communicator, void* data, int bytes, int root) {
    const bool is_root = static_cast<Member*>(communicator)->rank == root;
    return meet(communicator, data, [&](const auto& said) {
      if (!is_root) std::memcpy(data, said[static_cast<std::size_t>(root)], static_cast<std::size_t>(bytes));
    });
  }
  static int gather(void* communicator, const void* mine, void* all, int bytes) {
    return meet(communicator, mine, [&](const auto& said) {
      auto* to = static_cast<std::byte*>(all);
      for (const void* one : said) {
        std::memcpy(to, one, static_cast<std::size_t>(bytes));
        to += bytes;
      }
    });
  }
  static int minimum(void* communicator, std::int64_t mine, std::int64_t* least) {
    std::int64_t found = mine;
    const int done = meet(communicator, &mine, [&](const auto& said) {
      for (const void* one : said) found = std::min(found, *static_cast<const std::int64_t*>(one));
    });
    *least = found;
    return done;
  }

  /// What one rank sends: to each rank its number of bytes, one after the other.
  struct Sent {
    const std::byte* bytes;
    const int* counts;
  };
  static int exchange_parts(void* communicator, const void* send, const int* send_bytes, void* receive,
                            const int* receive_bytes) {
    const auto me = static_cast<std::size_t>(static_cast<Member*>(communicator)->rank);
    const Sent mine{static_cast<const std::byte*>(send), send_bytes};
    return meet(communicator, &mine, [&](const auto& said) {
      auto* to = static_cast<std::byte*>(receive);
      for (std::size_t one = 0; one < said.size(); ++one) {
        const auto& [bytes, counts] = *static_cast<const Sent*>(said[one]);
        EXPECT_EQ(counts[me], receive_bytes[one]);
        const std::byte* const from = std::accumulate(counts, counts + me, bytes);
        to = std::copy_n(from, counts[me], to);
      }
    });
  }

  std::vector<Member> members_;
  std::vector<const void*> said_;
  std::barrier<> barrier_;
  std::atomic<bool> left_{false};
};

/// One rank of a job.
struct Rank {
  std::uint32_t rank = 0;
  std::unique_ptr<Managed> managed;
  std::vector<std::byte> data;

  [[nodiscard]] std::byte byte(std::size_t i, std::uint64_t version) const {
    return static_cast<std::byte>(i * 7 + i / 251 + 31 * rank + 101 * version);
  }
  void fill(std::uint64_t version) {
    for (std::size_t i = 0; i < data.size(); ++i) data[i] = byte(i, version);
  }
  [[nodiscard]] bool has(std::uint64_t version) const {
    for (std::size_t i = 0; i < data.size(); ++i)
      if (data[i] != byte(i, version)) return false;
    return true;
  }
  Status save(std::uint64_t version) {
    fill(version);
    return managed->save(version).status();
  }
};

struct JobOptions {
  std::uint32_t ranks = 2;
  std::uint32_t parities = 1;
  std::uint32_t set_size = 0;
  bool partners = false;
  bool or_older = false;
  std::uint32_t kept = 2;
  /// Of files; "RANK" in it becomes the rank's number.
  std::string folder = {};
  /// Data of a rank.
  std::function<std::size_t(std::uint32_t)> bytes = [](std::uint32_t rank) {
    return rank == 1 ? std::size_t{0} : 70'001 + 30'011 * std::size_t{rank};
  };
};

inline std::string folder_of(const JobOptions& options, std::uint32_t rank) {
  std::string folder = options.folder;
  if (const auto at = folder.find("RANK"); at != std::string::npos) folder.replace(at, 4, std::to_string(rank));
  return folder;
}

inline Status run_rank(const Team& team, const std::shared_ptr<nam::Service>& store, const JobOptions& options,
                       const std::function<void(Rank&)>& body) {
  const auto number = static_cast<std::uint32_t>(team.rank());
  PSNAM_TRY(auto managed, Managed::open(team, store, store,
                                        {.name = "job",
                                         .parities = options.parities,
                                         .partners = options.partners,
                                         .set_size = options.set_size,
                                         .kept = options.kept,
                                         .or_older = options.or_older,
                                         .folder = folder_of(options, number),
                                         .timeout = std::chrono::seconds{60}}));
  Rank rank{number, std::move(managed), std::vector<std::byte>(options.bytes(number))};
  PSNAM_CHECK(rank.managed->add(1, rank.data));
  body(rank);
  return {};
}

/// Runs `body` for each rank, in a thread of its own, with its series "job" open and its data registered. Status of the
/// first rank whose series could not be opened; `body` is not called then.
inline Status run_job(const std::shared_ptr<nam::Service>& store, const JobOptions& options,
                      const std::function<void(Rank&)>& body) {
  TeamOfThreads team{static_cast<int>(options.ranks)};
  std::vector<Status> opened(options.ranks);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t number = 0; number < options.ranks; ++number)
      threads.emplace_back([&, number] {
        opened[number] = run_rank(team.member(static_cast<int>(number)), store, options, body);
        team.leave();
      });
  }
  for (Status& one : opened) PSNAM_CHECK(std::move(one));
  return {};
}

class ManagedJobs : public psnam::test::StoreTest {
 protected:
  [[nodiscard]] std::shared_ptr<nam::Service> service() {
    return {&store(), [](nam::Service*) {}};
  }
  void expect_job(const JobOptions& options, const std::function<void(Rank&)>& body) {
    const Status done = run_job(service(), options, body);
    ASSERT_TRUE(done) << done.error().message;
  }
};

}  // namespace psnam::checkpoint::test
