// namctl nams rm: memory nodes that will not come back.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/command.hpp"
#include "cli/json.hpp"

namespace psnam::cli {

Result<Outcome> remove_nam(const Invocation& invocation, std::uint32_t index, bool force) {
  PSNAM_TRY(const auto manager, open_existing(invocation));
  if (!manager)
    return Error{Code::name_not_found,
                 fmt::format("there is no store in {}, and no NAM to remove from it", invocation.place())};
  auto lost = manager->remove_nam(index, force);
  if (!lost && lost.error().code == Code::busy && !force)
    return Error{Code::busy,
                 lost.error().message + "; with --force a NAM that does not answer is removed all the same"};
  if (!lost) return lost.take_error();
  if (!invocation.json) {
    std::string text = fmt::format("NAM {} removed\n", index);
    for (const auto& name : *lost)
      text += fmt::format("{} is lost: it had a part there; namctl rm removes the rest\n", name);
    return Outcome{.output = std::move(text)};
  }
  JsonWriter json;
  json.begin_object().member("removed", std::uint64_t{index}).key("lost").begin_array();
  for (const auto& name : *lost) json.value(name);
  return Outcome{.output = json.end_array().end_object().take()};
}

}  // namespace psnam::cli
