// The settings of namd, from the command line and from the file.
#include "daemon/settings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "daemon/command_line.hpp"
#include "daemon/load.hpp"
#include "daemon/settings_file.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::daemon {
namespace {

using nam::control::PlainRule;
using testing::ElementsAre;
using testing::HasSubstr;

/// Settings as the command line and the file give them.
class NamdSettings : public testing::Test {
 protected:
  Result<Loaded> load(std::vector<const char*> arguments, const std::string& text = "") {
    const std::filesystem::path file = folder_.path() / "namd.conf";
    std::ofstream{file} << text;
    const std::string name = file.string();
    arguments.insert(arguments.begin(), {"namd", "--config", name.c_str()});
    auto parsed = parse_command_line(static_cast<int>(arguments.size()), arguments.data());
    if (parsed.exit_status) return Error{Code::invalid_argument, "exit status " + std::to_string(*parsed.exit_status)};
    return load_settings(parsed.command_line);
  }
  std::string refusal(std::vector<const char*> arguments, const std::string& text = "") {
    const auto loaded = load(std::move(arguments), text);
    EXPECT_FALSE(loaded);
    if (loaded) return {};
    EXPECT_EQ(loaded.error().code, Code::invalid_argument);
    return loaded.error().message;
  }

  test::TemporaryFolder folder_;
};

TEST_F(NamdSettings, WithoutAnythingTheDefaultsCount) {
  const auto loaded = load({});
  ASSERT_TRUE(loaded) << loaded.error().message;
  const Settings& settings = loaded->settings;
  EXPECT_EQ(settings.store, "/dev/shm/psnam-" + std::to_string(::getuid()));
  ASSERT_EQ(settings.listen.size(), 1U);
  EXPECT_EQ(settings.listen[0].path, settings.store / "namd.sock");
  EXPECT_EQ(settings.quota_bytes, kNoLimit);
  EXPECT_EQ(settings.auth.plain, PlainRule::loopback);
  EXPECT_TRUE(settings.auth.munge);
  EXPECT_FALSE(settings.metrics);
  EXPECT_EQ(settings.log_level, log::Level::info);
}

TEST_F(NamdSettings, EverySettingCanStandInTheFileAsOnTheCommandLine) {
  struct Example {
    const char* name;
    const char* value;
  };
  constexpr std::array kExamples{
      Example{"store", "/a/b"},     Example{"capacity", "3G"},         Example{"listen", "127.0.0.1:1"},
      Example{"name", "nam-1"},     Example{"join", "manager:2"},      Example{"provider", "tcp"},
      Example{"quota", "1G"},       Example{"quota-objects", "7"},     Example{"max-objects", "8"},
      Example{"auth", "munge"},     Example{"secret-file", "/c/d"},    Example{"munge-socket", "/e"},
      Example{"huge-pages", "yes"}, Example{"numa-nodes", "0,2-3"},    Example{"durable", "yes"},
      Example{"log", "debug"},      Example{"metrics", "127.0.0.1:3"}, Example{"metrics-public", "yes"},
      Example{"catalog", "64M"},    Example{"timeout", "5"},           Example{"max-sessions", "9"},
      Example{"workers", "2"},
  };
  ASSERT_EQ(kExamples.size(), setting_table().size()) << "a row without an example";
  for (const auto& example : kExamples) {
    ASSERT_NE(find_setting(example.name), nullptr) << example.name;
    const std::string option = std::string{"--"} + example.name;
    const auto given = load({option.c_str(), example.value});
    const auto written = load({}, std::string{example.name} + " = " + example.value + "\n");
    ASSERT_TRUE(given) << given.error().message;
    ASSERT_TRUE(written) << written.error().message;
    const auto wrong = load({option.c_str(), ""});
    EXPECT_FALSE(wrong) << example.name << " takes an empty value";
  }
}

TEST_F(NamdSettings, TheFileIsReadWithCommentsAndSections) {
  const auto loaded = load({}, R"(
# a comment
store = /data/nam     # and another
listen = /run/a.sock
listen = "127.0.0.1:5000"
quota = 10G

[user.0]
quota = none
[user.4711]
quota = 1T
)");
  ASSERT_TRUE(loaded) << loaded.error().message;
  const Settings& settings = loaded->settings;
  EXPECT_EQ(settings.store, "/data/nam");
  ASSERT_EQ(settings.listen.size(), 2U);
  EXPECT_EQ(settings.listen[1].port, 5000);
  EXPECT_EQ(settings.quota_bytes, std::uint64_t{10} << 30);
  EXPECT_EQ(settings.users.at(0).quota_bytes, kNoLimit);
  EXPECT_EQ(settings.users.at(4711).quota_bytes, std::uint64_t{1} << 40);
}

TEST_F(NamdSettings, TheCommandLineWinsAndReplacesLists) {
  const auto loaded =
      load({"--listen", "/x/y", "--quota", "5"}, "listen = /a/b\nlisten = /c/d\nquota = 6\nworkers = 3\n");
  ASSERT_TRUE(loaded) << loaded.error().message;
  ASSERT_EQ(loaded->settings.listen.size(), 1U);
  EXPECT_EQ(loaded->settings.listen[0].path, "/x/y");
  EXPECT_EQ(loaded->settings.quota_bytes, 5U);
  EXPECT_EQ(loaded->settings.workers, 3U);
}

TEST_F(NamdSettings, AListOfNodesHasRanges) {
  const auto loaded = load({"--numa-nodes", "0,2-4,7"});
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_THAT(loaded->settings.numa_nodes, ElementsAre(0, 2, 3, 4, 7));
  for (const char* wrong : {"", "a", "3-1", "0,", "0,,1", "-", "1-", "2000"})
    EXPECT_THAT(refusal({"--numa-nodes", wrong}), HasSubstr("--numa-nodes")) << wrong;
}

TEST_F(NamdSettings, WhatIsWrongIsNamedWithItsValueAndWhatWouldBeRight) {
  EXPECT_EQ(refusal({"--log", "loud"}), "--log = \"loud\" is unknown; known values: error, warn, info, debug, trace");
  EXPECT_THAT(refusal({"--capacity", "0"}), HasSubstr("--capacity = \"0\""));
  EXPECT_THAT(refusal({"--workers", "0"}), HasSubstr("is not a number from 1 to 256"));
  EXPECT_THAT(refusal({"--timeout", "0"}), HasSubstr("from 1 to 3600"));
  EXPECT_THAT(refusal({"--quota", "much"}), HasSubstr("nor \"none\""));
  EXPECT_THAT(refusal({"--listen", "host:x"}), HasSubstr("--listen"));
  EXPECT_THAT(refusal({"--huge-pages", "maybe"}), HasSubstr("known values: yes, no"));
  EXPECT_THAT(refusal({}, "quota = 1X\n"), HasSubstr("quota in " + (folder_.path() / "namd.conf").string()));
  EXPECT_THAT(refusal({}, "qouta = 1\n"), HasSubstr("there is no such setting; known settings: store, capacity"));
  EXPECT_THAT(refusal({}, "durable\n"), HasSubstr("durable"));
  EXPECT_THAT(refusal({}, "[group.users]\nquota = 1\n"), HasSubstr("known sections: [user.NAME]"));
  EXPECT_THAT(refusal({}, "[user.0]\nlog = debug\n"), HasSubstr("no setting of a user"));
}

TEST_F(NamdSettings, OneThatCannotBeGivenTwiceIsRefusedTwice) {
  EXPECT_THAT(refusal({"--quota", "1", "--quota", "2"}), HasSubstr("given 2 times"));
  EXPECT_THAT(refusal({}, "quota = 1\nquota = 2\n"), HasSubstr("given 2 times"));
  EXPECT_THAT(refusal({}, "quota = 1\nlog = warn\nquota = 2\n"), HasSubstr("given twice"));
}

TEST_F(NamdSettings, AnUnknownUserIsNamed) {
  const auto loaded = load({}, "[user.nobody-has-this-name]\nquota = 1\n");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::name_not_found);
  EXPECT_THAT(loaded.error().message, HasSubstr("knows no user \"nobody-has-this-name\""));
}

