// The environment variables: one table that drives parsing, `namctl env`, and a test against docs/environment.md.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/choice.hpp"
#include "base/log.hpp"
#include "base/result.hpp"

namespace psnam {

/// How regions may be reached.
enum class Path { automatic, mapped, fabric };
inline constexpr std::array<Choice<Path>, 3> kPaths{{
    {"auto", "mapped memory where possible", Path::automatic},
    {"mapped", "mapped memory only", Path::mapped},
    {"fabric", "the fabric only", Path::fabric},
}};

/// Which messages the histogram counts.
enum class ConType { all, libnam, pershm, segment, fabric, mapped, mpi };
inline constexpr std::array<Choice<ConType>, 7> kConTypes{{
    {"all", "every message", ConType::all},
    {"libnam", "to and from libnam regions", ConType::libnam},
    {"pershm", "to and from pershm regions", ConType::pershm},
    {"segment", "to and from segments", ConType::segment},
    {"fabric", "moved by the fabric", ConType::fabric},
    {"mapped", "moved by a copy in mapped memory", ConType::mapped},
    {"mpi", "moved by the MPI library", ConType::mpi},
}};

/// Whether what MPI leaves undefined between epochs is an error.
enum class EpochChecks : std::uint8_t { strict, relaxed };
inline constexpr std::array<Choice<EpochChecks>, 2> kEpochChecks{{
    {"strict", "what an epoch does not allow is an error", EpochChecks::strict},
    {"relaxed", "it is carried out where it can be", EpochChecks::relaxed},
}};

/// When an operation on remote memory is complete.
enum class Completion : std::uint8_t { deferred, immediate };
inline constexpr std::array<Choice<Completion>, 2> kCompletions{{
    {"deferred", "at the end of the epoch or a flush, as MPI has it", Completion::deferred},
    {"immediate", "when the call returns, as on mapped memory", Completion::immediate},
}};

inline constexpr std::array<Choice<log::Level>, 5> kLogLevels{{
    {"error", "what failed", log::Level::error},
    {"warn", "and what looks wrong", log::Level::warn},
    {"info", "and each error that a program gets", log::Level::info},
    {"debug", "and each step of the control path", log::Level::debug},
    {"trace", "and everything", log::Level::trace},
}};

struct HistogramOptions {
  bool enabled = false;
  std::uint64_t min_bytes = 64;
  std::uint64_t max_bytes = std::uint64_t{64} << 20;
  unsigned shift = 1;
  ConType contype = ConType::all;
};

struct Options {
  std::string manager;
  std::string store;
  std::chrono::milliseconds timeout{10'000};
  std::string secret_file;
  std::uint64_t fabric_chunk_bytes = std::uint64_t{1} << 20;
  std::string defaults;
  HistogramOptions histogram;
  Path path = Path::automatic;
  EpochChecks epoch_checks = EpochChecks::strict;
  Completion completion = Completion::deferred;
  log::Level log_level = log::Level::warn;
  std::string module_id;
  bool progress = false;
};

/// One environment variable.
struct OptionRow {
  std::string_view name;
  std::string_view default_text;
  std::string_view syntax;
  std::string_view help;
  Status (*apply)(Options& options, std::string_view name, std::string_view value);
};

/// All environment variables, in the order of the documentation. A later row of the same meaning wins.
[[nodiscard]] std::span<const OptionRow> option_table() noexcept;

/// A number of bytes: decimal, with an optional suffix K, M, G or T (powers of 1024). Code::invalid_argument names
/// `subject` and the text.
[[nodiscard]] Result<std::uint64_t> parse_bytes(std::string_view subject, std::string_view text);

using Getter = std::function<std::optional<std::string>(std::string_view name)>;

/// The options as `get` tells the variables; an empty variable counts as absent. Code::invalid_argument names variable,
/// value and known values.
[[nodiscard]] Result<Options> parse_options(const Getter& get);

/// The process's environment, as a Getter.
[[nodiscard]] std::optional<std::string> environment_variable(std::string_view name);

}  // namespace psnam
