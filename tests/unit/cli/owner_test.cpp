// namctl --owner: root acts for another user, whose store and files it leaves theirs.
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "namctl_fixture.hpp"

namespace psnam::nam {
namespace {

using test::Json;
using test::ProgramResult;

constexpr const char* kOther = "nobody";

/// A folder that another user can get at, with namctl in it, and in it one that is the other user's.
class NamctlOwner : public test::Namctl {
 protected:
  void SetUp() override {
    Namctl::SetUp();
    if (::geteuid() != 0) GTEST_SKIP() << "only root can be somebody else";
    const passwd* const entry = ::getpwnam(kOther);
    if (entry == nullptr) GTEST_SKIP() << "there is no user " << kOther;
    uid_ = entry->pw_uid;
    gid_ = entry->pw_gid;
    std::filesystem::create_directory(home());
    std::filesystem::copy_file(PSNAM_NAMCTL, namctl_path());
    ASSERT_EQ(::chmod(shared_.path().c_str(), 0755), 0);
    ASSERT_EQ(::chmod(namctl_path().c_str(), 0755), 0);
    ASSERT_EQ(::chown(home().c_str(), uid_, gid_), 0);
  }
  [[nodiscard]] std::filesystem::path home() const { return shared_.path() / "home"; }
  [[nodiscard]] std::filesystem::path namctl_path() const { return shared_.path() / "namctl"; }
  [[nodiscard]] std::string store_path() const { return home() / "store"; }
  /// namctl run by the other user.
  ProgramResult by_the_other(std::vector<std::string> arguments) {
    const auto id = std::to_string(uid_);
    arguments.insert(arguments.begin(), {"/usr/bin/setpriv", "--reuid", id, "--regid", std::to_string(gid_),
                                         "--clear-groups", namctl_path(), "--store", store_path()});
    return run(arguments);
  }
  uid_t uid_ = 0;
  gid_t gid_ = 0;

 private:
  test::TemporaryFolder shared_;
};

TEST_F(NamctlOwner, WhatRootMakesForAUserIsThatUsers) {
  const auto id = must({"alloc", "64K", "--name", "grant", "--owner", kOther, "--store", store_path()});
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{home()}) {
    struct ::stat status {};
    ASSERT_EQ(::lstat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_uid, uid_) << entry.path();
    EXPECT_EQ(status.st_gid, gid_) << entry.path();
    ++files;
  }
  EXPECT_GE(files, 4U) << "store, catalog, folder and memory";
  const auto seen = by_the_other({"list", "--json"});
  EXPECT_EQ(seen.status, 0) << seen.err;
  EXPECT_EQ(json_of(seen).at("allocations.0.id") + "\n", id);
  EXPECT_EQ(json_of(seen).at("allocations.0.uid"), std::to_string(uid_));
  const auto freed = by_the_other({"free", "grant"});
  EXPECT_EQ(freed.status, 0) << freed.err;
}

TEST_F(NamctlOwner, RootLooksIntoAUsersStoreAndGivesBackWhatIsInIt) {
  ASSERT_EQ(by_the_other({"alloc", "64K", "--name", "grant"}).status, 0);
  const std::string number = std::to_string(uid_);
  EXPECT_EQ(json_of(must({"--owner", number, "list", "--json", "--store", store_path()})).at("allocations.0.name"),
            "grant");
  EXPECT_EQ(must({"free", "grant", "--owner", number, "--store", store_path()}), "grant freed\n");
  const auto without = namctl({"list", "--store", store_path()});
  EXPECT_EQ(without.status, 1) << "root as such has no business in it";
}

TEST_F(NamctlOwner, TheDefaultStoreIsThatOfTheOwner) {
  const Json json = json_of(must({"env", "--json", "--owner", kOther}, {{"PSNAM_STORE", ""}}));
  std::string store;
  for (int row = 0; row < std::stoi(json.at("variables")); ++row)
    if (const auto path = "variables." + std::to_string(row); json.at(path + ".name") == "PSNAM_STORE")
      store = json.at(path + ".value");
  EXPECT_EQ(store, "/dev/shm/psnam-" + std::to_string(uid_));
}

TEST_F(NamctlOwner, OnlyRootMayBeSomebodyElse) {
  const auto result = by_the_other({"alloc", "4K", "--owner", "root"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err, "namctl: --owner root: only root may act for another user, and this is nobody\n");
  EXPECT_FALSE(std::filesystem::exists(store_path()));
  EXPECT_EQ(by_the_other({"alloc", "4K", "--owner", kOther}).status, 0) << "oneself is nobody else";
}

TEST_F(NamctlOwner, AUserThatTheSystemDoesNotKnowIsNamed) {
  for (const char* unknown : {"no-such-user", "4000000001"}) {
    const auto result = namctl({"alloc", "4K", "--owner", unknown, "--store", store_path()});
    EXPECT_EQ(result.status, 1);
    EXPECT_EQ(result.err, "namctl: the system knows no user \"" + std::string{unknown} + "\"\n");
  }
  EXPECT_FALSE(std::filesystem::exists(store_path()));
}

}  // namespace
}  // namespace psnam::nam
