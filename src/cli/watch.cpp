// namctl top, sessions and nams: how a manager does.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>

#include "cli/command.hpp"
#include "cli/manager.hpp"

namespace psnam::cli {
namespace {

constexpr double kShortestSeconds = 0.1;
constexpr double kLongestSeconds = 3600;

/// The service of a manager, which alone has statistics.
Result<std::unique_ptr<nam::Service>> open_manager(const Invocation& invocation) {
  if (!invocation.manager())
    return Error{Code::unsupported,
                 fmt::format("{} is the embedded store: no manager serves it. Name one by --manager or PSNAM_MANAGER",
                             invocation.place())};
  return open_existing(invocation);
}

/// Waits for so long, or until whoever reads standard output has gone: false then.
bool wait_for_next_page(double seconds) {
  pollfd output{STDOUT_FILENO, 0, 0};
  const int ready = ::poll(&output, 1, static_cast<int>(std::lround(seconds * 1e3)));
  return ready == 0 || (ready < 0 && errno == EINTR);
}

Status write_page(const std::string& page, bool clear) {
  if (clear) std::fputs("\033[H\033[2J", stdout);
  std::fputs(page.c_str(), stdout);
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return {};
  return Error{Code::system, "standard output cannot be written"};
}

}  // namespace

Result<Outcome> list_sessions(const Invocation& invocation) {
  PSNAM_TRY(const auto service, open_manager(invocation));
  PSNAM_TRY(const nam::Statistics statistics, service->statistics());
  if (!invocation.json) return Outcome{.output = sessions_text(statistics)};
  JsonWriter json;
  json.begin_object().member("manager", invocation.place());
  put_sessions(json, statistics);
  return Outcome{.output = json.end_object().take()};
}

Result<Outcome> list_nams(const Invocation& invocation) {
  PSNAM_TRY(const auto service, open_manager(invocation));
  PSNAM_TRY(const nam::Statistics statistics, service->statistics());
  if (!invocation.json) return Outcome{.output = nams_text(statistics)};
  JsonWriter json;
  json.begin_object().member("manager", invocation.place());
  put_nams(json, statistics);
  return Outcome{.output = json.end_object().take()};
}

Result<Outcome> watch(const Invocation& invocation, const TopOptions& options) {
  if (!(options.interval_seconds >= kShortestSeconds && options.interval_seconds <= kLongestSeconds))
    return Error{Code::invalid_argument, fmt::format("--interval {}: a number of seconds from {} to {} is right",
                                                     options.interval_seconds, kShortestSeconds, kLongestSeconds)};
  PSNAM_TRY(const auto service, open_manager(invocation));
  const bool clear = !invocation.json && options.count != 1 && ::isatty(STDOUT_FILENO) == 1;
  std::optional<nam::Statistics> before;
  for (std::uint64_t page = 0; options.count == 0 || page < options.count; ++page) {
    if (page != 0 && !wait_for_next_page(options.interval_seconds)) break;
    PSNAM_TRY(nam::Statistics now, service->statistics());
    const auto rates = before ? rates_between(*before, now) : std::nullopt;
    PSNAM_CHECK(write_page(
        invocation.json ? page_json(invocation.place(), now, rates) : page_text(invocation.place(), now, rates),
        clear));
    before = std::move(now);
  }
  return Outcome{};
}

}  // namespace psnam::cli
