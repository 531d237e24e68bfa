// The names of the control records of jobs, by which those who ask find them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace psnam::job {

/// Code::invalid_argument unless `name` has 1 to 127 printable characters, none of them a blank.
[[nodiscard]] Status check_job_name(std::string_view name);
/// The user's number keeps the jobs of several users apart.
[[nodiscard]] std::string record_name(std::uint32_t uid, std::string_view name);
/// The name of the job whose record is called so; nothing if it is called as no record is.
[[nodiscard]] std::optional<std::string> job_of_record(std::string_view record);

}  // namespace psnam::job
