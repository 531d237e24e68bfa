// The settings of namd: one table that drives the command line, the configuration file, --help, and a test against the
// manual pages.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.hpp"
#include "base/result.hpp"
#include "nam/catalog.hpp"
#include "nam/control/address.hpp"
#include "nam/control/auth.hpp"

namespace psnam::daemon {

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

inline constexpr std::uint64_t kLeastCatalogBytes = nam::Catalog::kLeastLimitBytes;
inline constexpr std::uint64_t kMostCatalogBytes = nam::Catalog::kLimitBytes;

/// How much one user may hold. Absent: as for everybody.
struct UserLimit {
  std::optional<std::uint64_t> quota_bytes;
  bool operator==(const UserLimit&) const = default;
};

struct Settings {
  std::filesystem::path store;       ///< never empty
  std::uint64_t capacity_bytes = 0;  ///< 0: that of the store, or the usual share of the file system
  std::vector<nam::control::Address> listen;
  std::string name;                           ///< of the NAM; empty: the host's
  std::optional<nam::control::Address> join;  ///< the manager
  std::string provider;                       ///< empty: chosen
  std::uint64_t quota_bytes = kNoLimit;
  std::uint64_t quota_objects = kNoLimit;
  std::uint64_t max_objects = kNoLimit;
  std::uint64_t catalog_bytes = kMostCatalogBytes;
  std::map<std::uint32_t, UserLimit> users;
  nam::control::AuthPolicy auth;
  bool huge_pages = false;
  std::vector<unsigned> numa_nodes;
  bool durable = false;
  log::Level log_level = log::Level::info;
  std::optional<nam::control::Address> metrics;
  bool metrics_public = false;
  std::chrono::milliseconds timeout{10'000};
  std::size_t max_sessions = 10'000;
  unsigned workers = 4;
};

/// When a changed value is taken over.
enum class Reload { at_start, on_hangup };

/// One setting: `--name VALUE` and `name = VALUE`.
struct SettingRow {
  std::string_view name;
  std::string_view syntax;
  std::string_view default_text;
  std::string_view help;
  Reload reload;
  bool repeatable;
  Status (*apply)(Settings& settings, std::string_view subject, std::string_view value);
  /// In a section [user.NAME]; null where it does not belong.
  Status (*apply_to_user)(UserLimit& user, std::string_view subject, std::string_view value);
};

/// All settings, in the order of the documentation.
[[nodiscard]] std::span<const SettingRow> setting_table() noexcept;
/// Null if there is none.
[[nodiscard]] const SettingRow* find_setting(std::string_view name) noexcept;

/// A setting as it was written.
struct Written {
  std::string name;
  std::vector<std::string> values;
  std::string user{};    ///< whose section it stands in; empty: none
  std::string origin{};  ///< what messages call it: "--quota", "quota in FILE"
  bool operator==(const Written&) const = default;
};
using WrittenSettings = std::vector<Written>;

/// Settings of the command line win against those of the file. Code::invalid_argument names setting, value and what
/// would be right.
[[nodiscard]] Result<Settings> make_settings(const WrittenSettings& command_line, const WrittenSettings& file);

/// Names of the settings that `before` and `after`, two readings of the file, differ in and that count at start only.
[[nodiscard]] std::vector<std::string> waiting_for_restart(const WrittenSettings& before, const WrittenSettings& after);

/// The user called `name`, or with this number. Code::name_not_found.
[[nodiscard]] Result<std::uint32_t> user_number(std::string_view subject, const std::string& name);

}  // namespace psnam::daemon