TEST_F(NamdSettings, TheKindsOfAuthenticationAreAddedUp) {
  const auto secret = load({"--auth", "secret", "--secret-file", "/s"});
  ASSERT_TRUE(secret) << secret.error().message;
  EXPECT_FALSE(secret->settings.auth.munge);
  EXPECT_EQ(secret->settings.auth.plain, PlainRule::never);
  EXPECT_EQ(secret->settings.auth.secret_file, "/s");
  const auto both = load({"--auth", "munge", "--auth", "plain"});
  ASSERT_TRUE(both) << both.error().message;
  EXPECT_TRUE(both->settings.auth.munge);
  EXPECT_EQ(both->settings.auth.plain, PlainRule::anywhere);
  EXPECT_THAT(refusal({"--auth", "secret"}), HasSubstr("secret-file"));
  EXPECT_THAT(refusal({"--auth", "munge", "--secret-file", "/s"}), HasSubstr("of no use"));
  EXPECT_THAT(refusal({"--auth", "kerberos"}), HasSubstr("known values: munge, secret, plain-loopback, plain"));
}

TEST_F(NamdSettings, MetricsStayOnThisHostUnlessToldOtherwise) {
  const auto here = load({"--metrics", "127.0.0.1"});
  ASSERT_TRUE(here) << here.error().message;
  EXPECT_EQ(here->settings.metrics->port, 7761);
  const auto port = load({"--metrics", "127.0.0.1:80"});
  ASSERT_TRUE(port) << port.error().message;
  EXPECT_EQ(port->settings.metrics->port, 80);
  EXPECT_THAT(refusal({"--metrics", "0.0.0.0:80"}), HasSubstr("metrics-public"));
  EXPECT_TRUE(load({"--metrics", "0.0.0.0:80", "--metrics-public", "yes"}));
  EXPECT_THAT(refusal({"--metrics", "/a/socket"}), HasSubstr("is a path"));
}

TEST_F(NamdSettings, WhatCountsAfterARestartOnlyIsTold) {
  const auto before = load({}, "quota = 1\nlisten = /a/b\nworkers = 1\n");
  const auto after = load({}, "quota = 2\nlisten = /a/c\nworkers = 1\nname = x\n");
  ASSERT_TRUE(before && after);
  EXPECT_THAT(waiting_for_restart(before->file, after->file), ElementsAre("listen", "name"));
  EXPECT_THAT(waiting_for_restart(before->file, before->file), ElementsAre());
}

TEST_F(NamdSettings, AMissingFileIsNamed) {
  const auto read = read_settings_file(folder_.path() / "none");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::name_not_found);
  EXPECT_THAT(read.error().message, HasSubstr((folder_.path() / "none").string()));
}

}  // namespace
}  // namespace psnam::daemon
