// What every command of namctl is given and gives back.
//
// A command returns the text for standard output, and findings that make the exit status 1. An Error means that it
// could not be done at all.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/options.hpp"
#include "base/result.hpp"
#include "nam/store.hpp"

namespace psnam::cli {

struct Invocation {
  std::string store_argument;  ///< of --store; empty: the environment decides
  bool json = false;
  Getter environment = environment_variable;

  /// The variable's value; an empty one counts as absent.
  [[nodiscard]] std::optional<std::string> variable(std::string_view name) const;
  /// Where the store is, whether it is there or not.
  [[nodiscard]] std::filesystem::path folder() const;
};

struct Outcome {
  std::string output{};                 ///< for standard output
  std::vector<std::string> failures{};  ///< for standard error; not empty: exit status 1
  bool failed = false;                  ///< exit status 1 although the output says it all
};

/// The store, or null where none was made yet: a tool that looks does not make one.
[[nodiscard]] Result<std::unique_ptr<nam::Store>> open_existing(const Invocation& invocation);

[[nodiscard]] Result<Outcome> list_windows(const Invocation& invocation);
[[nodiscard]] Result<Outcome> show_window(const Invocation& invocation, const std::string& name);
[[nodiscard]] Result<Outcome> remove_windows(const Invocation& invocation, const std::vector<std::string>& names);
[[nodiscard]] Result<Outcome> collect_garbage(const Invocation& invocation);
[[nodiscard]] Result<Outcome> show_environment(const Invocation& invocation);
[[nodiscard]] Result<Outcome> examine(const Invocation& invocation);

}  // namespace psnam::cli
