// The info keys of PSNAM windows: one table, and their parsing.
#pragma once

#include <mpi.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"
#include "nam/service.hpp"
#include "rma/real.hpp"

namespace psnam::win {

enum class Baseptr { null, load_store };

inline constexpr std::array<Choice<Baseptr>, 2> kBaseptrs{{
    {"null", "the base pointer is NULL: the region is reached by MPI calls only", Baseptr::null},
    {"load_store", "the base pointer leads to the own region", Baseptr::load_store},
}};
inline constexpr std::array<Choice<nam::AccessRight>, 2> kAccesses{{
    {"read_write", "put and get", nam::AccessRight::read_write},
    {"read_only", "get only", nam::AccessRight::read_only},
}};

inline constexpr std::string_view kManifestationKey = "psnam_manifestation";
inline constexpr std::string_view kConsistencyKey = "psnam_consistency";
inline constexpr std::string_view kStructureKey = "psnam_structure";
inline constexpr std::string_view kLibnamAllocationIdKey = "psnam_libnam_allocation_id";
inline constexpr std::string_view kNamIndexKey = "psnam_nam_index";
inline constexpr std::string_view kSegmentAllocationIdKey = "psnam_segment_allocation_id";
inline constexpr std::string_view kSegmentOffsetKey = "psnam_segment_offset";
inline constexpr std::string_view kSegmentAlignmentKey = "psnam_segment_alignment";
inline constexpr std::string_view kNameKey = "psnam_window_name";
inline constexpr std::string_view kModeKey = "psnam_window_mode";
inline constexpr std::string_view kReserveKey = "psnam_reserve";
inline constexpr std::string_view kBaseptrKey = "psnam_baseptr";
inline constexpr std::string_view kAllocationIdKey = "psnam_allocation_id";
inline constexpr std::string_view kConnectKey = "psnam_window_connect";
inline constexpr std::string_view kAccessKey = "psnam_access";

/// Of a segment whose place the library finds: a cache line.
inline constexpr std::uint64_t kDefaultSegmentAlignmentBytes = 64;
inline constexpr std::uint64_t kMaxSegmentAlignmentBytes = std::uint64_t{1} << 30;

/// Which NAM the memory of a rank is to be taken from; sent as bytes.
struct NamWish {
  enum class Which : std::uint8_t { none, index, any, spread };
  Which which = Which::none;
  std::uint32_t index = 0;
};

/// What the keys of MPI_Win_allocate ask for.
struct CreateInfo {
  format::Manifestation manifestation = format::Manifestation::libnam;
  format::Consistency consistency = format::Consistency::volatile_;
  format::Structure structure = format::Structure::managed_distributed;
  format::Reserve reserve = format::Reserve::full;
  std::uint32_t mode = 0600;
  Baseptr baseptr = Baseptr::null;
  std::string name;
  std::optional<NamWish> nam;
  std::uint64_t libnam_allocation_id = 0;   ///< 0: a new allocation
  std::uint64_t segment_allocation_id = 0;  ///< what to cut from; 0: not told
  std::optional<std::uint64_t> segment_offset_bytes;
  std::uint64_t segment_alignment_bytes = kDefaultSegmentAlignmentBytes;
};

using KeyValue = std::pair<std::string, std::string>;

/// All pairs of `info` whose key begins with "psnam_".
[[nodiscard]] Result<std::vector<KeyValue>> psnam_pairs(const Real& real, MPI_Info info);

/// Parses PSNAM_DEFAULTS: "key=value,...". Errors name the part that is not such a pair.
[[nodiscard]] Result<std::vector<KeyValue>> parse_defaults(std::string_view text);

/// The value of `key`, or null.
[[nodiscard]] const std::string* find_value(const std::vector<KeyValue>& pairs, std::string_view key) noexcept;

/// Whether the pairs make the window a PSNAM window.
[[nodiscard]] inline bool is_psnam(const std::vector<KeyValue>& pairs) noexcept {
  return find_value(pairs, kManifestationKey) != nullptr;
}

/// `defaults` beneath `pairs`, if these do not choose a manifestation.
[[nodiscard]] std::vector<KeyValue> with_defaults(std::vector<KeyValue> pairs, const std::vector<KeyValue>& defaults);

/// The keys in `pairs` that are not in the table.
[[nodiscard]] std::vector<std::string> unknown_keys(const std::vector<KeyValue>& pairs);

/// Code::info_value names key, value and known values; Code::info_key names a key that does not go with the others.
[[nodiscard]] Result<CreateInfo> parse_create_info(const std::vector<KeyValue>& pairs);

/// The right asked for by `psnam_access` (default read_write).
[[nodiscard]] Result<nam::AccessRight> parse_access(const std::vector<KeyValue>& pairs);

/// True if `info` asks MPI_Comm_connect for a window ("psnam_window_connect" = "true").
[[nodiscard]] Result<bool> parse_connect(const std::vector<KeyValue>& pairs);

/// What MPI_Win_set_info asks to change: the consistency, if anything. `now` are the pairs in force; a known key with
/// another value than in force is Code::info_key, since only the consistency can be changed.
[[nodiscard]] Result<std::optional<format::Consistency>> parse_set_info(const std::vector<KeyValue>& pairs,
                                                                        const std::vector<KeyValue>& now);

}  // namespace psnam::win
