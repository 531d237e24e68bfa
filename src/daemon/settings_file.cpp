#include "daemon/settings_file.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <fstream>
#include <sstream>

#include "base/system.hpp"

namespace psnam::daemon {
namespace {

constexpr std::string_view kUserSection = "user.";

/// CLI11's reader, without arrays: what may be given several times stands on several lines. A dot in a name means
/// nothing, since users may have one in theirs.
class Reader : public CLI::ConfigBase {
 public:
  Reader() {
    arrayBounds('[', ']');
    arrayDelimiter(';');
    parentSeparator('\n');
  }
};

Result<std::string> text_of(const std::filesystem::path& file) {
  errno = 0;
  std::ifstream stream{file};
  std::ostringstream text;
  if (stream) text << stream.rdbuf();
  if (stream && !stream.bad()) return text.str();
  const Error cause = system_error(fmt::format("the configuration file {} cannot be read", file.string()), errno);
  return Error{errno == ENOENT ? Code::name_not_found : cause.code, cause.message};
}

/// The user whose section the item stands in; empty for none.
Result<std::string> user_of(const CLI::ConfigItem& item, const std::filesystem::path& file) {
  if (item.parents.empty()) return std::string{};
  const std::string section = fmt::format("{}", fmt::join(item.parents, "."));
  if (!section.starts_with(kUserSection) || section.size() == kUserSection.size())
    return Error{Code::invalid_argument,
                 fmt::format("[{}] in {} is no section; known sections: [user.NAME]", section, file.string())};
  return section.substr(kUserSection.size());
}

}  // namespace

Result<WrittenSettings> read_settings_file(const std::filesystem::path& file) {
  PSNAM_TRY(const std::string text, text_of(file));
  std::istringstream stream{text};
  std::vector<CLI::ConfigItem> items;
  try {
    items = Reader{}.from_config(stream);
  } catch (const CLI::Error& error) {
    return Error{Code::invalid_argument, fmt::format("{}: {}", file.string(), error.what())};
  }
  WrittenSettings all;
  for (const auto& item : items) {
    PSNAM_TRY(std::string user, user_of(item, file));
    if (item.name == "++" || item.name == "--") continue;  // where a section begins and ends
    const std::string section = user.empty() ? "" : fmt::format(" of [{}{}]", kUserSection, user);
    all.push_back(
        {item.name, item.inputs, std::move(user), fmt::format("{}{} in {}", item.name, section, file.string())});
  }
  return all;
}

}  // namespace psnam::daemon
