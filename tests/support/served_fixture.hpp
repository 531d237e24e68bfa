// What tests of a store that serves sessions begin with: the store of a server whose sessions are a list, and callers.
#pragma once

#include <algorithm>
#include <mutex>
#include <set>

#include "support/store_fixture.hpp"

namespace psnam::test {

inline constexpr std::uint32_t kAlice = 1000;
inline constexpr std::uint32_t kBob = 2000;
inline constexpr std::uint32_t kEve = 3000;
inline constexpr std::uint32_t kProject = 500;  ///< the group of Alice and Bob

/// Sessions that live.
class Sessions {
 public:
  void begin(std::uint64_t session) {
    const std::lock_guard lock{mutex_};
    living_.insert(session);
  }
  void end(std::uint64_t session) {
    const std::lock_guard lock{mutex_};
    living_.erase(session);
  }
  [[nodiscard]] bool lives(std::uint64_t session) const {
    const std::lock_guard lock{mutex_};
    return living_.contains(session);
  }

 private:
  mutable std::mutex mutex_;
  std::set<std::uint64_t> living_;
};

inline nam::Caller caller_of(std::uint32_t uid, std::uint64_t session = 0) {
  nam::Caller caller{.uid = uid, .gids = {uid}, .gid = uid, .pid = 4711, .session = session};
  if (uid == kAlice || uid == kBob) caller.gids.push_back(kProject);
  return caller;
}

inline std::vector<format::ProcessIdentity> users_of(const std::vector<std::uint64_t>& sessions) {
  std::vector<format::ProcessIdentity> users;
  for (const std::uint64_t session : sessions)
    users.push_back(nam::session_user(4711, static_cast<std::uint32_t>(users.size()), session));
  return users;
}

/// A store of this process as a server. Sessions 1, 2 and 3 are those of Alice, Bob and Eve.
class ServedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const std::uint64_t session : {1, 2, 3}) sessions_.begin(session);
    serve();
  }
  void serve() {
    close_all();
    auto store = nam::Store::open({.folder = folder_.path(),
                                   .capacity_bytes = kCapacity,
                                   .serving = nam::Serving{.instance = format::random_uuid(),
                                                           .lives = [this](auto id) { return sessions_.lives(id); },
                                                           .address = "/run/namd.sock"}});
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    alice_ = store_->as(caller_of(kAlice, 1));
    bob_ = store_->as(caller_of(kBob, 2));
    eve_ = store_->as(caller_of(kEve, 3));
    root_ = store_->as(caller_of(0));
  }
  void close_all() {
    for (auto* store : {&alice_, &bob_, &eve_, &root_, &store_}) store->reset();
  }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] nam::Store& store() { return *store_; }
  [[nodiscard]] nam::Store& alice() { return *alice_; }
  [[nodiscard]] nam::Store& bob() { return *bob_; }
  [[nodiscard]] nam::Store& eve() { return *eve_; }
  [[nodiscard]] nam::Store& root() { return *root_; }
  [[nodiscard]] Sessions& sessions() { return sessions_; }

  static format::WindowRecord draft_for(std::uint32_t uid, const std::string& name, std::uint32_t mode,
                                        std::uint64_t bytes = 4096) {
    auto draft = draft_of(name, {bytes});
    draft.uid = uid;
    draft.gid = uid == kEve ? kEve : kProject;
    draft.mode = mode;
    return draft;
  }
  /// A persistent window of Alice's, with its memory, in use by her.
  nam::WindowUse window(const std::string& name, std::uint32_t mode) {
    auto use = alice().create(draft_for(kAlice, name, mode), {}, users_of({1}));
    if (!use) {
      ADD_FAILURE() << use.error().message;
      return {};
    }
    const auto& region = use->window.regions[0];
    const auto memory = alice().create_memory(region.allocation_id, 4096, format::Reserve::full);
    if (!memory) ADD_FAILURE() << memory.error().message;
    const auto kept = alice().set_consistency(use->window.id, format::Consistency::persistent, false);
    if (!kept) ADD_FAILURE() << kept.error().message;
    return std::move(*use);
  }
  /// A persistent allocation of Alice's, in use by nobody.
  format::AllocationRecord allocation(const std::string& name, std::uint32_t mode, std::uint64_t bytes = 4096) {
    auto use = alice().allocate({.size_bytes = bytes,
                                 .consistency = format::Consistency::persistent,
                                 .mode = mode,
                                 .gid = kProject,
                                 .name = name},
                                {});
    if (!use) {
      ADD_FAILURE() << use.error().message;
      return {};
    }
    return use->allocation;
  }
  void expect_clean() {
    const auto findings = store().check();
    ASSERT_TRUE(findings) << findings.error().message;
    EXPECT_EQ(*findings, nam::Findings{});
  }

 private:
  TemporaryFolder folder_;
  Sessions sessions_;
  std::unique_ptr<nam::Store> store_, alice_, bob_, eve_, root_;
};

}  // namespace psnam::test
