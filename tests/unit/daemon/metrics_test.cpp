// The page that Prometheus reads, and the server that gives it out.
#include "daemon/metrics.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <regex>
#include <sstream>

#include "base/system.hpp"
#include "daemon/metrics_server.hpp"

namespace psnam::daemon {
namespace {

using testing::HasSubstr;

nam::Statistics example() {
  nam::Statistics statistics;
  statistics.software_version = "1.0";
  statistics.provider = "a \"quoted\" \\ name\n";
  statistics.sessions_open = 3;
  statistics.reserved_bytes = 4096;
  nam::RequestStatistics requests{.kind = "open", .requests = 3, .failed = 1, .total_time_us = 1'500'000};
  requests.latencies[0] = 2;
  requests.latencies.back() = 1;
  statistics.requests.push_back(requests);
  statistics.refusals.push_back({"quota", 7});
  statistics.users.push_back({.uid = 1000, .reserved_bytes = 512, .objects = 2, .quota_bytes = 1024, .sessions = 1});
  statistics.users.push_back({.uid = 1001, .reserved_bytes = 1});
  statistics.nams.push_back({.index = 1, .store = {}, .name = "node-b", .address = "b:1", .reachable = false});
  return statistics;
}

TEST(Metrics, EveryLineIsACommentOrASampleAndEveryMetricIsDeclaredOnce) {
  std::istringstream page{metrics_text(example())};
  const std::regex sample{R"re(([a-z_]+)(\{([a-z]+="([^"\\\n]|\\["\\n])*",?)+\})? [0-9.e+-]+)re"};
  const std::regex type{R"(# TYPE ([a-z_]+) (counter|gauge|histogram))"};
  std::string declared;
  std::vector<std::string> seen;
  std::size_t samples = 0;
  for (std::string line; std::getline(page, line);) {
    std::smatch match;
    if (std::regex_match(line, match, type)) {
      declared = match[1];
      EXPECT_THAT(seen, testing::Not(testing::Contains(declared)));
      seen.push_back(declared);
    } else if (!line.starts_with("# HELP ")) {
      ASSERT_TRUE(std::regex_match(line, match, sample)) << line;
      EXPECT_TRUE(match[1].str().starts_with(declared)) << line << " below " << declared;
      ++samples;
    }
  }
  EXPECT_GT(samples, 20U);
}

TEST(Metrics, ValuesAreInBaseUnitsAndBucketsAddUp) {
  const std::string page = metrics_text(example());
  EXPECT_THAT(page, HasSubstr("\nnamd_sessions 3\n"));
  EXPECT_THAT(page, HasSubstr("\nnamd_reserved_bytes 4096\n"));
  EXPECT_THAT(page, HasSubstr("namd_request_duration_seconds_bucket{kind=\"open\",le=\"4e-06\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("namd_request_duration_seconds_bucket{kind=\"open\",le=\"4\"} 2\n"));
  EXPECT_THAT(page, HasSubstr("namd_request_duration_seconds_bucket{kind=\"open\",le=\"+Inf\"} 3\n"));
  EXPECT_THAT(page, HasSubstr("namd_request_duration_seconds_sum{kind=\"open\"} 1.5\n"));
  EXPECT_THAT(page, HasSubstr("namd_request_failures_total{kind=\"open\"} 1\n"));
  EXPECT_THAT(page, HasSubstr("namd_refusals_total{reason=\"quota\"} 7\n"));
  EXPECT_THAT(page, HasSubstr("namd_user_quota_bytes{uid=\"1000\"} 1024\n"));
  EXPECT_THAT(page, testing::Not(HasSubstr("namd_user_quota_bytes{uid=\"1001\"}"))) << "it has none";
  EXPECT_THAT(page, HasSubstr("namd_nam_up{index=\"1\",name=\"node-b\"} 0\n"));
  EXPECT_THAT(page, HasSubstr(R"(provider="a \"quoted\" \\ name\n"})"));
}

/// What the server at `address` answers to `request`, until it closes the connection.
std::string ask(const std::string& address, const std::string& request) {
  const auto colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  const timeval limit{.tv_sec = 20, .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return "no connection";
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return "not sent";
  std::string answer;
  std::array<char, 4096> buffer{};
  for (ssize_t bytes = 1; (bytes = ::recv(socket.get(), buffer.data(), buffer.size(), 0)) > 0;)
    answer.append(buffer.data(), static_cast<std::size_t>(bytes));
  return answer;
}

TEST(MetricsServer, AnswersGetOfMetricsOnly) {
  const auto server = MetricsServer::start({.path = "", .host = "127.0.0.1", .port = 0}, [] { return "the text\n"; });
  ASSERT_TRUE(server) << server.error().message;
  const std::string& address = (*server)->listening();
  const std::string rest = " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  EXPECT_THAT(ask(address, "GET /metrics" + rest), testing::AllOf(HasSubstr("200 OK"), HasSubstr("\r\n\r\nthe text\n"),
                                                                  HasSubstr("text/plain; version=0.0.4")));
  EXPECT_THAT(ask(address, "GET /other" + rest), HasSubstr("404"));
  EXPECT_THAT(ask(address, "POST /metrics" + rest), HasSubstr("405"));
  EXPECT_THAT(ask(address, "garbage\r\n\r\n"), testing::Not(HasSubstr("200")));
  EXPECT_THAT(ask(address, "GET /metrics" + rest), HasSubstr("200 OK")) << "still there after garbage";
}

TEST(MetricsServer, AnAddressInUseIsNamed) {
  const auto first = MetricsServer::start({.path = "", .host = "127.0.0.1", .port = 0}, [] { return ""; });
  ASSERT_TRUE(first) << first.error().message;
  const std::string address = (*first)->listening();
  const auto port = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  const auto second = MetricsServer::start({.path = "", .host = "127.0.0.1", .port = port}, [] { return ""; });
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr(address));
}

}  // namespace
}  // namespace psnam::daemon
