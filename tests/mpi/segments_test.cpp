// Windows in segments of other windows' allocations: where they lie, what they refuse, and what stays when one goes.
#include <cstdint>
#include <numeric>

#include "errors.hpp"

namespace psnam::test {
namespace {

constexpr MPI_Aint kParentBytes = 1 << 20;
constexpr MPI_Aint kPage = 4096;

/// Keys of a window in the allocation or segment `parent`.
struct Place {
  std::string parent;
  std::string offset{};  ///< empty: the library finds it
  std::string structure = "managed_distributed";
  std::string consistency = "volatile";
  std::string alignment{};
};

Info keys_of(const Place& place) {
  return Info{{"psnam_manifestation", "psnam_manifestation_segment"},
              {"psnam_structure", "psnam_structure_" + place.structure},
              {"psnam_consistency", "psnam_consistency_" + place.consistency},
              {"psnam_segment_allocation_id", place.parent}};
}

Window cut(const Place& place, MPI_Aint bytes) {
  Info info = keys_of(place);
  if (!place.offset.empty()) info.set("psnam_segment_offset", place.offset);
  if (!place.alignment.empty()) info.set("psnam_segment_alignment", place.alignment);
  return Window{bytes, 1, info};
}

/// What MPI_Win_allocate on a communicator of its own returns for a window that is refused on all ranks.
void expect_refused(const Place& place, MPI_Aint bytes, int error_class, const std::vector<std::string>& words) {
  const HandledComm comm;
  Info info = keys_of(place);
  if (!place.offset.empty()) info.set("psnam_segment_offset", place.offset);
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  const int rc = MPI_Win_allocate(bytes, 1, info, comm, &base, &win);
  expect_same_error(rc, error_class, words, comm);
  expect_handled_once(rc);
}

Window raw(const std::string& manifestation, const std::string& consistency = "volatile") {
  const Info info{{"psnam_manifestation", "psnam_manifestation_" + manifestation},
                  {"psnam_structure", "psnam_structure_raw_and_flat"},
                  {"psnam_consistency", "psnam_consistency_" + consistency}};
  return Window{world_rank() == 0 ? kParentBytes : 0, 1, info};
}

[[nodiscard]] std::string id_of(MPI_Win win) { return window_info(win, "psnam_allocation_id"); }

[[nodiscard]] std::int64_t mark(int rank, int salt) { return 1000 * salt + rank + 1; }

/// Each rank writes its mark at the begin and at the end of its own region, and reads that of the next rank.
void expect_works(MPI_Win win, MPI_Aint bytes, int salt) {
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  const std::int64_t mine = mark(me, salt);
  std::int64_t found[2] = {-1, -1};
  ASSERT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(&mine, 1, MPI_INT64_T, me, 0, 1, MPI_INT64_T, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(&mine, 1, MPI_INT64_T, me, bytes - 8, 1, MPI_INT64_T, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&found[0], 1, MPI_INT64_T, next, 0, 1, MPI_INT64_T, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&found[1], 1, MPI_INT64_T, next, bytes - 8, 1, MPI_INT64_T, win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
  EXPECT_EQ(found[0], mark(next, salt));
  EXPECT_EQ(found[1], mark(next, salt));
  std::int64_t beyond = 0;
  ASSERT_EQ(MPI_Win_fence(0, win), MPI_SUCCESS);
  EXPECT_EQ(error_class(MPI_Put(&beyond, 1, MPI_INT64_T, next, bytes - 7, 1, MPI_INT64_T, win)), MPI_ERR_RMA_RANGE);
  ASSERT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, win), MPI_SUCCESS);
}

[[nodiscard]] std::int64_t word_at(MPI_Win raw, MPI_Aint offset) {
  std::int64_t word = -1;
  EXPECT_EQ(MPI_Win_fence(0, raw), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&word, 1, MPI_INT64_T, 0, offset, 1, MPI_INT64_T, raw), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_fence(MPI_MODE_NOSUCCEED, raw), MPI_SUCCESS);
  return word;
}

class Segments : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Of, Segments, testing::Values("libnam", "pershm"),
                         [](const auto& of) { return std::string{of.param}; });

TEST_P(Segments, LieWhereEachRankPutsThem) {
  const Window parent = raw(GetParam());
  const MPI_Aint bytes = 1000;
  const auto offset = [](int rank) { return kPage + rank * 3001; };
  {
    const Window window = cut({.parent = id_of(parent), .offset = std::to_string(offset(world_rank()))}, bytes);
    expect_works(window, bytes, 1);
    EXPECT_EQ(window_info(window, "psnam_segment_offset"), std::to_string(offset(world_rank())));
    EXPECT_EQ(window_info(window, "psnam_segment_allocation_id"), id_of(parent));
    EXPECT_EQ(window_info(window, "psnam_manifestation"), "psnam_manifestation_segment");
    for (int rank = 0; rank < world_size(); ++rank)
      EXPECT_EQ(word_at(parent, offset(rank)), mark(rank, 1)) << "rank " << rank;
  }
}

