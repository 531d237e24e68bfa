#include "win/info.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace psnam::win {
namespace {

using Pairs = std::vector<KeyValue>;

Pairs with(Pairs more) {
  more.insert(more.begin(), {std::string{kManifestationKey}, "psnam_manifestation_pershm"});
  return more;
}

void expect_words(const Error& error, std::initializer_list<std::string_view> words) {
  for (const std::string_view word : words)
    EXPECT_NE(error.message.find(word), std::string::npos) << error.message << " lacks " << word;
}

TEST(CreateInfo, HasTheDocumentedDefaults) {
  const auto info = parse_create_info(with({}));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->manifestation, format::Manifestation::persistent_shm);
  EXPECT_EQ(info->consistency, format::Consistency::volatile_);
  EXPECT_EQ(info->structure, format::Structure::managed_distributed);
  EXPECT_EQ(info->reserve, format::Reserve::full);
  EXPECT_EQ(info->mode, 0600U);
  EXPECT_EQ(info->baseptr, Baseptr::null);
  EXPECT_EQ(info->name, "");
}

TEST(CreateInfo, TakesEveryNameOfEveryTable) {
  const auto value_of = [](std::string_view key, std::string_view name) {
    return parse_create_info({{std::string{key}, std::string{name}}});
  };
  for (const auto& row : format::kManifestations)
    EXPECT_EQ(value_of(kManifestationKey, row.name)->manifestation, row.value);
  for (const auto& row : format::kConsistencies) EXPECT_EQ(value_of(kConsistencyKey, row.name)->consistency, row.value);
  for (const auto& row : format::kStructures) EXPECT_EQ(value_of(kStructureKey, row.name)->structure, row.value);
  for (const auto& row : format::kReserves) EXPECT_EQ(value_of(kReserveKey, row.name)->reserve, row.value);
  for (const auto& row : kBaseptrs) EXPECT_EQ(value_of(kBaseptrKey, row.name)->baseptr, row.value);
}

TEST(CreateInfo, AnUnknownValueNamesKeyValueAndKnownValues) {
  for (const std::string_view key : {kManifestationKey, kConsistencyKey, kStructureKey, kReserveKey, kBaseptrKey})
    for (const char* value : {"", "other", "psnam", " full"}) {
      const auto info = parse_create_info({{std::string{key}, value}});
      ASSERT_FALSE(info) << key << value;
      EXPECT_EQ(info.error().code, Code::info_value);
      expect_words(info.error(), {key, std::string{"\""} + value + "\"", "known values"});
    }
}

TEST(CreateInfo, ModesAreOctalNumbersOfThreeDigits) {
  EXPECT_EQ(parse_create_info(with({{"psnam_window_mode", "0640"}}))->mode, 0640U);
  EXPECT_EQ(parse_create_info(with({{"psnam_window_mode", "7"}}))->mode, 7U);
  EXPECT_EQ(parse_create_info(with({{"psnam_window_mode", "777"}}))->mode, 0777U);
  for (const char* mode : {"", "8", "0x7", "1000", "-1", "600 ", "rw", "77777777777777777777"}) {
    const auto info = parse_create_info(with({{"psnam_window_mode", mode}}));
    ASSERT_FALSE(info) << mode;
    EXPECT_EQ(info.error().code, Code::info_value);
    expect_words(info.error(), {"psnam_window_mode", "0777"});
  }
}

TEST(CreateInfo, NamesArePrintableWithoutBlanksAndAtMost255Bytes) {
  for (const std::string& name : {std::string{"a"}, std::string{"!~"}, std::string(255, 'x')})
    EXPECT_EQ(parse_create_info(with({{"psnam_window_name", name}}))->name, name);
  for (const std::string& name : {std::string{}, std::string{"a b"}, std::string{"a\n"}, std::string{"\x7f"},
                                  std::string{"\xc3\xa4"}, std::string(256, 'x')}) {
    const auto info = parse_create_info(with({{"psnam_window_name", name}}));
    ASSERT_FALSE(info) << name;
    EXPECT_EQ(info.error().code, Code::info_value);
    expect_words(info.error(), {"psnam_window_name", "255"});
  }
}

std::vector<KeyValue> in_segment(std::vector<KeyValue> pairs) {
  pairs.emplace_back(kManifestationKey, "psnam_manifestation_segment");
  return pairs;
}

std::vector<KeyValue> in_libnam(std::vector<KeyValue> pairs) {
  pairs.emplace_back(kManifestationKey, "psnam_manifestation_libnam");
  return pairs;
}

TEST(CreateInfo, ASegmentHasAParentAPlaceAndAnAlignment) {
  const auto info = parse_create_info(in_segment({{"psnam_segment_allocation_id", "18446744073709551615"},
                                                  {"psnam_segment_offset", "0"},
                                                  {"psnam_segment_alignment", "4096"}}));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->segment_allocation_id, 18446744073709551615U);
  EXPECT_EQ(info->segment_offset_bytes, 0U);
  EXPECT_EQ(info->segment_alignment_bytes, 4096U);
  const auto found_by_the_library = parse_create_info(in_segment({{"psnam_segment_allocation_id", "7"}}));
  ASSERT_TRUE(found_by_the_library);
  EXPECT_FALSE(found_by_the_library->segment_offset_bytes.has_value());
  EXPECT_EQ(found_by_the_library->segment_alignment_bytes, 64U);
}

