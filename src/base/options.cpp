#include "base/options.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

namespace psnam {
namespace {

template <std::string Options::*Member>
Status set_text(Options& options, std::string_view, std::string_view value) {
  options.*Member = value;
  return {};
}

template <auto Member, const auto& Table>
Status set_choice(Options& options, std::string_view name, std::string_view value) {
  PSNAM_TRY(options.*Member, choose(name, value, Table, Code::invalid_argument));
  return {};
}

Status set_timeout(Options& options, std::string_view name, std::string_view value) {
  constexpr double kLeast = 0.1;
  constexpr double kMost = 86400;
  double seconds = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
  if (error != std::errc{} || end != value.data() + value.size() || !(seconds >= kLeast && seconds <= kMost))
    return Error{Code::invalid_argument,
                 fmt::format("{} = \"{}\" is not a number of seconds from {} to {}", name, value, kLeast, kMost)};
  options.timeout = std::chrono::milliseconds{static_cast<std::int64_t>(seconds * 1000)};
  return {};
}

Status set_chunk(Options& options, std::string_view name, std::string_view value) {
  constexpr std::uint64_t kLeast = 4096;
  PSNAM_TRY(options.fabric_chunk_bytes, parse_bytes(name, value));
  if (options.fabric_chunk_bytes < kLeast)
    return Error{Code::invalid_argument, fmt::format("{} = \"{}\": must be at least {} bytes", name, value, kLeast)};
  return {};
}

constexpr std::array<Choice<bool>, 4> kSwitch{
    {{"1", "on", true}, {"0", "off", false}, {"on", "on", true}, {"off", "off", false}}};

Status set_histogram(Options& options, std::string_view name, std::string_view value) {
  PSNAM_TRY(options.histogram.enabled, choose(name, value, kSwitch, Code::invalid_argument));
  return {};
}

Status set_progress(Options& options, std::string_view name, std::string_view value) {
  PSNAM_TRY(options.progress, choose(name, value, kSwitch, Code::invalid_argument));
  return {};
}

template <std::uint64_t HistogramOptions::*Member>
Status set_histogram_bytes(Options& options, std::string_view name, std::string_view value) {
  PSNAM_TRY(options.histogram.*Member, parse_bytes(name, value));
  if (options.histogram.*Member == 0)
    return Error{Code::invalid_argument, fmt::format("{} = \"{}\": must be at least 1 byte", name, value)};
  return {};
}

Status set_histogram_shift(Options& options, std::string_view name, std::string_view value) {
  constexpr unsigned kLargest = 32;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), options.histogram.shift);
  if (error != std::errc{} || end != value.data() + value.size() || options.histogram.shift < 1 ||
      options.histogram.shift > kLargest)
    return Error{Code::invalid_argument,
                 fmt::format("{} = \"{}\" is not a number of bits from 1 to {}", name, value, kLargest)};
  return {};
}

Status set_contype(Options& options, std::string_view name, std::string_view value) {
  PSNAM_TRY(options.histogram.contype, choose(name, value, kConTypes, Code::invalid_argument));
  return {};
}

