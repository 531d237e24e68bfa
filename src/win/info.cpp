#include "win/info.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>

namespace psnam::win {
namespace {

constexpr std::size_t kMaxNameBytes = 255;
constexpr std::string_view kPrefix = "psnam_";

using Setter = Status (*)(CreateInfo&, const std::string& value);

template <auto Member, const auto& Table>
Status set_choice(CreateInfo& info, std::string_view key, const std::string& value) {
  PSNAM_TRY(info.*Member, choose(key, value, Table));
  return {};
}

Status set_mode(CreateInfo& info, const std::string& value) {
  std::uint32_t mode = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), mode, 8);
  if (error != std::errc{} || end != value.data() + value.size() || mode > 0777)
    return Error{
        Code::info_value,
        fmt::format("{} = \"{}\" is not a mode: known values are the octal numbers 0 to 0777", kModeKey, value)};
  info.mode = mode;
  return {};
}

Status set_name(CreateInfo& info, const std::string& value) {
  const bool printable = std::all_of(value.begin(), value.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (value.empty() || value.size() > kMaxNameBytes || !printable)
    return Error{Code::info_value,
                 fmt::format("{} = \"{}\" ({} bytes) is not a name: 1 to {} printable characters without blanks",
                             kNameKey, value, value.size(), kMaxNameBytes)};
  info.name = value;
  return {};
}

/// A number in decimal digits alone; a sign or a blank is none of it.
Result<std::uint64_t> number(std::string_view key, const std::string& value, std::string_view what) {
  std::uint64_t parsed = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), parsed);
  if (error != std::errc{} || end != value.data() + value.size())
    return Error{Code::info_value,
                 fmt::format("{} = \"{}\" is not {}: known values are decimal numbers below 2^64", key, value, what)};
  return parsed;
}

Result<std::uint64_t> allocation_id(std::string_view key, const std::string& value) {
  PSNAM_TRY(const std::uint64_t id, number(key, value, "the id of an allocation"));
  if (id == 0) return Error{Code::info_value, fmt::format("{} = \"0\": the ids of allocations begin at 1", key)};
  return id;
}

Status require_manifestation(const CreateInfo& info, format::Manifestation wanted, std::string_view key,
                             const std::string& value) {
  if (info.manifestation == wanted) return {};
  return Error{Code::info_key, fmt::format("{} = \"{}\" goes with {} = \"{}\" only", key, value, kManifestationKey,
                                           name_of(wanted, format::kManifestations))};
}

Status set_libnam_allocation_id(CreateInfo& info, const std::string& value) {
  PSNAM_CHECK(require_manifestation(info, format::Manifestation::libnam, kLibnamAllocationIdKey, value));
  PSNAM_TRY(info.libnam_allocation_id, allocation_id(kLibnamAllocationIdKey, value));
  return {};
}

Status set_nam_index(CreateInfo& info, const std::string& value) {
  PSNAM_CHECK(require_manifestation(info, format::Manifestation::libnam, kNamIndexKey, value));
  NamWish wish;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), wish.index);
  if (value == "any")
    wish.which = NamWish::Which::any;
  else if (value == "spread")
    wish.which = NamWish::Which::spread;
  else if (error == std::errc{} && end == value.data() + value.size())
    wish.which = NamWish::Which::index;
  else
    return Error{Code::info_value,
                 fmt::format("{} = \"{}\": known values are any (the NAM with most left), spread (the NAMs in turn, by "
                             "rank), and the index of a NAM, from 0 on",
                             kNamIndexKey, value)};
  info.nam = wish;
  return {};
}

Status set_segment_allocation_id(CreateInfo& info, const std::string& value) {
  PSNAM_CHECK(require_manifestation(info, format::Manifestation::segment, kSegmentAllocationIdKey, value));
  PSNAM_TRY(info.segment_allocation_id, allocation_id(kSegmentAllocationIdKey, value));
  return {};
}

