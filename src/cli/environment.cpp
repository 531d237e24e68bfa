// namctl env: the variables, what is in force, and where it comes from.
#include <fmt/format.h>

#include "cli/command.hpp"
#include "cli/json.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

// Read where PSNAM_MODULE_ID is not set.
constexpr std::string_view kOtherModuleId = "PSP_MSA_MODULE_ID";

struct Setting {
  std::string value;
  std::string_view source;  ///< "default", "environment", "command line", or the other variable
  std::string problem;      ///< why the value is refused
};

Setting setting_of(const OptionRow& row, const Invocation& invocation) {
  Setting setting;
  const auto value = invocation.variable(row.name);
  if (row.name == "PSNAM_STORE") {
    setting.value = invocation.folder().string();
    setting.source = !invocation.store_argument.empty() ? "command line" : value ? "environment" : "default";
    return setting;
  }
  if (row.name == "PSNAM_MANAGER" && !invocation.manager_argument.empty()) {
    setting.value = invocation.manager_argument;
    setting.source = "command line";
    return setting;
  }
  setting.value = value.value_or(std::string{row.default_text});
  setting.source = value ? "environment" : "default";
  const auto other = row.name == "PSNAM_MODULE_ID" ? invocation.variable(kOtherModuleId) : std::nullopt;
  if (!value && other) {
    setting.value = *other;
    setting.source = kOtherModuleId;
  }
  Options unused;
  if (value)
    if (Status applied = row.apply(unused, row.name, *value); !applied) setting.problem = applied.take_error().message;
  return setting;
}

std::string settings_json(const Invocation& invocation) {
  JsonWriter json;
  json.begin_object().key("variables").begin_array();
  for (const auto& row : option_table()) {
    const Setting setting = setting_of(row, invocation);
    json.begin_object()
        .member("name", row.name)
        .member("value", setting.value)
        .member("default", row.default_text)
        .member("source", setting.source)
        .member("syntax", row.syntax)
        .member("help", row.help);
    json.key("error");
    if (setting.problem.empty())
      json.null();
    else
      json.value(setting.problem);
    json.end_object();
  }
  return json.end_array().end_object().take();
}

std::string settings_text(const Invocation& invocation) {
  const auto shown = [](std::string_view text) { return text.empty() ? std::string{"-"} : std::string{text}; };
  Table table{{"VARIABLE", "VALUE", "DEFAULT", "SOURCE", "MEANING"}};
  for (const auto& row : option_table()) {
    const Setting setting = setting_of(row, invocation);
    table.add({std::string{row.name}, shown(setting.value), shown(row.default_text), std::string{setting.source},
               fmt::format("{} ({})", row.help, row.syntax)});
  }
  return table.text();
}

}  // namespace

Result<Outcome> show_environment(const Invocation& invocation) {
  Outcome outcome{.output = invocation.json ? settings_json(invocation) : settings_text(invocation)};
  for (const auto& row : option_table())
    if (auto problem = setting_of(row, invocation).problem; !problem.empty())
      outcome.failures.push_back(std::move(problem));
  // What no single value shows, such as a largest that is less than the smallest.
  if (outcome.failures.empty())
    if (auto all = parse_options(invocation.environment); !all) outcome.failures.push_back(all.error().message);
  return outcome;
}

}  // namespace psnam::cli
