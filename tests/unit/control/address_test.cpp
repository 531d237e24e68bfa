#include "nam/control/address.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace psnam::nam::control {
namespace {

struct Case {
  std::string text;
  Address address;
  std::string printed;
};

TEST(AddressTest, EachFormIsParsedAndPrinted) {
  const std::vector<Case> cases{
      {"/run/namd.socket", {"/run/namd.socket", "", 0}, "/run/namd.socket"},
      {"./s", {"./s", "", 0}, "./s"},
      {"node7", {"", "node7", kDefaultPort}, "node7:7760"},
      {"node7:1", {"", "node7", 1}, "node7:1"},
      {"10.0.0.1:65535", {"", "10.0.0.1", 65535}, "10.0.0.1:65535"},
      {"[::1]:80", {"", "::1", 80}, "[::1]:80"},
      {"[fe80::1]", {"", "fe80::1", kDefaultPort}, "[fe80::1]:7760"},
      {"fe80::1", {"", "fe80::1", kDefaultPort}, "[fe80::1]:7760"},
  };
  for (const Case& each : cases) {
    const auto parsed = Address::parse(each.text);
    ASSERT_TRUE(parsed.ok()) << each.text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, each.address) << each.text;
    EXPECT_EQ(parsed->text(), each.printed);
    EXPECT_EQ(*Address::parse(parsed->text()), *parsed);
  }
}

TEST(AddressTest, WhatIsNoAddressIsNamedWithTheReason) {
  const std::vector<std::pair<std::string, std::string>> cases{{"", "empty"},
                                                               {":80", "host is missing"},
                                                               {"node:", "is not a colon and a port"},
                                                               {"node:x", "\":x\" is not"},
                                                               {"node:65536", "0 to 65535"},
                                                               {"node:-1", "0 to 65535"},
                                                               {"node:8 ", "0 to 65535"},
                                                               {"[::1", "not closed"},
                                                               {"[::1]80", "is not a colon"},
                                                               {"[node]:80", "version 6"},
                                                               {"/" + std::string(108, 'a'), "at most 107"}};
  for (const auto& [text, reason] : cases) {
    const auto parsed = Address::parse(text);
    ASSERT_FALSE(parsed.ok()) << text;
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
    EXPECT_NE(parsed.error().message.find(reason), std::string::npos) << parsed.error().message;
  }
}

TEST(AddressTest, ANumberResolvesToItself) {
  const auto v4 = Address::parse("127.0.0.1:9")->resolve();
  ASSERT_TRUE(v4.ok());
  ASSERT_EQ(v4->size(), 1U);
  EXPECT_EQ(v4->front().text(), "127.0.0.1:9");
  EXPECT_TRUE(v4->front().loopback());
  const auto v6 = Address::parse("[2001:db8::1]:9")->resolve();
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->front().text(), "[2001:db8::1]:9");
  EXPECT_FALSE(v6->front().loopback());
}

TEST(AddressTest, AnUnknownHostIsUnreachable) {
  const auto found = Address::parse("no-such-host.invalid:9")->resolve();
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.error().code, Code::unreachable);
  EXPECT_NE(found.error().message.find("no-such-host.invalid"), std::string::npos);
}

TEST(AddressTest, AVersion4AddressInVersion6ClothesIsJudgedAsWhatItIs) {
  SocketAddress address;
  auto& raw = *reinterpret_cast<sockaddr_in6*>(&address.storage);
  raw.sin6_family = AF_INET6;
  raw.sin6_port = htons(5);
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:127.0.0.9", &raw.sin6_addr), 1);
  EXPECT_EQ(address.text(), "127.0.0.9:5");
  EXPECT_TRUE(address.loopback());
  ASSERT_EQ(::inet_pton(AF_INET6, "::ffff:10.0.0.9", &raw.sin6_addr), 1);
  EXPECT_FALSE(address.loopback());
}

}  // namespace
}  // namespace psnam::nam::control