TEST_P(Segments, LieBesideEachOtherWhereTheLibraryPutsThem) {
  const Window parent = raw(GetParam());
  const MPI_Aint bytes = 1000 + world_rank();
  const Window first = cut({.parent = id_of(parent)}, bytes);
  const Window second = cut({.parent = id_of(parent), .structure = "managed_contiguous"}, bytes);
  const Window aligned = cut({.parent = id_of(parent), .alignment = "4096"}, bytes);
  std::vector<long> mine{std::stol(window_info(first, "psnam_segment_offset")),
                         std::stol(window_info(aligned, "psnam_segment_offset"))};
  EXPECT_EQ(mine[0] % 64, 0);
  EXPECT_EQ(mine[1] % kPage, 0);
  std::vector<long> all(2 * static_cast<std::size_t>(world_size()));
  MPI_Allgather(mine.data(), 2, MPI_LONG, all.data(), 2, MPI_LONG, MPI_COMM_WORLD);
  std::sort(all.begin(), all.end());
  for (std::size_t i = 1; i < all.size(); ++i) EXPECT_GE(all[i] - all[i - 1], 1000);
  const std::vector<std::byte> zeros(static_cast<std::size_t>(bytes));
  for (const Window* window : {&first, &second, &aligned}) {
    const int me = world_rank();
    const std::vector<std::byte> ones(static_cast<std::size_t>(bytes), static_cast<std::byte>(window == &first    ? 1
                                                                                              : window == &second ? 2
                                                                                                                  : 3));
    const int count = static_cast<int>(bytes);
    window->fence();
    EXPECT_EQ(MPI_Put(ones.data(), count, MPI_BYTE, me, 0, count, MPI_BYTE, *window), MPI_SUCCESS);
    window->fence(MPI_MODE_NOSUCCEED);
  }
  for (const Window* window : {&first, &second, &aligned}) {
    std::vector<std::byte> found(static_cast<std::size_t>(bytes));
    const int count = static_cast<int>(bytes);
    window->fence();
    EXPECT_EQ(MPI_Get(found.data(), count, MPI_BYTE, world_rank(), 0, count, MPI_BYTE, *window), MPI_SUCCESS);
    window->fence(MPI_MODE_NOSUCCEED);
    const auto value = static_cast<std::byte>(window == &first ? 1 : window == &second ? 2 : 3);
    EXPECT_EQ(std::count(found.begin(), found.end(), value), bytes);
  }
}

TEST_P(Segments, AreCutFromSegments) {
  const Window parent = raw(GetParam());
  std::vector<Window> levels;
  MPI_Aint bytes = kParentBytes / 2;
  MPI_Aint begin = 0;
  std::string id = id_of(parent);
  for (int depth = 0; depth < 6; ++depth, bytes /= 2) {
    const MPI_Aint offset = depth * 64;
    levels.push_back(cut({.parent = id, .offset = std::to_string(offset), .structure = "raw_and_flat"},
                         world_rank() == 0 ? bytes : 0));
    begin += offset;
    ASSERT_NE(id_of(levels.back()), id);
    id = id_of(levels.back());
  }
  const std::int64_t written = 4711;
  levels.back().fence();
  if (world_rank() == 0) {
    EXPECT_EQ(MPI_Put(&written, 1, MPI_INT64_T, 0, 8, 1, MPI_INT64_T, levels.back()), MPI_SUCCESS);
  }
  levels.back().fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(word_at(parent, begin + 8), written);
  expect_refused({.parent = id, .offset = "0"}, 2 * bytes + 1, MPI_ERR_INFO_VALUE, {id, "psnam_segment_offset"});
}

TEST_P(Segments, OfAFreedWindowAreFreeAtOnce) {
  const Window parent = raw(GetParam());
  const MPI_Aint share = kParentBytes / world_size() / 64 * 64;
  for (int round = 0; round < 5; ++round) {
    const Window window = cut({.parent = id_of(parent)}, share);
    expect_works(window, share, round);
    expect_refused({.parent = id_of(parent)}, share, MPI_ERR_NO_MEM, {id_of(parent)});
  }
}

