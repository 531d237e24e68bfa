// namctl job list and show: jobs for people and as JSON.
#include <fmt/format.h>

#include "cli/jobs.hpp"
#include "cli/json.hpp"
#include "cli/report.hpp"
#include "cli/text.hpp"
#include "job/record.hpp"

namespace psnam::cli {
namespace {

using format::JobControl;
using format::JobState;

/// Everything that is told of a job.
struct JobReport {
  job::FoundRecord found;
  job::JobFacts facts;
  JobControl now;
  std::optional<job::Outcome> last;

  /// A job none of whose processes live is in no state.
  [[nodiscard]] std::string state() const {
    if (found.living != 0) return std::string{name_of(now.state, format::kJobStates)};
    const bool ended = now.state == JobState::ended || now.state == JobState::terminating;
    return ended ? "ended" : "killed";
  }
  [[nodiscard]] std::string request() const { return job::shown({.request = now.request, .options = now.options}); }
  [[nodiscard]] std::string registered() const {
    if (facts.abilities == 0) return "nothing";
    std::string text = (facts.abilities & format::kJobSaves) != 0 ? "data" : "";
    if ((facts.abilities & format::kJobHandles) != 0) text += text.empty() ? "handlers" : " and handlers";
    return text;
  }
};

Result<JobReport> report_of(job::FoundRecord found) {
  JobReport report{.found = std::move(found), .facts = {}, .now = {}, .last = {}};
  PSNAM_TRY(report.facts, report.found.control.facts());
  PSNAM_TRY(report.now, report.found.control.word());
  PSNAM_TRY(report.last, report.found.control.outcome(report.now.sequence));
  return report;
}

std::string_view departure_of(std::uint32_t leaving) {
  if (leaving == format::kJobLeaves) return "leaves its node";
  return leaving == format::kJobStayed ? "was to leave its node" : "";
}

void put_job(JsonWriter& json, const JobReport& report) {
  json.member("name", report.found.job)
      .member("state", report.state())
      .member("ranks", report.facts.ranks)
      .member("living", report.found.living)
      .member("uid", report.found.allocation.uid)
      .member("started_unix_seconds", report.facts.started_unix_seconds)
      .member("saves", (report.facts.abilities & format::kJobSaves) != 0)
      .member("handlers", (report.facts.abilities & format::kJobHandles) != 0)
      .member("requests", report.now.sequence)
      .member("request", report.request());
  json.key("outcome");
  if (!report.last) {
    json.null();
    return;
  }
  json.begin_object()
      .member("failed", report.last->failed)
      .member("version", report.last->version)
      .member("safe_point", report.last->safe_point)
      .member("error", report.last->text)
      .end_object();
}

std::string show_text(const JobReport& report, const std::vector<job::SeatFacts>& seats) {
  std::string text;
  const auto line = [&](std::string_view what, const std::string& value) {
    text += fmt::format("{:<12}{}\n", what, value);
  };
  line("job", report.found.job);
  line("state", report.state());
  line("ranks", fmt::format("{}, {} of them alive", report.facts.ranks, report.found.living));
  line("owner", user_name(report.found.allocation.uid));
  line("started", time_text(report.facts.started_unix_seconds));
  line("registered", report.registered());
  line("request",
       report.now.sequence == 0 ? "none yet" : fmt::format("{}, number {}", report.request(), report.now.sequence));
  if (report.last)
    line("outcome",
         report.last->failed
             ? fmt::format("failed: {}", report.last->text)
             : fmt::format("done at safe point {}{}", report.last->safe_point,
                           report.last->version == 0 ? "" : fmt::format(", version {}", report.last->version)));
  Table table{{"RANK", "PID", "NODE", "SAFE POINTS", ""}, {0, 1, 3}};
  for (std::size_t rank = 0; rank < seats.size(); ++rank)
    table.add({fmt::format("{}", rank), fmt::format("{}", seats[rank].pid), format::to_string(seats[rank].node),
               fmt::format("{}", seats[rank].count), std::string{departure_of(seats[rank].leaving)}});
  return text + "\n" + table.text();
}

std::string show_json(const Invocation& invocation, const JobReport& report, const std::vector<job::SeatFacts>& seats) {
  JsonWriter json;
  json.begin_object().member("store", invocation.place());
  put_job(json, report);
  json.key("seats").begin_array();
  for (const job::SeatFacts& seat : seats)
    json.begin_object()
        .member("pid", seat.pid)
        .member("node", format::to_string(seat.node))
        .member("safe_points", seat.count)
        .member("leaves", seat.leaving == format::kJobLeaves)
        .member("stayed", seat.leaving == format::kJobStayed)
        .end_object();
  return json.end_array().end_object().take();
}

}  // namespace

Result<Outcome> list_jobs(const Invocation& invocation) {
  PSNAM_TRY(const auto service, open_existing(invocation));
  std::vector<job::FoundRecord> records;
  if (service) {
    PSNAM_TRY(records, job::find_records(*service));
  }
  JsonWriter json;
  json.begin_object().member("store", invocation.place()).key("jobs").begin_array();
  Table table{{"JOB", "STATE", "RANKS", "ALIVE", "REQUEST", "OWNER", "STARTED"}, {2, 3}};
  for (job::FoundRecord& record : records) {
    PSNAM_TRY(const JobReport report, report_of(std::move(record)));
    json.begin_object();
    put_job(json, report);
    json.end_object();
    table.add({report.found.job, report.state(), fmt::format("{}", report.facts.ranks),
               fmt::format("{}", report.found.living), report.request(), user_name(report.found.allocation.uid),
               time_text(report.facts.started_unix_seconds)});
  }
  json.end_array().end_object();
  if (invocation.json) return Outcome{.output = json.take()};
  return Outcome{.output = records.empty() ? fmt::format("no jobs in {}\n", invocation.place()) : table.text()};
}

Result<Outcome> show_job(const Invocation& invocation, const std::string& name) {
  PSNAM_TRY(const auto service, open_existing(invocation));
  if (!service)
    return Error{Code::name_not_found,
                 fmt::format("there is no job \"{}\": there is no store in {}", name, invocation.place())};
  PSNAM_TRY(job::FoundRecord found, job::find_record(*service, name, nam::AccessRight::read_only));
  PSNAM_TRY(const JobReport report, report_of(std::move(found)));
  PSNAM_TRY(const auto seats, report.found.control.seats());
  return Outcome{.output = invocation.json ? show_json(invocation, report, seats) : show_text(report, seats)};
}

}  // namespace psnam::cli
