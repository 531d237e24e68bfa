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
#include "nam/service.hpp"

namespace psnam::cli {

struct Invocation {
  std::string store_argument;      ///< of --store; empty: the environment decides
  std::string manager_argument{};  ///< of --manager; likewise
  std::string nam_argument{};      ///< of --nam: an index, or "any"; empty: the manager
  bool json = false;
  Getter environment = environment_variable;

  /// The variable's value; an empty one counts as absent.
  [[nodiscard]] std::optional<std::string> variable(std::string_view name) const;
  /// Where the embedded store is, whether it is there or not.
  [[nodiscard]] std::filesystem::path folder() const;
  /// The manager that is meant; nothing where it is the embedded store: one that is named on the command line is meant,
  /// whatever manager the environment names.
  [[nodiscard]] std::optional<std::string> manager() const;
  /// How people are told what was looked into: the manager, or the folder.
  [[nodiscard]] std::string place() const;
  /// What the environment and the command line say together.
  [[nodiscard]] Result<Options> options() const;
};

struct Outcome {
  std::string output{};                 ///< for standard output
  std::vector<std::string> failures{};  ///< for standard error; not empty: exit status 1
  bool failed = false;                  ///< exit status 1 although the output says it all
};

/// What namctl alloc is given, as it was written.
struct AllocationWish {
  std::string size;
  std::string name{};
  std::string mode{};    ///< empty: 0600
  std::string expiry{};  ///< empty: never
  bool lazy = false;
  bool for_eval = false;  ///< the output is a line for the shell
};

struct FreeOptions {
  bool recursive = false;
  bool if_exists = false;  ///< what is not there is no failure
};

/// What the commands of namctl checkpoint are given.
struct CheckpointWish {
  std::string name{};
  std::vector<std::string> copies{};          ///< folders of further stores, to look for copies in
  std::optional<std::uint64_t> version = {};  ///< absent: all, or the newest
  std::string folder{};                       ///< to export to
  bool force = false;                         ///< remove what is in use
};

/// What namctl top is told.
struct TopOptions {
  double interval_seconds = 2;
  std::uint64_t count = 0;  ///< pages to print; 0: until it is interrupted
};

/// The service, or null where no store was made yet: a tool that looks does not make one.
[[nodiscard]] Result<std::unique_ptr<nam::Service>> open_existing(const Invocation& invocation);
[[nodiscard]] Result<std::unique_ptr<nam::Service>> open_or_make(const Invocation& invocation);

[[nodiscard]] Result<Outcome> list_contents(const Invocation& invocation);
/// The window called `name`, else what has this id, else the allocation called so.
[[nodiscard]] Result<Outcome> show_object(const Invocation& invocation, const std::string& name);
[[nodiscard]] Result<Outcome> allocate(const Invocation& invocation, const AllocationWish& wish);
/// `names` may be ids.
[[nodiscard]] Result<Outcome> free_allocations(const Invocation& invocation, const std::vector<std::string>& names,
                                               const FreeOptions& options);
[[nodiscard]] Result<Outcome> remove_windows(const Invocation& invocation, const std::vector<std::string>& names);
[[nodiscard]] Result<Outcome> collect_garbage(const Invocation& invocation);
/// The capacity of the store; set to `size` ("10G") before if that is not empty, which also makes the store.
[[nodiscard]] Result<Outcome> show_capacity(const Invocation& invocation, const std::string& size);
/// The sessions of a manager: all for its own user and root, else one's own.
[[nodiscard]] Result<Outcome> list_sessions(const Invocation& invocation);
/// The memory nodes of a manager.
[[nodiscard]] Result<Outcome> list_nams(const Invocation& invocation);
/// Forgets memory nodes that will not come back; with `force` even if windows lie in them.
[[nodiscard]] Result<Outcome> remove_nam(const Invocation& invocation, std::uint32_t index, bool force);
/// Sessions, users and rates of a manager, again and again: pages go to standard output as they are made.
[[nodiscard]] Result<Outcome> watch(const Invocation& invocation, const TopOptions& options);
/// Series of managed checkpoints and sets of libNAM.
[[nodiscard]] Result<Outcome> list_checkpoints(const Invocation& invocation, const CheckpointWish& wish);
[[nodiscard]] Result<Outcome> show_checkpoints(const Invocation& invocation, const CheckpointWish& wish);
/// Whether all is as it was saved; Outcome::failed if not, or if a version cannot be restored from what is here.
[[nodiscard]] Result<Outcome> verify_checkpoints(const Invocation& invocation, const CheckpointWish& wish);
/// Code::busy for what a job uses, unless it is forced.
[[nodiscard]] Result<Outcome> remove_checkpoints(const Invocation& invocation, const CheckpointWish& wish);
/// Writes a version to files, from which a job can restart.
[[nodiscard]] Result<Outcome> export_checkpoints(const Invocation& invocation, const CheckpointWish& wish);
[[nodiscard]] Result<Outcome> show_environment(const Invocation& invocation);
[[nodiscard]] Result<Outcome> examine(const Invocation& invocation);

}  // namespace psnam::cli