Status set_segment_offset(CreateInfo& info, const std::string& value) {
  PSNAM_CHECK(require_manifestation(info, format::Manifestation::segment, kSegmentOffsetKey, value));
  PSNAM_TRY(info.segment_offset_bytes, number(kSegmentOffsetKey, value, "an offset in bytes"));
  return {};
}

Status set_segment_alignment(CreateInfo& info, const std::string& value) {
  PSNAM_CHECK(require_manifestation(info, format::Manifestation::segment, kSegmentAlignmentKey, value));
  PSNAM_TRY(const std::uint64_t bytes, number(kSegmentAlignmentKey, value, "an alignment in bytes"));
  if (!std::has_single_bit(bytes) || bytes > kMaxSegmentAlignmentBytes)
    return Error{Code::info_value, fmt::format("{} = \"{}\": known values are the powers of two from 1 to {}",
                                               kSegmentAlignmentKey, value, kMaxSegmentAlignmentBytes)};
  info.segment_alignment_bytes = bytes;
  return {};
}

enum class Use { create, connect, read_back };

struct Row {
  std::string_view key;
  Use use;
  Setter set;  ///< for Use::create
};

// The manifestation comes first: later rows look at it.
constexpr std::array<Row, 15> kKeys{{
    {kManifestationKey, Use::create,
     [](CreateInfo& info, const std::string& value) {
       return set_choice<&CreateInfo::manifestation, format::kManifestations>(info, kManifestationKey, value);
     }},
    {kConsistencyKey, Use::create,
     [](CreateInfo& info, const std::string& value) {
       return set_choice<&CreateInfo::consistency, format::kConsistencies>(info, kConsistencyKey, value);
     }},
    {kStructureKey, Use::create,
     [](CreateInfo& info, const std::string& value) {
       return set_choice<&CreateInfo::structure, format::kStructures>(info, kStructureKey, value);
     }},
    {kNamIndexKey, Use::create, set_nam_index},
    {kLibnamAllocationIdKey, Use::create, set_libnam_allocation_id},
    {kSegmentAllocationIdKey, Use::create, set_segment_allocation_id},
    {kSegmentOffsetKey, Use::create, set_segment_offset},
    {kSegmentAlignmentKey, Use::create, set_segment_alignment},
    {kNameKey, Use::create, set_name},
    {kModeKey, Use::create, set_mode},
    {kReserveKey, Use::create,
     [](CreateInfo& info, const std::string& value) {
       return set_choice<&CreateInfo::reserve, format::kReserves>(info, kReserveKey, value);
     }},
    {kBaseptrKey, Use::create,
     [](CreateInfo& info, const std::string& value) {
       return set_choice<&CreateInfo::baseptr, kBaseptrs>(info, kBaseptrKey, value);
     }},
    {kAllocationIdKey, Use::read_back, nullptr},
    {kConnectKey, Use::connect, nullptr},
    {kAccessKey, Use::connect, nullptr},
}};

const Row* row_of(std::string_view key) noexcept {
  const auto* const row = std::find_if(kKeys.begin(), kKeys.end(), [key](const Row& r) { return r.key == key; });
  return row == kKeys.end() ? nullptr : row;
}

Result<std::string> value_of(const Real& real, MPI_Info info, const char* key) {
  int length = 0;
  int flag = 0;
  if (const int rc = real.Info_get_valuelen(info, key, &length, &flag); rc != MPI_SUCCESS || flag == 0)
    return Error{Code::mpi, fmt::format("MPI_Info_get_valuelen of key \"{}\" failed", key), rc};
  std::string value(static_cast<std::size_t>(length) + 1, '\0');
  if (const int rc = real.Info_get(info, key, length, value.data(), &flag); rc != MPI_SUCCESS)
    return Error{Code::mpi, fmt::format("MPI_Info_get of key \"{}\" failed", key), rc};
  value.resize(static_cast<std::size_t>(length));
  return value;
}

}  // namespace