TEST_P(Segments, ThatAreTakenOrOutsideAreRefusedOnAllRanks) {
  const Window parent = raw(GetParam());
  const std::string id = id_of(parent);
  const Window window = cut({.parent = id, .offset = std::to_string(kPage + 128 * world_rank())}, 128);
  expect_refused({.parent = id, .offset = std::to_string(kPage + 100 + 128 * world_rank())}, 100, MPI_ERR_INFO_VALUE,
                 {"psnam_segment_offset", id});
  expect_refused({.parent = id, .offset = std::to_string(kParentBytes - 63 + 0 * world_rank())}, 64, MPI_ERR_INFO_VALUE,
                 {"psnam_segment_offset", id, std::to_string(kParentBytes)});
  expect_refused({.parent = id, .offset = "18446744073709551615"}, 64, MPI_ERR_INFO_VALUE,
                 {"psnam_segment_offset", "18446744073709551615"});
  expect_refused({.parent = "123456789"}, 64, MPI_ERR_INFO_VALUE, {"psnam_segment_allocation_id", "123456789"});
  expect_refused({.parent = id, .consistency = "persistent"}, 64, MPI_ERR_INFO_VALUE, {"persistent", id});
  if (world_size() > 1)
    expect_refused({.parent = id, .offset = std::to_string(2 * kPage)}, 64, MPI_ERR_INFO_VALUE,
                   {"psnam_segment_offset", id});
  expect_works(window, 128, 3);
}

TEST_P(Segments, KeepTheMemoryOfAParentThatIsFreedFirst) {
  auto parent = std::make_unique<Window>(raw(GetParam()));
  const Window window = cut({.parent = id_of(*parent)}, 256);
  parent.reset();
  expect_works(window, 256, 5);
  expect_files(1, MPI_COMM_WORLD);
}

TEST_P(Segments, GoWithTheirParentWhenAllIsFreed) {
  {
    auto parent = std::make_unique<Window>(raw(GetParam()));
    const Window window = cut({.parent = id_of(*parent)}, 256);
    parent.reset();
  }
  expect_files(0, MPI_COMM_WORLD);
}

TEST_P(Segments, OfALoadStoreWindowAreReachedByPointers) {
  const Window parent = raw(GetParam());
  int mapped = is_mapped({GetParam(), "raw_and_flat"}, 0) ? 1 : 0;
  MPI_Allreduce(MPI_IN_PLACE, &mapped, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  if (mapped == 0) {
    const HandledComm comm;
    Info keys = keys_of({.parent = id_of(parent)});
    keys.set("psnam_baseptr", "load_store");
    void* base = nullptr;
    MPI_Win win = MPI_WIN_NULL;
    const int rc = MPI_Win_allocate(64, 8, keys, comm, &base, &win);
    expect_same_error(rc, MPI_ERR_INFO_VALUE, {"load_store", "is not mapped here"}, comm);
    return;
  }
  Info info = keys_of({.parent = id_of(parent)});
  info.set("psnam_baseptr", "load_store");
  const Window window{64, 8, info};
  auto* const own = static_cast<std::int64_t*>(window.base());
  ASSERT_NE(own, nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(own) % 64, 0U);
  own[3] = mark(world_rank(), 9);
  window.fence();
  std::int64_t found = -1;
  const int next = (world_rank() + 1) % world_size();
  EXPECT_EQ(MPI_Get(&found, 1, MPI_INT64_T, next, 3, 1, MPI_INT64_T, window), MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(found, mark(next, 9));
}

TEST_P(Segments, MixWithOtherManifestationsInOneWindow) {
  const Window parent = raw(GetParam());
  Info info{{"psnam_manifestation", "psnam_manifestation_pershm"}};
  if (world_rank() % 2 == 0) {
    info.set("psnam_manifestation", "psnam_manifestation_segment");
    info.set("psnam_segment_allocation_id", id_of(parent));
  }
  const Window window{512, 1, info};
  expect_works(window, 512, 6);
}

TEST(SegmentsWithoutAParent, AreRefused) {
  const HandledComm comm;
  const Info info{{"psnam_manifestation", "psnam_manifestation_segment"}};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  const int rc = MPI_Win_allocate(64, 1, info, comm, &base, &win);
  expect_same_error(rc, MPI_ERR_INFO_KEY, {"psnam_segment_allocation_id", "psnam_manifestation_segment"}, comm);
  expect_handled_once(rc);
}

TEST(SegmentsOfNoBytes, TakeNoPlace) {
  const Window parent = raw("pershm");
  const Window window = cut({.parent = id_of(parent)}, world_rank() == 0 ? 64 : 0);
  const Window all = cut({.parent = id_of(parent), .offset = "64", .structure = "raw_and_flat"},
                         world_rank() == 0 ? kParentBytes - 64 : 0);
  EXPECT_NE(id_of(all), id_of(parent));
}

}  // namespace
}  // namespace psnam::test
