#include "job/names.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "format/job_page.hpp"

namespace psnam::job {
namespace {

constexpr std::string_view kPrefix = "psnam-job:";

}  // namespace

Status check_job_name(std::string_view name) {
  const bool printable = std::ranges::all_of(name, [](char c) { return c > ' ' && c < '\x7f'; });
  if (name.empty() || name.size() >= format::kJobNameBytes || !printable)
    return Error{Code::invalid_argument, fmt::format("\"{}\" cannot be a job's name: 1 to {} printable ASCII "
                                                     "characters without blanks are possible, this has {} bytes",
                                                     name, format::kJobNameBytes - 1, name.size())};
  return {};
}

std::string record_name(std::uint32_t uid, std::string_view name) { return fmt::format("{}{}:{}", kPrefix, uid, name); }

std::optional<std::string> job_of_record(std::string_view record) {
  if (!record.starts_with(kPrefix)) return std::nullopt;
  const auto colon = record.find(':', kPrefix.size());
  if (colon == std::string_view::npos || colon + 1 == record.size()) return std::nullopt;
  return std::string{record.substr(colon + 1)};
}

}  // namespace psnam::job
