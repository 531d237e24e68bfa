// What a window tells of itself: info keys, attributes, group, name, regions; and what a program hangs on it.
#include <cstring>
#include <set>

#include "errors.hpp"

namespace psnam::test {
namespace {

class InfoOfEveryKind : public testing::TestWithParam<Kind> {};

INSTANTIATE_TEST_SUITE_P(Kinds, InfoOfEveryKind, testing::ValuesIn(kKinds), kind_name);

Window make(const Kind& kind, MPI_Aint size, int unit,
            std::initializer_list<std::pair<const char*, std::string>> keys = {}) {
  Info info{keys};
  kind.set(info, world_rank());
  return Window{kind.flat() && world_rank() != 0 ? 0 : size, unit, info};
}

/// The value of `key`, which must be the same on all ranks.
std::string common_value(MPI_Win win, const char* key) {
  const std::string mine = window_info(win, key);
  std::array<char, MPI_MAX_INFO_VAL> first{};
  std::memcpy(first.data(), mine.data(), mine.size());
  MPI_Bcast(first.data(), static_cast<int>(first.size()), MPI_CHAR, 0, MPI_COMM_WORLD);
  EXPECT_EQ(mine, first.data()) << key << " on rank " << world_rank();
  return mine;
}

void set_consistency(MPI_Win win, const char* value) {
  const Info change{{"psnam_consistency", value}};
  EXPECT_EQ(MPI_Win_set_info(win, change), MPI_SUCCESS);
}

TEST_P(InfoOfEveryKind, HasTheKeysInForce) {
  const Window window = make(GetParam(), 64, 8);
  const bool contiguous = std::string{GetParam().structure} == "managed_contiguous";
  EXPECT_EQ(window_info(window, "psnam_manifestation"), GetParam().manifestation_of(contiguous ? 0 : world_rank()));
  EXPECT_EQ(common_value(window, "psnam_structure"), std::string{"psnam_structure_"} + GetParam().structure);
  EXPECT_EQ(common_value(window, "psnam_consistency"), "psnam_consistency_volatile");
  EXPECT_EQ(common_value(window, "psnam_window_mode"), "0600");
  EXPECT_EQ(common_value(window, "psnam_reserve"), "full");
  EXPECT_EQ(common_value(window, "psnam_baseptr"), "null");
  EXPECT_EQ(common_value(window, "psnam_window_name"), "(absent)");
  EXPECT_EQ(window.base(), nullptr);
  if (GetParam().flat())
    EXPECT_NE(common_value(window, "psnam_allocation_id"), "(absent)");
  else
    EXPECT_EQ(common_value(window, "psnam_allocation_id"), "(absent)");
}

TEST_P(InfoOfEveryKind, HasTheKeysOfTheMpiLibraryToo) {
  const Window window = make(GetParam(), 64, 1);
  MPI_Info native_info = MPI_INFO_NULL;
  MPI_Win native = MPI_WIN_NULL;
  MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &native);
  MPI_Win_get_info(native, &native_info);
  int keys = 0;
  MPI_Info_get_nkeys(native_info, &keys);
  EXPECT_GT(keys, 0);
  for (int i = 0; i < keys; ++i) {
    char key[MPI_MAX_INFO_KEY + 1] = "";
    MPI_Info_get_nthkey(native_info, i, key);
    EXPECT_NE(window_info(window, key), "(absent)") << key;
  }
  MPI_Info_free(&native_info);
  MPI_Win_free(&native);
}

TEST_P(InfoOfEveryKind, ChosenValuesComeBack) {
  Window window = make(GetParam(), 64, 1,
                       {{"psnam_consistency", "psnam_consistency_persistent"},
                        {"psnam_window_name", "chosen-name_1.x/y:z"},
                        {"psnam_window_mode", "640"},
                        {"psnam_reserve", "lazy"}});
  EXPECT_EQ(common_value(window, "psnam_consistency"), "psnam_consistency_persistent");
  EXPECT_EQ(common_value(window, "psnam_window_name"), "chosen-name_1.x/y:z");
  EXPECT_EQ(common_value(window, "psnam_window_mode"), "0640");
  EXPECT_EQ(common_value(window, "psnam_reserve"), "lazy");
  set_consistency(window, "psnam_consistency_volatile");
}

TEST_P(InfoOfEveryKind, ConsistencyCanBeChangedToAndFro) {
  const PartedWindow window{GetParam(), 16};
  const int me = world_rank();
  const std::byte value = pattern(me, me, 3);
  window.fence();
  EXPECT_EQ(MPI_Put(&value, 1, MPI_BYTE, window.target(me), window.displacement(me, 3), 1, MPI_BYTE, window),
            MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  std::string name;
  for (int round = 0; round < 2; ++round) {
    set_consistency(window, "psnam_consistency_persistent");
    EXPECT_EQ(common_value(window, "psnam_consistency"), "psnam_consistency_persistent");
    const std::string now = common_value(window, "psnam_window_name");
    EXPECT_NE(now, "(absent)");
    if (round > 0) {
      EXPECT_EQ(now, name);
    }
    name = now;
    set_consistency(window, "psnam_consistency_persistent");
    set_consistency(window, "psnam_consistency_volatile");
    EXPECT_EQ(common_value(window, "psnam_consistency"), "psnam_consistency_volatile");
    EXPECT_EQ(common_value(window, "psnam_window_name"), "(absent)");
  }
  window.fence();
  const auto part = window.read(me, 16);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(part[3], value);
}

TEST(WindowInfo, GeneratedNamesAreUniqueAndShortEnough) {
  std::set<std::string> names;
  std::vector<Window> windows;
  for (int i = 0; i < 5; ++i)
    windows.push_back(make(kKinds[5], 8, 1, {{"psnam_consistency", "psnam_consistency_persistent"}}));
  for (const Window& window : windows) {
    const std::string name = common_value(window, "psnam_window_name");
    EXPECT_LE(name.size(), std::size_t{MPI_MAX_PORT_NAME - 1});
    EXPECT_GE(name.size(), std::size_t{1});
    for (const char c : name) EXPECT_TRUE(c > ' ' && c <= '~') << name;
    EXPECT_TRUE(names.insert(name).second) << name << " was given twice";
    set_consistency(window, "psnam_consistency_volatile");
  }
}

TEST(WindowInfo, ANameOfTheFullLengthIsTaken) {
  const std::string name(255, 'n');
  const Window window =
      make(kKinds[3], 8, 1, {{"psnam_consistency", "psnam_consistency_persistent"}, {"psnam_window_name", name}});
  ASSERT_NE(static_cast<MPI_Win>(window), MPI_WIN_NULL);
  EXPECT_EQ(common_value(window, "psnam_window_name"), name);
  set_consistency(window, "psnam_consistency_volatile");
}

TEST(WindowInfo, AChosenNameIsKeptForAWindowThatBecomesPersistentLater) {
  const Window window = make(kKinds[5], 8, 1, {{"psnam_window_name", "later"}});
  EXPECT_EQ(common_value(window, "psnam_window_name"), "(absent)");
  set_consistency(window, "psnam_consistency_persistent");
  EXPECT_EQ(common_value(window, "psnam_window_name"), "later");
  set_consistency(window, "psnam_consistency_volatile");
}

TEST(WindowInfo, SettingNoKeyOfOursOrTheValueInForceChangesNothing) {
  const Window window = make(kKinds[5], 8, 1);
  EXPECT_EQ(MPI_Win_set_info(window, MPI_INFO_NULL), MPI_SUCCESS);
  const Info other{{"no_locks", "true"}};
  EXPECT_EQ(MPI_Win_set_info(window, other), MPI_SUCCESS);
  EXPECT_EQ(window_info(window, "no_locks"), "true");
  const Info same{{"psnam_structure", "psnam_structure_managed_distributed"}, {"psnam_window_mode", "0600"}};
  EXPECT_EQ(MPI_Win_set_info(window, same), MPI_SUCCESS);
  EXPECT_EQ(common_value(window, "psnam_consistency"), "psnam_consistency_volatile");
}

/// Whether each rank maps its own region.
bool all_are_mapped(const Kind& kind) {
  const int mine = is_mapped(kind, world_rank()) ? 1 : 0;
  int all = 0;
  MPI_Allreduce(&mine, &all, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD);
  return all != 0;
}

/// Loads and stores are refused on all ranks, for the lowest that does not map its own region.
void expect_no_base_pointer(const Kind& kind) {
  const HandledComm comm;
  Info info{{"psnam_baseptr", "load_store"}};
  kind.set(info, world_rank());
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  const int code = MPI_Win_allocate(64, 1, info, comm, &base, &win);
  expect_handled_once(code);
  EXPECT_EQ(win, MPI_WIN_NULL);
  expect_same_error(code, MPI_ERR_INFO_VALUE, {"psnam_baseptr", "load_store", "is not mapped here"}, comm);
  expect_files(0, comm);
}

TEST(BasePointer, LeadsToTheOwnRegionAndThoseOfOtherRanks) {
  for (const std::size_t kind : {std::size_t{1}, std::size_t{5}, std::size_t{8}}) {
    const int me = world_rank();
    if (!all_are_mapped(kKinds[kind])) {
      expect_no_base_pointer(kKinds[kind]);
      continue;
    }
    const Window window = make(kKinds[kind], 64, 1, {{"psnam_baseptr", "load_store"}});
    ASSERT_NE(window.base(), nullptr);
    EXPECT_EQ(common_value(window, "psnam_baseptr"), "load_store");
    std::memset(window.base(), 0x40 + me, 64);
    window.fence(MPI_MODE_NOPRECEDE);
    for (int rank = 0; rank < world_size(); ++rank) {
      MPI_Aint size = 0;
      int unit = 0;
      unsigned char* base = nullptr;
      EXPECT_EQ(MPI_Win_shared_query(window, rank, &size, &unit, &base), MPI_SUCCESS);
      ASSERT_NE(base, nullptr);
      EXPECT_EQ(size, 64);
      for (int i = 0; i < 64; ++i) EXPECT_EQ(base[i], 0x40 + rank);
      if (rank == me) {
        EXPECT_EQ(base, window.base());
      }
    }
    window.fence(MPI_MODE_NOSUCCEED);
  }
}

TEST(BasePointer, IsNullForARankWithoutBytes) {
  const Window window = make(kKinds[3], 64, 1, {{"psnam_baseptr", "load_store"}});
  EXPECT_EQ(window.base() != nullptr, world_rank() == 0);
}

TEST_P(InfoOfEveryKind, SharedQueryTellsSizeAndUnitOfEachRank) {
  const bool flat = GetParam().flat();
  Info info{};
  GetParam().set(info, world_rank());
  const auto size_of_rank = [flat](int rank) { return flat && rank != 0 ? 0 : 24 * (rank + 1); };
  const Window window{size_of_rank(world_rank()), 1 << world_rank(), info};
  for (int rank = 0; rank < world_size(); ++rank) {
    MPI_Aint size = -1;
    int unit = -1;
    int not_null = 0;
    void* base = &not_null;
    EXPECT_EQ(MPI_Win_shared_query(window, rank, &size, &unit, &base), MPI_SUCCESS);
    EXPECT_EQ(size, size_of_rank(rank));
    EXPECT_EQ(unit, 1 << rank);
    EXPECT_EQ(base, nullptr);
    MPI_Aint large_unit = -1;
    EXPECT_EQ(MPI_Win_shared_query_c(window, rank, &size, &large_unit, &base), MPI_SUCCESS);
    EXPECT_EQ(large_unit, 1 << rank);
    EXPECT_EQ(MPI_Win_shared_query(window, rank, &size, &unit, nullptr), MPI_SUCCESS);
  }
  EXPECT_EQ(error_class(MPI_Win_shared_query(window, world_size(), nullptr, nullptr, nullptr)), MPI_ERR_RANK);
}

TEST(SharedQuery, OfMpiProcNullIsTheFirstRankWithBytes) {
  Info info{kPershm};
  const int last = world_size() - 1;
  const Window window{world_rank() == last ? 40 : 0, world_rank() + 3, info};
  MPI_Aint size = -1;
  int unit = -1;
  void* base = nullptr;
  EXPECT_EQ(MPI_Win_shared_query(window, MPI_PROC_NULL, &size, &unit, &base), MPI_SUCCESS);
  EXPECT_EQ(size, 40);
  EXPECT_EQ(unit, last + 3);
}

TEST(SharedQuery, ALargeUnitIsToldByTheLargeCountTwinOnly) {
  Info info{kPershm};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  constexpr MPI_Aint kUnit = MPI_Aint{1} << 33;
  ASSERT_EQ(MPI_Win_allocate_c(8, kUnit, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
  MPI_Aint size = 0;
  MPI_Aint unit = 0;
  EXPECT_EQ(MPI_Win_shared_query_c(win, 0, &size, &unit, &base), MPI_SUCCESS);
  EXPECT_EQ(unit, kUnit);
  int small = 0;
  EXPECT_EQ(error_class(MPI_Win_shared_query(win, 0, &size, &small, &base)), MPI_ERR_DISP);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

template <class T>
T* attribute(MPI_Win win, int keyval) {
  T* value = nullptr;
  int flag = 0;
  EXPECT_EQ(MPI_Win_get_attr(win, keyval, &value, &flag), MPI_SUCCESS);
  EXPECT_EQ(flag, 1) << "attribute " << keyval;
  return value;
}

TEST(Attributes, ThePredefinedOnesAreThoseOfThePsnamWindow) {
  for (const char* baseptr : {"null", "load_store"}) {
    const Window window = make(kKinds[5], 72, 6, {{"psnam_baseptr", baseptr}});
    EXPECT_EQ(attribute<void>(window, MPI_WIN_BASE), window.base());
    EXPECT_EQ(*attribute<MPI_Aint>(window, MPI_WIN_SIZE), 72);
    EXPECT_EQ(*attribute<int>(window, MPI_WIN_DISP_UNIT), 6);
    EXPECT_EQ(*attribute<int>(window, MPI_WIN_CREATE_FLAVOR), MPI_WIN_FLAVOR_ALLOCATE);
    EXPECT_EQ(*attribute<int>(window, MPI_WIN_MODEL), MPI_WIN_UNIFIED);
  }
}

int count_delete(MPI_Win, int, void* value, void* extra) {
  ++*static_cast<int*>(value);
  ++*static_cast<int*>(extra);
  return MPI_SUCCESS;
}

TEST(Attributes, OfTheProgramAreKeptAndDeletedWithTheWindow) {
  int deleted = 0;
  int value = 10;
  int keyval = MPI_KEYVAL_INVALID;
  MPI_Win_create_keyval(MPI_WIN_NULL_COPY_FN, count_delete, &keyval, &deleted);
  {
    const Window window = make(kKinds[8], 8, 1);
    void* found = nullptr;
    int flag = 1;
    EXPECT_EQ(MPI_Win_get_attr(window, keyval, &found, &flag), MPI_SUCCESS);
    EXPECT_EQ(flag, 0);
    EXPECT_EQ(MPI_Win_set_attr(window, keyval, &value), MPI_SUCCESS);
    EXPECT_EQ(attribute<int>(window, keyval), &value);
    EXPECT_EQ(deleted, 0);
  }
  EXPECT_EQ(deleted, 1);
  EXPECT_EQ(value, 11);
  MPI_Win_free_keyval(&keyval);
}

TEST(Attributes, TheWindowsNameIsTheProgramsToSet) {
  const Window window = make(kKinds[5], 8, 1);
  EXPECT_EQ(MPI_Win_set_name(window, "of the program"), MPI_SUCCESS);
  char name[MPI_MAX_OBJECT_NAME] = "";
  int length = 0;
  EXPECT_EQ(MPI_Win_get_name(window, name, &length), MPI_SUCCESS);
  EXPECT_STREQ(name, "of the program");
  EXPECT_EQ(length, 14);
}

TEST(Attributes, TheGroupIsThatOfTheCommunicator) {
  MPI_Comm reversed = MPI_COMM_NULL;
  MPI_Comm_split(MPI_COMM_WORLD, 0, -world_rank(), &reversed);
  const Info info{kPershm};
  {
    const Window window{8, 1, info, reversed};
    MPI_Group group = MPI_GROUP_NULL;
    MPI_Group expected = MPI_GROUP_NULL;
    EXPECT_EQ(MPI_Win_get_group(window, &group), MPI_SUCCESS);
    MPI_Comm_group(reversed, &expected);
    int result = MPI_UNEQUAL;
    MPI_Group_compare(group, expected, &result);
    EXPECT_EQ(result, MPI_IDENT);
    MPI_Group_free(&group);
    MPI_Group_free(&expected);
  }
  MPI_Comm_free(&reversed);
}

TEST(Attributes, HandlesAreTranslatedToFortranAndBack) {
  const Window window = make(kKinds[5], 8, 1);
  EXPECT_EQ(MPI_Win_f2c(MPI_Win_c2f(window)), static_cast<MPI_Win>(window));
}

}  // namespace
}  // namespace psnam::test
