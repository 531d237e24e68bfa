// namctl doctor: the manager, if one is meant: whether it answers, who we are to it, whether its clock agrees with
// ours, and whether the fabric can be had.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "backends/fabric.hpp"
#include "cli/doctor.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"
#include "nam/client.hpp"
#include "psnam_version.hpp"

namespace psnam::cli {
namespace {

constexpr const char* kSubject = "manager";
// More than this between two hosts, and times of expiry mean something else on each.
constexpr double kClockSeconds = 5;

std::string_view hint_for(Code code) {
  switch (code) {
    case Code::access:
      return "MUNGE must run on both hosts with the same key, or PSNAM_SECRET name the secret of the manager";
    case Code::incompatible:
      return "use a psnam of the manager's version";
    case Code::invalid_argument:
      return "a path, or host[:port]";
    case Code::no_memory:
      return "the manager has as many sessions as it may have (max-sessions)";
    default:
      return "is namd running there, and does it listen at this address? Its log says both";
  }
}

void examine_clock(const nam::Statistics& statistics, Diagnosis& diagnosis) {
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  const double ahead = (static_cast<double>(statistics.now_unix_us) - static_cast<double>(now)) / 1e6;
  const std::string text =
      fmt::format("its clock is {:.3f} s {} ours", std::abs(ahead), ahead < 0 ? "behind" : "before");
  if (std::abs(ahead) > kClockSeconds)
    diagnosis.push_back({Verdict::wrong, kSubject, text, "let both hosts keep the same time (NTP)"});
  else
    diagnosis.push_back({Verdict::good, kSubject, text});
}

/// Who we are to it, by our own session among those that it tells.
void examine_identity(nam::Service& service, const nam::Statistics& statistics, Diagnosis& diagnosis) {
  const auto own = service.user(0);
  for (const auto& one : statistics.sessions) {
    if (!own || one.session != own->start_time_ticks) continue;
    const std::string text = fmt::format("we are user {} there, as {} says", user_name(one.uid),
                                         one.method == "kernel" ? "the kernel" : one.method);
    if (one.uid == ::geteuid())
      diagnosis.push_back({Verdict::good, kSubject, text});
    else
      diagnosis.push_back({Verdict::note, kSubject, fmt::format("{}, and {} here", text, user_name(::geteuid())),
                           "with MUNGE or a shared secret the manager knows who we are"});
  }
}

void examine_fabric(const nam::Service& service, const nam::Statistics& statistics, Diagnosis& diagnosis) {
  const std::string there = statistics.provider.empty() ? "not needed yet there" : statistics.provider + " there";
  if (const auto fabric = backends::load_fabric(); !fabric)
    diagnosis.push_back({service.maps() ? Verdict::note : Verdict::wrong, "fabric", fabric.error().message,
                         "memory of other hosts cannot be reached without it"});
  else
    diagnosis.push_back({Verdict::good, "fabric",
                         fmt::format("the module can be loaded here; {}; memory is {}", there,
                                     service.maps() ? "mapped" : "reached over the fabric")});
}

}  // namespace

void examine_manager(const Invocation& invocation, Diagnosis& diagnosis) {
  const auto options = invocation.options();
  if (!options) return;  // told with the environment
  const auto client = nam::Client::connect(*options);
  if (!client) {
    diagnosis.push_back({Verdict::wrong, kSubject, client.error().message, std::string{hint_for(client.error().code)}});
    return;
  }
  nam::Service& service = **client;
  const auto statistics = service.statistics();
  if (!statistics) {
    diagnosis.push_back(
        {Verdict::wrong, kSubject, statistics.error().message, std::string{hint_for(statistics.error().code)}});
    return;
  }
  diagnosis.push_back(
      {Verdict::good, kSubject,
       fmt::format("{} answers: psnam {}, up since {}, {}", invocation.place(), statistics->software_version,
                   time_text(statistics->began_unix_seconds), count_text(statistics->sessions_open, "session"))});
  if (statistics->software_version != kVersion)
    diagnosis.push_back({Verdict::note, kSubject,
                         fmt::format("we are {}, it is {}", kVersion, statistics->software_version),
                         "they understand each other; new functions need both sides"});
  examine_identity(service, *statistics, diagnosis);
  examine_clock(*statistics, diagnosis);
  examine_fabric(service, *statistics, diagnosis);
  examine_service(service, invocation.place(), diagnosis);
}

}  // namespace psnam::cli