TEST(CreateInfo, AnExistingAllocationIsNamedByItsId) {
  const auto info = parse_create_info(in_libnam({{"psnam_libnam_allocation_id", "12"}}));
  ASSERT_TRUE(info);
  EXPECT_EQ(info->libnam_allocation_id, 12U);
}

TEST(CreateInfo, KeysOfOneManifestationAreRefusedByTheOthers) {
  for (const char* key : {"psnam_segment_allocation_id", "psnam_segment_offset", "psnam_segment_alignment"}) {
    const auto info = parse_create_info(with({{key, "1"}}));
    ASSERT_FALSE(info) << key;
    EXPECT_EQ(info.error().code, Code::info_key);
    expect_words(info.error(), {key, "\"1\"", "psnam_manifestation_segment"});
    EXPECT_TRUE(parse_create_info({{key, "1"}, {std::string{kManifestationKey}, "psnam_manifestation_segment"}}))
        << "in any order";
  }
  const auto info = parse_create_info(in_segment({{"psnam_libnam_allocation_id", "1"}}));
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, Code::info_key);
  expect_words(info.error(), {"psnam_libnam_allocation_id", "\"1\"", "psnam_manifestation_libnam"});
}

TEST(CreateInfo, NumbersAreDecimalDigitsInRange) {
  const std::vector<KeyValue> refused{
      {"psnam_segment_allocation_id", "0"}, {"psnam_segment_allocation_id", "0x10"},
      {"psnam_segment_allocation_id", ""},  {"psnam_segment_offset", "-1"},
      {"psnam_segment_offset", " 1"},       {"psnam_segment_offset", "18446744073709551616"},
      {"psnam_segment_offset", "1K"},       {"psnam_segment_alignment", "0"},
      {"psnam_segment_alignment", "48"},    {"psnam_segment_alignment", "2147483648"},
  };
  for (const auto& [key, value] : refused) {
    const auto info = parse_create_info(in_segment({{key, value}}));
    ASSERT_FALSE(info) << key << " = " << value;
    EXPECT_EQ(info.error().code, Code::info_value);
    expect_words(info.error(), {key, "\"" + value + "\""});
  }
  EXPECT_EQ(parse_create_info(in_libnam({{"psnam_libnam_allocation_id", "0"}})).error().code, Code::info_value);
}

TEST(CreateInfo, KeysOfConnectingAndUnknownOnesAreNoConcernOfIt) {
  EXPECT_TRUE(parse_create_info(
      with({{"psnam_access", "rubbish"}, {"psnam_window_connect", "rubbish"}, {"psnam_other", "rubbish"}})));
}

TEST(Pairs, UnknownKeysAreThoseOutsideTheTable) {
  EXPECT_EQ(
      unknown_keys(with({{"psnam_access", ""}, {"psnam_x", ""}, {"psnam_allocation_id", ""}, {"psnam_structur", ""}})),
      (std::vector<std::string>{"psnam_x", "psnam_structur"}));
}

TEST(Pairs, AManifestationMakesTheWindowOurs) {
  EXPECT_TRUE(is_psnam(with({})));
  EXPECT_FALSE(is_psnam({{"psnam_structure", "psnam_structure_raw_and_flat"}}));
  EXPECT_FALSE(is_psnam({}));
}

TEST(Defaults, ArePairsOfKnownKeys) {
  EXPECT_EQ(*parse_defaults(""), Pairs{});
  EXPECT_EQ(*parse_defaults("psnam_reserve=lazy"), (Pairs{{"psnam_reserve", "lazy"}}));
  EXPECT_EQ(*parse_defaults("psnam_reserve=lazy,psnam_window_name=a=b,psnam_baseptr="),
            (Pairs{{"psnam_reserve", "lazy"}, {"psnam_window_name", "a=b"}, {"psnam_baseptr", ""}}));
}

TEST(Defaults, AnErrorNamesThePartThatIsWrong) {
  for (const char* part : {"psnam_reserve", "reserve=lazy", "psnam_x=1", "=lazy", " psnam_reserve=lazy", ""}) {
    const auto pairs = parse_defaults(std::string{"psnam_baseptr=null,"} + part + ",psnam_window_mode=600");
    ASSERT_FALSE(pairs) << part;
    EXPECT_EQ(pairs.error().code, Code::info_key);
    expect_words(pairs.error(), {"PSNAM_DEFAULTS", std::string{"\""} + part + "\""});
  }
}

TEST(Defaults, AreBeneathTheKeysOfAWindowWithoutAManifestation) {
  const Pairs defaults = with({{"psnam_reserve", "lazy"}});
  EXPECT_EQ(with_defaults({}, defaults), defaults);
  EXPECT_EQ(with_defaults({{"psnam_reserve", "full"}}, defaults),
            (Pairs{{"psnam_reserve", "full"}, {std::string{kManifestationKey}, "psnam_manifestation_pershm"}}));
  const Pairs own{{std::string{kManifestationKey}, "psnam_manifestation_libnam"}};
  EXPECT_EQ(with_defaults(own, defaults), own);
}

