#include "daemon/settings.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/choice.hpp"
#include "base/options.hpp"
#include "daemon/setting_values.hpp"
#include "nam/store.hpp"

namespace psnam::daemon {
namespace {

using nam::control::PlainRule;

constexpr std::array kTable{
    SettingRow{"store", "DIR", "/dev/shm/psnam-UID", "folder of the store", Reload::at_start, false,
               set_path<&Settings::store>, nullptr},
    SettingRow{"capacity", "BYTES[K|M|G|T]", "as before, else 80 % of the file system", "how much the store may hold",
               Reload::at_start, false, set_bytes<&Settings::capacity_bytes>, nullptr},
    SettingRow{"listen", "PATH | HOST[:PORT]", "namd.sock in the store's folder",
               "where clients connect: a Unix socket or a TCP address; may be given several times", Reload::at_start,
               true, add_listen, nullptr},
    SettingRow{"name", "NAME", "name of the host", "what this NAM is called", Reload::at_start, false,
               set_text<&Settings::name>, nullptr},
    SettingRow{"join", "PATH | HOST[:PORT]", "none: this is the manager", "manager to join as a memory node",
               Reload::at_start, false, set_join, nullptr},
    SettingRow{"provider", "NAME", "the first of cxi, efa, verbs, tcp, net that works", "libfabric provider",
               Reload::at_start, false, set_text<&Settings::provider>, nullptr},
    SettingRow{"quota", "BYTES[K|M|G|T] | none", "none", "how much memory a user may hold", Reload::on_hangup, false,
               set_limit<&Settings::quota_bytes>, set_user_limit<&UserLimit::quota_bytes>},
    SettingRow{"quota-objects", "NUMBER | none", "none", "how many windows and allocations a user may hold",
               Reload::on_hangup, false, set_count_limit<&Settings::quota_objects>, nullptr},
    SettingRow{"max-objects", "NUMBER | none", "none", "how many windows and allocations the store may hold",
               Reload::on_hangup, false, set_count_limit<&Settings::max_objects>, nullptr},
    SettingRow{"catalog", "BYTES[K|M|G]", "8G, which is the most", "how much the store's records may take",
               Reload::on_hangup, false,
               set_bytes_within<&Settings::catalog_bytes, kLeastCatalogBytes, kMostCatalogBytes>, nullptr},
    SettingRow{"auth", "munge | secret | plain-loopback | plain", "munge, plain-loopback, and secret with secret-file",
               "how TCP clients may show who they are; may be given several times", Reload::at_start, true, add_auth,
               nullptr},
    SettingRow{"secret-file", "FILE", "none", "the secret that TCP clients share with this daemon", Reload::at_start,
               false, set_secret_file, nullptr},
    SettingRow{"munge-socket", "PATH", "that of libmunge", "socket of the MUNGE daemon", Reload::at_start, false,
               set_munge_socket, nullptr},
    SettingRow{"huge-pages", "yes | no", "no", "ask for huge pages", Reload::at_start, false,
               set_switch<&Settings::huge_pages>, nullptr},
    SettingRow{"numa-nodes", "LIST", "wherever the system puts it", "NUMA nodes to take memory from, as 0,2-3",
               Reload::at_start, false, set_numa_nodes, nullptr},
    SettingRow{"durable", "yes | no", "no",
               "refuse a store in memory, and make files so that they survive a crash of the host", Reload::at_start,
               false, set_switch<&Settings::durable>, nullptr},
    SettingRow{"log", "error | warn | info | debug | trace", "info", "which lines are written to standard error",
               Reload::on_hangup, false, set_log_level, nullptr},
    SettingRow{"metrics", "HOST[:PORT]", "none", "where Prometheus reads metrics, port 7761 if not given",
               Reload::at_start, false, set_metrics, nullptr},
    SettingRow{"metrics-public", "yes | no", "no", "let metrics be read from other hosts", Reload::at_start, false,
               set_switch<&Settings::metrics_public>, nullptr},
    SettingRow{"timeout", "SECONDS", "10", "how long a host may be silent before its clients count as dead",
               Reload::at_start, false, set_timeout, nullptr},
    SettingRow{"max-sessions", "NUMBER", "10000", "clients at the same time", Reload::at_start, false,
               set_number<&Settings::max_sessions, 1, 1'000'000>, nullptr},
    SettingRow{"workers", "NUMBER", "4", "threads that serve requests", Reload::at_start, false,
               set_number<&Settings::workers, 1, 256>, nullptr},
};

/// The values of `written`, a setting of `row`, applied by `apply`.
template <class Apply>
Status apply_values(const SettingRow& row, const Written& written, Apply&& apply) {
  if (!row.repeatable && written.values.size() != 1)
    return Error{Code::invalid_argument, fmt::format("{} is given {} times (\"{}\"): once is right", written.origin,
                                                     written.values.size(), fmt::join(written.values, "\", \""))};
  for (const auto& value : written.values) PSNAM_CHECK(apply(value));
  return {};
}

Status apply_to_user(Settings& settings, const SettingRow& row, const Written& written) {
  if (row.apply_to_user == nullptr)
    return Error{Code::invalid_argument, fmt::format("{}: this is no setting of a user; quota is", written.origin)};
  PSNAM_TRY(const std::uint32_t uid, user_number(written.origin, written.user));
  UserLimit& user = settings.users[uid];
  return apply_values(row, written,
                      [&](const std::string& value) { return row.apply_to_user(user, written.origin, value); });
}

Status apply(Settings& settings, const Written& written) {
  const SettingRow* const row = find_setting(written.name);
  if (row == nullptr) {
    std::string known;
    for (const auto& one : kTable) known += fmt::format("{}{}", known.empty() ? "" : ", ", one.name);
    return Error{Code::invalid_argument,
                 fmt::format("{}: there is no such setting; known settings: {}", written.origin, known)};
  }
  if (!written.user.empty()) return apply_to_user(settings, *row, written);
  return apply_values(*row, written,
                      [&](const std::string& value) { return row->apply(settings, written.origin, value); });
}

/// Where the same setting is written twice, with other settings between.
Status check_once(const WrittenSettings& all) {
  for (auto one = all.begin(); one != all.end(); ++one)
    for (auto other = all.begin(); other != one; ++other) {
      const SettingRow* const row = find_setting(one->name);
      if (row != nullptr && !row->repeatable && one->name == other->name && one->user == other->user)
        return Error{Code::invalid_argument,
                     fmt::format("{} is given twice (\"{}\", \"{}\"): once is right", one->origin,
                                 fmt::join(other->values, "\", \""), fmt::join(one->values, "\", \""))};
    }
  return {};
}

bool has(const WrittenSettings& all, std::string_view name) {
  return std::any_of(all.begin(), all.end(), [&](const Written& one) { return one.name == name && one.user.empty(); });
}

std::vector<std::string> values_of(const WrittenSettings& all, std::string_view name) {
  std::vector<std::string> values;
  for (const auto& one : all)
    if (one.name == name && one.user.empty()) values.insert(values.end(), one.values.begin(), one.values.end());
  return values;
}

/// What the kinds of authentication in `auth` come to, if any were named.
Status settle_auth(Settings& settings, const WrittenSettings& command_line, const WrittenSettings& file) {
  const auto named = values_of(has(command_line, "auth") ? command_line : file, "auth");
  const auto is_named = [&](std::string_view kind) {
    return std::find(named.begin(), named.end(), kind) != named.end();
  };
  nam::control::AuthPolicy& auth = settings.auth;
  if (is_named("secret") && auth.secret_file.empty())
    return Error{Code::invalid_argument, "auth = \"secret\" needs a secret: name its file by secret-file"};
  if (named.empty()) return {};
  if (!is_named("secret") && !auth.secret_file.empty())
    return Error{Code::invalid_argument,
                 fmt::format("secret-file = \"{}\" is of no use: auth does not name secret (it names {})",
                             auth.secret_file, fmt::join(named, ", "))};
  auth.munge = is_named("munge");
  auth.plain = is_named("plain")            ? PlainRule::anywhere
               : is_named("plain-loopback") ? PlainRule::loopback
                                            : PlainRule::never;
  return {};
}

Status check_metrics(const Settings& settings) {
  if (!settings.metrics || settings.metrics_public) return {};
  PSNAM_TRY(const auto addresses, settings.metrics->resolve());
  for (const auto& address : addresses)
    if (!address.loopback())
      return Error{Code::invalid_argument,
                   fmt::format("metrics = \"{}\" can be reached from other hosts, and tells who uses how much to "
                               "everybody: name a loopback address, or set metrics-public = yes",
                               settings.metrics->text())};
  return {};
}

}  // namespace

std::span<const SettingRow> setting_table() noexcept { return kTable; }

const SettingRow* find_setting(std::string_view name) noexcept {
  const auto* const row =
      std::find_if(kTable.begin(), kTable.end(), [&](const SettingRow& one) { return one.name == name; });
  return row == kTable.end() ? nullptr : row;
}

Result<Settings> make_settings(const WrittenSettings& command_line, const WrittenSettings& file) {
  PSNAM_CHECK(check_once(command_line));
  PSNAM_CHECK(check_once(file));
  Settings settings;
  for (const auto& written : file) {
    // A value that the command line overrides must be right all the same, but counts for nothing.
    Settings unused;
    const bool overridden = written.user.empty() && has(command_line, written.name);
    PSNAM_CHECK(apply(overridden ? unused : settings, written));
  }
  for (const auto& written : command_line) PSNAM_CHECK(apply(settings, written));
  PSNAM_CHECK(settle_auth(settings, command_line, file));
  PSNAM_CHECK(check_metrics(settings));
  settings.store = nam::store_folder(settings.store.string());
  if (settings.listen.empty()) {
    PSNAM_TRY(auto address, nam::control::Address::parse((settings.store / "namd.sock").string()));
    settings.listen.push_back(std::move(address));
  }
  return settings;
}

std::vector<std::string> waiting_for_restart(const WrittenSettings& before, const WrittenSettings& after) {
  std::vector<std::string> names;
  for (const auto& row : kTable)
    if (row.reload == Reload::at_start && values_of(before, row.name) != values_of(after, row.name))
      names.emplace_back(row.name);
  return names;
}

Result<std::uint32_t> user_number(std::string_view subject, const std::string& name) {
  std::uint32_t uid = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), uid);
  if (error == std::errc{} && end == name.data() + name.size()) return uid;
  constexpr std::size_t kBufferBytes = 65536;
  std::vector<char> buffer(kBufferBytes);
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return Error{Code::name_not_found, fmt::format("{}: this system knows no user \"{}\"", subject, name)};
  return found->pw_uid;
}

}  // namespace psnam::daemon
