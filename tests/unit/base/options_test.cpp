#include "base/options.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

namespace psnam {
namespace {

Result<Options> parsed(const std::map<std::string, std::string, std::less<>>& variables) {
  return parse_options([&](std::string_view name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(Options, WithoutVariablesAreTheDefaults) {
  const auto options = parsed({});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->manager, "");
  EXPECT_EQ(options->path, Path::automatic);
  EXPECT_EQ(options->log_level, log::Level::warn);
  EXPECT_FALSE(options->histogram.enabled);
}

TEST(Options, TheDefaultsThatAreShownAreThoseInForce) {
  std::map<std::string, std::string, std::less<>> variables;
  for (const auto& row : option_table())
    if (row.name != "PSNAM_STORE") variables.emplace(row.name, row.default_text);
  const auto shown = parsed(variables);
  const auto real = parsed({});
  ASSERT_TRUE(shown) << shown.error().message;
  EXPECT_EQ(shown->path, real->path);
  EXPECT_EQ(shown->log_level, real->log_level);
  EXPECT_EQ(shown->histogram.enabled, real->histogram.enabled);
  EXPECT_EQ(shown->histogram.min_bytes, real->histogram.min_bytes);
  EXPECT_EQ(shown->histogram.max_bytes, real->histogram.max_bytes);
  EXPECT_EQ(shown->histogram.shift, real->histogram.shift);
  EXPECT_EQ(shown->histogram.contype, real->histogram.contype);
}

TEST(Options, EachVariableReachesItsOption) {
  const auto options = parsed({{"PSNAM_MANAGER", "node:7"},
                               {"PSNAM_STORE", "/s"},
                               {"PSNAM_DEFAULTS", "a=b"},
                               {"PSNAM_HISTOGRAM", "1"},
                               {"PSNAM_HISTOGRAM_MIN", "1K"},
                               {"PSNAM_HISTOGRAM_MAX", "2G"},
                               {"PSNAM_HISTOGRAM_SHIFT", "3"},
                               {"PSNAM_HISTOGRAM_CONTYPE", "mapped"},
                               {"PSNAM_PATH", "mapped"},
                               {"PSNAM_LOG", "trace"},
                               {"PSNAM_MODULE_ID", "4"}});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->manager, "node:7");
  EXPECT_EQ(options->store, "/s");
  EXPECT_EQ(options->defaults, "a=b");
  EXPECT_TRUE(options->histogram.enabled);
  EXPECT_EQ(options->histogram.min_bytes, 1024U);
  EXPECT_EQ(options->histogram.max_bytes, std::uint64_t{2} << 30);
  EXPECT_EQ(options->histogram.shift, 3U);
  EXPECT_EQ(options->histogram.contype, ConType::mapped);
  EXPECT_EQ(options->path, Path::mapped);
  EXPECT_EQ(options->log_level, log::Level::trace);
  EXPECT_EQ(options->module_id, "4");
}

TEST(Options, OwnModuleIdWinsOverTheOtherName) {
  const auto other = parsed({{"PSP_MSA_MODULE_ID", "1"}});
  const auto both = parsed({{"PSP_MSA_MODULE_ID", "1"}, {"PSNAM_MODULE_ID", "2"}});
  ASSERT_TRUE(other && both);
  EXPECT_EQ(other->module_id, "1");
  EXPECT_EQ(both->module_id, "2");
}

TEST(Options, ABadValueIsNamedWithItsVariableAndTheKnownOnes) {
  const std::pair<const char*, const char*> bad[] = {{"PSNAM_PATH", "fast"},         {"PSNAM_LOG", "loud"},
                                                     {"PSNAM_HISTOGRAM", "maybe"},   {"PSNAM_HISTOGRAM_MIN", "0"},
                                                     {"PSNAM_HISTOGRAM_MIN", "12Q"}, {"PSNAM_HISTOGRAM_SHIFT", "0"},
                                                     {"PSNAM_HISTOGRAM_SHIFT", "x"}, {"PSNAM_HISTOGRAM_CONTYPE", "x"}};
  for (const auto& [name, value] : bad) {
    const auto options = parsed({{name, value}});
    ASSERT_FALSE(options) << name;
    EXPECT_EQ(options.error().code, Code::invalid_argument);
    EXPECT_NE(options.error().message.find(std::string{name} + " = \"" + value + "\""), std::string::npos)
        << options.error().message;
  }
  EXPECT_NE(parsed({{"PSNAM_LOG", "loud"}}).error().message.find("error, warn, info, debug, trace"), std::string::npos);
  EXPECT_FALSE(parsed({{"PSNAM_HISTOGRAM_MIN", "2K"}, {"PSNAM_HISTOGRAM_MAX", "1K"}}));
}

TEST(Options, AnEmptyVariableCountsAsAbsent) {
  const auto options = parsed({{"PSNAM_PATH", ""}, {"PSNAM_HISTOGRAM_MIN", ""}});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->histogram.min_bytes, 64U);
}

TEST(Options, BytesHaveSuffixesOfPowersOf1024) {
  const std::pair<const char*, std::uint64_t> good[] = {{"0", 0},
                                                        {"7", 7},
                                                        {"1K", 1024},
                                                        {"3M", 3 << 20},
                                                        {"2T", std::uint64_t{2} << 40},
                                                        {"18446744073709551615", ~std::uint64_t{0}}};
  for (const auto& [text, bytes] : good) {
    const auto parsed_bytes = parse_bytes("X", text);
    ASSERT_TRUE(parsed_bytes) << text;
    EXPECT_EQ(*parsed_bytes, bytes);
  }
  for (const char* text :
       {"", "K", "-1", "1k", "1KB", " 1", "1 ", "18446744073709551616", "18446744073709551615K", "0x10"})
    EXPECT_FALSE(parse_bytes("X", text)) << text;
}

TEST(Options, EachVariableIsDocumented) {
  std::ifstream file{PSNAM_ENVIRONMENT_DOC};
  ASSERT_TRUE(file);
  const std::string text{std::istreambuf_iterator<char>{file}, {}};
  for (const auto& row : option_table())
    EXPECT_NE(text.find("| `" + std::string{row.name} + "` |"), std::string::npos) << row.name;
}

}  // namespace
}  // namespace psnam