TEST(Access, IsReadWriteUnlessAskedOtherwise) {
  EXPECT_EQ(*parse_access({}), nam::AccessRight::read_write);
  EXPECT_EQ(*parse_access({{"psnam_access", "read_only"}}), nam::AccessRight::read_only);
  EXPECT_EQ(*parse_access({{"psnam_access", "read_write"}}), nam::AccessRight::read_write);
  expect_words(parse_access({{"psnam_access", "write"}}).error(),
               {"psnam_access", "\"write\"", "read_only", "read_write"});
}

TEST(Connect, IsAskedForByTrue) {
  EXPECT_FALSE(*parse_connect({}));
  EXPECT_TRUE(*parse_connect({{"psnam_window_connect", "true"}}));
  EXPECT_FALSE(*parse_connect({{"psnam_window_connect", "false"}}));
  expect_words(parse_connect({{"psnam_window_connect", "1"}}).error(),
               {"psnam_window_connect", "\"1\"", "true", "false"});
}

const Pairs kNow{{"psnam_consistency", "psnam_consistency_volatile"},
                 {"psnam_structure", "psnam_structure_raw_and_flat"}};

TEST(SetInfo, ChangesTheConsistencyAlone) {
  EXPECT_EQ(*parse_set_info({}, kNow), std::nullopt);
  EXPECT_EQ(*parse_set_info({{"psnam_consistency", "psnam_consistency_persistent"}}, kNow),
            format::Consistency::persistent);
  EXPECT_EQ(*parse_set_info({{"psnam_structure", "psnam_structure_raw_and_flat"}, {"psnam_x", "1"}}, kNow),
            std::nullopt);
}

TEST(SetInfo, AnotherValueOfAnotherKeyIsRefusedWithBothValues) {
  const auto change = parse_set_info({{"psnam_structure", "psnam_structure_managed_distributed"}}, kNow);
  ASSERT_FALSE(change);
  EXPECT_EQ(change.error().code, Code::info_key);
  expect_words(change.error(), {"psnam_structure", "psnam_structure_managed_distributed",
                                "psnam_structure_raw_and_flat", "psnam_consistency"});
}

TEST(SetInfo, AnUnknownConsistencyIsRefused) {
  EXPECT_EQ(parse_set_info({{"psnam_consistency", "kept"}}, kNow).error().code, Code::info_value);
}

// An MPI library whose info objects are all these keys.
constexpr std::array<std::pair<const char*, const char*>, 4> kInfo{
    {{"no_locks", "true"}, {"psnam_reserve", "lazy"}, {"PSNAM_x", "1"}, {"psnam_window_name", "n"}}};

Real fake_real() {
  Real real;
  real.Info_get_nkeys = [](MPI_Info, int* count) {
    *count = static_cast<int>(kInfo.size());
    return int{MPI_SUCCESS};
  };
  real.Info_get_nthkey = [](MPI_Info, int n, char* key) {
    std::strcpy(key, kInfo[static_cast<std::size_t>(n)].first);
    return int{MPI_SUCCESS};
  };
  real.Info_get_valuelen = [](MPI_Info, const char* key, int* length, int* flag) {
    const auto* const found =
        std::find_if(kInfo.begin(), kInfo.end(), [key](const auto& pair) { return std::strcmp(pair.first, key) == 0; });
    *flag = 1;
    *length = static_cast<int>(std::strlen(found->second));
    return int{MPI_SUCCESS};
  };
  real.Info_get = [](MPI_Info, const char* key, int length, char* value, int* flag) {
    const auto* const found =
        std::find_if(kInfo.begin(), kInfo.end(), [key](const auto& pair) { return std::strcmp(pair.first, key) == 0; });
    *flag = 1;
    std::memcpy(value, found->second, static_cast<std::size_t>(length) + 1);
    return int{MPI_SUCCESS};
  };
  return real;
}

TEST(PairsOfAnInfo, AreThoseWithOurPrefix) {
  EXPECT_EQ(*psnam_pairs(fake_real(), MPI_INFO_ENV), (Pairs{{"psnam_reserve", "lazy"}, {"psnam_window_name", "n"}}));
}

TEST(PairsOfAnInfo, OfNoInfoAreNone) { EXPECT_EQ(*psnam_pairs(Real{}, MPI_INFO_NULL), Pairs{}); }

TEST(PairsOfAnInfo, ARefusalOfTheMpiLibraryIsHandedOn) {
  Real real = fake_real();
  real.Info_get = [](MPI_Info, const char*, int, char*, int*) { return int{MPI_ERR_INFO}; };
  const auto pairs = psnam_pairs(real, MPI_INFO_ENV);
  ASSERT_FALSE(pairs);
  EXPECT_EQ(pairs.error().code, Code::mpi);
  EXPECT_EQ(pairs.error().detail, MPI_ERR_INFO);
  expect_words(pairs.error(), {"psnam_reserve"});
}

}  // namespace
}  // namespace psnam::win