Result<std::vector<KeyValue>> psnam_pairs(const Real& real, MPI_Info info) {
  std::vector<KeyValue> pairs;
  if (info == MPI_INFO_NULL) return pairs;
  int count = 0;
  if (const int rc = real.Info_get_nkeys(info, &count); rc != MPI_SUCCESS)
    return Error{Code::mpi, "MPI_Info_get_nkeys failed", rc};
  for (int i = 0; i < count; ++i) {
    char key[MPI_MAX_INFO_KEY + 1] = "";
    if (const int rc = real.Info_get_nthkey(info, i, key); rc != MPI_SUCCESS)
      return Error{Code::mpi, "MPI_Info_get_nthkey failed", rc};
    if (!std::string_view{key}.starts_with(kPrefix)) continue;
    PSNAM_TRY(std::string value, value_of(real, info, key));
    pairs.emplace_back(key, std::move(value));
  }
  return pairs;
}

Result<std::vector<KeyValue>> parse_defaults(std::string_view text) {
  std::vector<KeyValue> pairs;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const auto equals = part.find('=');
    if (!part.starts_with(kPrefix) || equals == std::string_view::npos || row_of(part.substr(0, equals)) == nullptr)
      return Error{Code::info_key, fmt::format("PSNAM_DEFAULTS: \"{}\" is not key=value with a known key", part)};
    pairs.emplace_back(part.substr(0, equals), part.substr(equals + 1));
  }
  return pairs;
}

const std::string* find_value(const std::vector<KeyValue>& pairs, std::string_view key) noexcept {
  const auto found =
      std::find_if(pairs.begin(), pairs.end(), [key](const KeyValue& pair) { return pair.first == key; });
  return found == pairs.end() ? nullptr : &found->second;
}

std::vector<KeyValue> with_defaults(std::vector<KeyValue> pairs, const std::vector<KeyValue>& defaults) {
  if (is_psnam(pairs)) return pairs;
  for (const KeyValue& pair : defaults)
    if (find_value(pairs, pair.first) == nullptr) pairs.push_back(pair);
  return pairs;
}

std::vector<std::string> unknown_keys(const std::vector<KeyValue>& pairs) {
  std::vector<std::string> keys;
  for (const KeyValue& pair : pairs)
    if (row_of(pair.first) == nullptr) keys.push_back(pair.first);
  return keys;
}

Result<CreateInfo> parse_create_info(const std::vector<KeyValue>& pairs) {
  CreateInfo info;
  for (const Row& row : kKeys) {
    const std::string* const value = find_value(pairs, row.key);
    if (value == nullptr || row.use != Use::create) continue;
    PSNAM_CHECK(row.set(info, *value));
  }
  return info;
}

Result<nam::AccessRight> parse_access(const std::vector<KeyValue>& pairs) {
  const std::string* const value = find_value(pairs, kAccessKey);
  if (value == nullptr) return nam::AccessRight::read_write;
  return choose(kAccessKey, *value, kAccesses);
}

Result<bool> parse_connect(const std::vector<KeyValue>& pairs) {
  constexpr std::array<Choice<bool>, 2> kBooleans{
      {{"true", "the port name is a window's", true}, {"false", "it is a port's", false}}};
  const std::string* const value = find_value(pairs, kConnectKey);
  if (value == nullptr) return false;
  return choose(kConnectKey, *value, kBooleans);
}

Result<std::optional<format::Consistency>> parse_set_info(const std::vector<KeyValue>& pairs,
                                                          const std::vector<KeyValue>& now) {
  std::optional<format::Consistency> change;
  for (const auto& [key, value] : pairs) {
    if (row_of(key) == nullptr) continue;
    if (key == kConsistencyKey) {
      PSNAM_TRY(change, choose(key, value, format::kConsistencies));
      continue;
    }
    const std::string* const present = find_value(now, key);
    if (present != nullptr && *present != value)
      return Error{Code::info_key, fmt::format("{} = \"{}\": MPI_Win_set_info changes {} only; {} is \"{}\"", key,
                                               value, kConsistencyKey, key, *present)};
  }
  return change;
}

}  // namespace psnam::win
