// How the text of each kind of setting becomes a value: the functions of the table in settings.cpp.
#pragma once

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/choice.hpp"
#include "base/options.hpp"
#include "daemon/settings.hpp"

namespace psnam::daemon {

inline constexpr std::uint16_t kMetricsPort = 7761;
inline constexpr std::array<Choice<bool>, 2> kSwitch{{{"yes", "on", true}, {"no", "off", false}}};

/// A decimal number from `least` to `most`.
template <class Number>
Result<Number> parse_number(std::string_view subject, std::string_view value, Number least, Number most) {
  Number number{};
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc{} || end != value.data() + value.size() || number < least || number > most)
    return Error{Code::invalid_argument,
                 fmt::format("{} = \"{}\" is not a number from {} to {}", subject, value, least, most)};
  return number;
}

inline Status check_not_empty(std::string_view subject, std::string_view value) {
  if (!value.empty()) return {};
  return Error{Code::invalid_argument, fmt::format("{} = \"\" is empty", subject)};
}

template <auto Member>
Status set_text(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_CHECK(check_not_empty(subject, value));
  settings.*Member = value;
  return {};
}

template <auto Member>
Status set_path(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_CHECK(check_not_empty(subject, value));
  settings.*Member = std::filesystem::absolute(value).lexically_normal();
  return {};
}

template <auto Member>
Status set_bytes(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(settings.*Member, parse_bytes(subject, value));
  if (settings.*Member == 0)
    return Error{Code::invalid_argument, fmt::format("{} = \"{}\": must be at least 1 byte", subject, value)};
  return {};
}

template <auto Member, std::uint64_t Least, std::uint64_t Most>
Status set_bytes_within(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(const std::uint64_t bytes, parse_bytes(subject, value));
  if (bytes < Least || bytes > Most)
    return Error{Code::invalid_argument,
                 fmt::format("{} = \"{}\": must be from {} to {} bytes", subject, value, Least, Most)};
  settings.*Member = bytes;
  return {};
}

/// Bytes, or "none".
inline Result<std::uint64_t> parse_limit(std::string_view subject, std::string_view value) {
  if (value == "none") return kNoLimit;
  auto bytes = parse_bytes(subject, value);
  if (!bytes) return Error{Code::invalid_argument, bytes.error().message + ", nor \"none\""};
  return bytes;
}

/// A number, or "none".
inline Result<std::uint64_t> parse_count_limit(std::string_view subject, std::string_view value) {
  if (value == "none") return kNoLimit;
  auto count = parse_number<std::uint64_t>(subject, value, 0, kNoLimit - 1);
  if (!count) return Error{Code::invalid_argument, count.error().message + ", nor \"none\""};
  return count;
}

template <auto Member>
Status set_limit(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(settings.*Member, parse_limit(subject, value));
  return {};
}

template <auto Member>
Status set_user_limit(UserLimit& user, std::string_view subject, std::string_view value) {
  PSNAM_TRY(user.*Member, parse_limit(subject, value));
  return {};
}

template <auto Member>
Status set_count_limit(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(settings.*Member, parse_count_limit(subject, value));
  return {};
}

template <auto Member, auto Least, auto Most>
Status set_number(Settings& settings, std::string_view subject, std::string_view value) {
  using Number = std::remove_reference_t<decltype(settings.*Member)>;
  PSNAM_TRY(settings.*Member, parse_number<Number>(subject, value, Least, Most));
  return {};
}

template <auto Member>
Status set_switch(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(settings.*Member, choose(subject, value, kSwitch, Code::invalid_argument));
  return {};
}

inline Status set_log_level(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(settings.log_level, choose(subject, value, kLogLevels, Code::invalid_argument));
  return {};
}

/// An address, in an error together with the setting that it was written for.
inline Result<nam::control::Address> parse_address(std::string_view subject, std::string_view value) {
  auto address = nam::control::Address::parse(value);
  if (!address)
    return Error{Code::invalid_argument, fmt::format("{} = \"{}\": {}", subject, value, address.error().message)};
  return address;
}

inline Status add_listen(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(auto address, parse_address(subject, value));
  if (address.local()) address.path = std::filesystem::absolute(address.path).lexically_normal();
  settings.listen.push_back(std::move(address));
  return {};
}

inline Status set_join(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(settings.join, parse_address(subject, value));
  return {};
}

inline Status set_metrics(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_TRY(auto address, parse_address(subject, value));
  if (address.local())
    return Error{Code::invalid_argument,
                 fmt::format("{} = \"{}\" is a path: metrics need a TCP address, HOST[:PORT]", subject, value)};
  // A host alone means the port of the metrics, not that of the clients.
  PSNAM_TRY(const auto with_port, parse_address(subject, fmt::format("{}:{}", value, kMetricsPort)));
  if (with_port.host == address.host && with_port.port == kMetricsPort) address = with_port;
  settings.metrics = std::move(address);
  return {};
}

inline Status set_timeout(Settings& settings, std::string_view subject, std::string_view value) {
  constexpr unsigned kLongestSeconds = 3600;
  PSNAM_TRY(const unsigned seconds, parse_number<unsigned>(subject, value, 1, kLongestSeconds));
  settings.timeout = std::chrono::seconds{seconds};
  return {};
}

inline Status set_secret_file(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_CHECK(check_not_empty(subject, value));
  settings.auth.secret_file = std::filesystem::absolute(value).lexically_normal();
  return {};
}

inline Status set_munge_socket(Settings& settings, std::string_view subject, std::string_view value) {
  PSNAM_CHECK(check_not_empty(subject, value));
  settings.auth.munge_socket = value;
  return {};
}

/// What the kinds that are named come to is settled when all settings are known.
inline Status add_auth(Settings&, std::string_view subject, std::string_view value) {
  constexpr std::array<Choice<bool>, 4> kKinds{{{"munge", "a MUNGE credential", true},
                                                {"secret", "the shared secret", true},
                                                {"plain-loopback", "nothing, from this host", true},
                                                {"plain", "nothing", true}}};
  return choose(subject, value, kKinds, Code::invalid_argument).status();
}

/// "0,2-3".
inline Status set_numa_nodes(Settings& settings, std::string_view subject, std::string_view value) {
  constexpr unsigned kLargest = 1023;
  const auto refuse = [&] {
    return Error{Code::invalid_argument,
                 fmt::format("{} = \"{}\" is not a list of NUMA nodes as 0,2-3 (up to {})", subject, value, kLargest)};
  };
  settings.numa_nodes.clear();
  if (value.ends_with(',')) return refuse();
  std::string_view rest = value;
  do {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    const std::string_view last_text = part.substr(part.find('-') + 1);  // all of it without a dash
    const auto first = parse_number<unsigned>(subject, part.substr(0, part.find('-')), 0, kLargest);
    const auto last = parse_number<unsigned>(subject, last_text, 0, kLargest);
    if (!first || !last || *first > *last) return refuse();
    for (unsigned node = *first; node <= *last; ++node) settings.numa_nodes.push_back(node);
  } while (!rest.empty());
  return {};
}

}  // namespace psnam::daemon
