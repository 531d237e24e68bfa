// A window and its users as namctl describes them, for people and as JSON; the same words in list and show.
#pragma once

#include <cstdint>
#include <string>

#include "cli/json.hpp"
#include "nam/service.hpp"

namespace psnam::cli {

[[nodiscard]] std::uint64_t bytes_of(const format::WindowRecord& window);
/// "persistent", "volatile", "in doubt".
[[nodiscard]] std::string_view consistency_of(const format::WindowRecord& window);
/// The words of the info keys without their prefixes.
[[nodiscard]] std::string_view short_name(format::Structure structure);
[[nodiscard]] std::string_view short_name(format::Manifestation manifestation);
[[nodiscard]] std::string_view short_name(format::Consistency consistency);
/// The name of the user `uid`, or the number.
[[nodiscard]] std::string user_name(std::uint32_t uid);
/// Members of the window's object; the caller opens and closes it.
void put_window(JsonWriter& json, const nam::WindowReport& report);
/// The processes of a job: "rank 0 pid 17, rank 1 pid 18 (ended)".
[[nodiscard]] std::string use_text(const format::UseRecord& use);
/// The member "jobs".
void put_uses(JsonWriter& json, const std::vector<format::UseRecord>& uses);

}  // namespace psnam::cli