constexpr std::array kTable{
    OptionRow{"PSNAM_MANAGER", "", "HOST[:PORT] | PATH",
              "manager of the NAM; absent: the embedded store of this node and user", set_text<&Options::manager>},
    OptionRow{"PSNAM_STORE", "/dev/shm/psnam-UID", "FOLDER", "folder of the embedded store", set_text<&Options::store>},
    OptionRow{"PSNAM_TIMEOUT", "10", "SECONDS", "how long the manager, and the fabric, may take to answer",
              set_timeout},
    OptionRow{"PSNAM_SECRET", "", "FILE", "the secret shared with the manager, where MUNGE is not used",
              set_text<&Options::secret_file>},
    OptionRow{"PSNAM_FABRIC_CHUNK", "1M", "BYTES[K|M|G|T]", "larger transfers over the fabric are cut to this",
              set_chunk},
    OptionRow{"PSNAM_DEFAULTS", "", "KEY=VALUE[,KEY=VALUE...]",
              "info keys for every MPI_Win_allocate that sets no psnam_manifestation", set_text<&Options::defaults>},
    OptionRow{"PSNAM_HISTOGRAM", "0", "0 | 1", "print a histogram of message sizes at MPI_Finalize", set_histogram},
    OptionRow{"PSNAM_HISTOGRAM_MIN", "64", "BYTES[K|M|G|T]", "upper limit of the histogram's first bin",
              set_histogram_bytes<&HistogramOptions::min_bytes>},
    OptionRow{"PSNAM_HISTOGRAM_MAX", "64M", "BYTES[K|M|G|T]", "upper limit of the histogram's last bin but one",
              set_histogram_bytes<&HistogramOptions::max_bytes>},
    OptionRow{"PSNAM_HISTOGRAM_SHIFT", "1", "BITS", "each bin reaches to 2^BITS times the limit of the one before",
              set_histogram_shift},
    OptionRow{"PSNAM_HISTOGRAM_CONTYPE", "all", "all | libnam | pershm | segment | fabric | mapped | mpi",
              "which messages the histogram counts", set_contype},
    OptionRow{"PSNAM_PROGRESS", "0", "0 | 1", "tell how far checkpoints are that go to files", set_progress},
    OptionRow{"PSNAM_PATH", "auto", "auto | mapped | fabric", "how regions are reached",
              set_choice<&Options::path, kPaths>},
    OptionRow{"PSNAM_EPOCH_CHECKS", "strict", "strict | relaxed",
              "whether an operation outside an epoch is an error or carried out",
              set_choice<&Options::epoch_checks, kEpochChecks>},
    OptionRow{"PSNAM_COMPLETION", "deferred", "deferred | immediate",
              "when puts and gets of remote memory are complete: as MPI has it, or when they return",
              set_choice<&Options::completion, kCompletions>},
    OptionRow{"PSNAM_LOG", "warn", "error | warn | info | debug | trace", "which lines are written to standard error",
              set_choice<&Options::log_level, kLogLevels>},
    OptionRow{"PSP_MSA_MODULE_ID", "", "NUMBER", "another name of PSNAM_MODULE_ID, which wins",
              set_text<&Options::module_id>},
    OptionRow{"PSNAM_MODULE_ID", "", "NUMBER",
              "module of a modular system that this process runs in; msa_module_id in MPI_INFO_ENV",
              set_text<&Options::module_id>},
};

}  // namespace

std::span<const OptionRow> option_table() noexcept { return kTable; }

Result<std::uint64_t> parse_bytes(std::string_view subject, std::string_view text) {
  constexpr std::string_view kSuffixes = "KMGT";
  constexpr unsigned kBitsPerSuffix = 10;
  std::uint64_t number = 0;
  const char* const text_end = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), text_end, number);
  unsigned shift = 0;
  bool good = error == std::errc{};
  if (good && end != text_end) {
    const auto suffix = kSuffixes.find(*end);
    good = end + 1 == text_end && suffix != std::string_view::npos;
    shift = static_cast<unsigned>(suffix + 1) * kBitsPerSuffix;
  }
  if (!good || (number << shift) >> shift != number)
    return Error{
        Code::invalid_argument,
        fmt::format("{} = \"{}\" is not a number of bytes (digits, then K, M, G, T or nothing)", subject, text)};
  return number << shift;
}

Result<Options> parse_options(const Getter& get) {
  Options options;
  for (const OptionRow& row : kTable) {
    const auto value = get(row.name);
    if (value && !value->empty()) PSNAM_CHECK(row.apply(options, row.name, *value));
  }
  if (options.histogram.max_bytes < options.histogram.min_bytes)
    return Error{Code::invalid_argument, fmt::format("PSNAM_HISTOGRAM_MAX = {} is less than PSNAM_HISTOGRAM_MIN = {}",
                                                     options.histogram.max_bytes, options.histogram.min_bytes)};
  return options;
}

std::optional<std::string> environment_variable(std::string_view name) {
  const char* const value = std::getenv(std::string{name}.c_str());
  if (value == nullptr) return std::nullopt;
  return std::string{value};
}

}  // namespace psnam
