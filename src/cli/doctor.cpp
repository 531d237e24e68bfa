#include "cli/doctor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/json.hpp"

namespace psnam::cli {
namespace {

constexpr std::array<Choice<Verdict>, 3> kVerdicts{{
    {"ok", "as it should be", Verdict::good},
    {"note", "worth knowing", Verdict::note},
    {"wrong", "needs to be changed", Verdict::wrong},
}};

std::string diagnosis_json(const Diagnosis& diagnosis, bool healthy) {
  JsonWriter json;
  json.begin_object().member("healthy", healthy).key("findings").begin_array();
  for (const auto& finding : diagnosis)
    json.begin_object()
        .member("verdict", name_of(finding.verdict, kVerdicts))
        .member("subject", finding.subject)
        .member("text", finding.text)
        .member("hint", finding.hint)
        .end_object();
  return json.end_array().end_object().take();
}

std::string diagnosis_text(const Diagnosis& diagnosis) {
  std::string text;
  std::ptrdiff_t wrong = 0;
  for (const auto& finding : diagnosis) {
    fmt::format_to(std::back_inserter(text), "{:<7}{:<13}{}\n", name_of(finding.verdict, kVerdicts), finding.subject,
                   finding.text);
    if (!finding.hint.empty()) fmt::format_to(std::back_inserter(text), "{:20}-> {}\n", "", finding.hint);
    wrong += finding.verdict == Verdict::wrong ? 1 : 0;
  }
  text += wrong == 0 ? "nothing is wrong\n" : fmt::format("{} of {} wrong\n", wrong, diagnosis.size());
  return text;
}

}  // namespace

Result<Outcome> examine(const Invocation& invocation) {
  Diagnosis diagnosis;
  examine_environment(invocation, diagnosis);
  examine_library(invocation, diagnosis);
  examine_mpi(invocation, diagnosis);
  if (invocation.manager())
    examine_manager(invocation, diagnosis);
  else
    examine_store(invocation, diagnosis);
  examine_limits(invocation, diagnosis);
  const bool healthy = std::none_of(diagnosis.begin(), diagnosis.end(),
                                    [](const Finding& finding) { return finding.verdict == Verdict::wrong; });
  Outcome outcome;
  outcome.output = invocation.json ? diagnosis_json(diagnosis, healthy) : diagnosis_text(diagnosis);
  outcome.failed = !healthy;
  return outcome;
}

}  // namespace psnam::cli
