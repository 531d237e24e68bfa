#include "base/options.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace psnam {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Result<Options> parse(const Variables& variables) {
  return parse_options([&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Options, WithoutVariablesAreTheDocumentedDefaults) {
  const auto options = parse({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->manager, "");
  EXPECT_EQ(options->store, "");
  EXPECT_EQ(options->timeout, std::chrono::seconds{10});
  EXPECT_EQ(options->secret_file, "");
  EXPECT_EQ(options->fabric_chunk_bytes, 1U << 20);
  EXPECT_EQ(options->defaults, "");
  EXPECT_EQ(options->module_id, "");
  EXPECT_FALSE(options->histogram.enabled);
  EXPECT_EQ(options->histogram.min_bytes, 64U);
  EXPECT_EQ(options->histogram.max_bytes, 64U << 20);
  EXPECT_EQ(options->histogram.shift, 1U);
  EXPECT_EQ(options->histogram.contype, ConType::all);
  EXPECT_EQ(options->path, Path::automatic);
  EXPECT_EQ(options->epoch_checks, EpochChecks::strict);
  EXPECT_EQ(options->log_level, log::Level::warn);
}

TEST(Options, EveryVariableIsTaken) {
  const auto options = parse({{"PSNAM_MANAGER", "host:1"},
                              {"PSNAM_STORE", "/x"},
                              {"PSNAM_TIMEOUT", "2.5"},
                              {"PSNAM_SECRET", "/s"},
                              {"PSNAM_FABRIC_CHUNK", "64K"},
                              {"PSNAM_DEFAULTS", "a=b"},
                              {"PSNAM_HISTOGRAM", "on"},
                              {"PSNAM_HISTOGRAM_MIN", "1K"},
                              {"PSNAM_HISTOGRAM_MAX", "2M"},
                              {"PSNAM_HISTOGRAM_SHIFT", "4"},
                              {"PSNAM_HISTOGRAM_CONTYPE", "mpi"},
                              {"PSNAM_PATH", "mapped"},
                              {"PSNAM_EPOCH_CHECKS", "relaxed"},
                              {"PSNAM_COMPLETION", "immediate"},
                              {"PSNAM_LOG", "trace"},
                              {"PSNAM_MODULE_ID", "7"}});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->manager, "host:1");
  EXPECT_EQ(options->store, "/x");
  EXPECT_EQ(options->completion, Completion::immediate);
  EXPECT_EQ(options->timeout, std::chrono::milliseconds{2500});
  EXPECT_EQ(options->secret_file, "/s");
  EXPECT_EQ(options->fabric_chunk_bytes, 64U << 10);
  EXPECT_EQ(options->defaults, "a=b");
  EXPECT_TRUE(options->histogram.enabled);
  EXPECT_EQ(options->histogram.min_bytes, 1024U);
  EXPECT_EQ(options->histogram.max_bytes, 2U << 20);
  EXPECT_EQ(options->histogram.shift, 4U);
  EXPECT_EQ(options->histogram.contype, ConType::mpi);
  EXPECT_EQ(options->path, Path::mapped);
  EXPECT_EQ(options->epoch_checks, EpochChecks::relaxed);
  EXPECT_EQ(options->log_level, log::Level::trace);
  EXPECT_EQ(options->module_id, "7");
}

TEST(Options, AnEmptyVariableCountsAsAbsent) {
  const auto options = parse({{"PSNAM_PATH", ""}, {"PSNAM_HISTOGRAM_SHIFT", ""}});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->path, Path::automatic);
  EXPECT_EQ(options->histogram.shift, 1U);
}

TEST(Options, OurModuleIdGoesBeforeThatOfParaStation) {
  EXPECT_EQ(parse({{"PSP_MSA_MODULE_ID", "1"}})->module_id, "1");
  EXPECT_EQ(parse({{"PSP_MSA_MODULE_ID", "1"}, {"PSNAM_MODULE_ID", "2"}})->module_id, "2");
}

TEST(Options, AWrongValueNamesVariableValueAndWhatIsKnown) {
  const std::vector<std::tuple<std::string, std::string, std::string>> wrong{
      {"PSNAM_HISTOGRAM", "yes", "off"},           {"PSNAM_HISTOGRAM_MIN", "0", "at least 1"},
      {"PSNAM_HISTOGRAM_MIN", "1k", "K, M, G, T"}, {"PSNAM_HISTOGRAM_MAX", "-1", "digits"},
      {"PSNAM_HISTOGRAM_SHIFT", "0", "1 to 32"},   {"PSNAM_HISTOGRAM_SHIFT", "33", "1 to 32"},
      {"PSNAM_HISTOGRAM_SHIFT", "1x", "bits"},     {"PSNAM_HISTOGRAM_CONTYPE", "x", "pershm"},
      {"PSNAM_TIMEOUT", "0", "0.1 to 86400"},      {"PSNAM_TIMEOUT", "10s", "seconds"},
      {"PSNAM_TIMEOUT", "nan", "seconds"},         {"PSNAM_FABRIC_CHUNK", "1", "at least 4096"},
      {"PSNAM_PATH", "direct", "fabric"},          {"PSNAM_LOG", "loud", "debug"}};
  for (const auto& [name, value, known] : wrong) {
    const auto options = parse({{name, value}});
    ASSERT_FALSE(options) << name << '=' << value;
    EXPECT_EQ(options.error().code, Code::invalid_argument);
    for (const std::string& word : {name, "\"" + value + "\"", known})
      EXPECT_NE(options.error().message.find(word), std::string::npos) << options.error().message << " lacks " << word;
  }
}

TEST(Options, AHistogramThatEndsBeforeItBeginsIsAnError) {
  const auto options = parse({{"PSNAM_HISTOGRAM_MIN", "1K"}, {"PSNAM_HISTOGRAM_MAX", "512"}});
  ASSERT_FALSE(options);
  EXPECT_NE(options.error().message.find("PSNAM_HISTOGRAM_MAX = 512"), std::string::npos);
}

TEST(Options, TheTableNamesEachVariableOnceWithHelp) {
  std::set<std::string_view> names;
  for (const OptionRow& row : option_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_FALSE(row.help.empty()) << row.name;
    EXPECT_FALSE(row.syntax.empty()) << row.name;
  }
}

TEST(ParseBytes, TakesDigitsAndOneSuffix) {
  EXPECT_EQ(*parse_bytes("x", "0"), 0U);
  EXPECT_EQ(*parse_bytes("x", "123"), 123U);
  EXPECT_EQ(*parse_bytes("x", "3K"), 3U << 10);
  EXPECT_EQ(*parse_bytes("x", "3M"), 3U << 20);
  EXPECT_EQ(*parse_bytes("x", "3G"), std::uint64_t{3} << 30);
  EXPECT_EQ(*parse_bytes("x", "3T"), std::uint64_t{3} << 40);
  EXPECT_EQ(*parse_bytes("x", "18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(*parse_bytes("x", "16777215T"), UINT64_MAX - ((std::uint64_t{1} << 40) - 1));
}

TEST(ParseBytes, RefusesEverythingElse) {
  for (const char* text : {"", "K", "1KB", "1 K", " 1", "1k", "-1", "+1", "0x10", "1.5M", "18446744073709551616",
                           "16777216T", "99999999999999999999K"}) {
    const auto bytes = parse_bytes("LIMIT", text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_NE(bytes.error().message.find("LIMIT = \"" + std::string{text} + "\""), std::string::npos)
        << bytes.error().message;
  }
}

}  // namespace
}  // namespace psnam
