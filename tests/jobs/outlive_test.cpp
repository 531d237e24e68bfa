// A window outlives its job: one job makes and fills windows of every structure and mix of manifestations, jobs of
// other sizes find, read, write and remove them. The script runs the roles (test suites) as jobs of their own.
#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr int kProducers = 4;
constexpr int kFirstSalt = 1;
constexpr int kSecondSalt = 2;

enum class Found { by_chosen_name, by_generated_name, by_service };

struct Case {
  std::string structure;
  std::string mix;
  Found found;
  [[nodiscard]] Shape shape() const { return {structure}; }
  [[nodiscard]] std::string label() const { return structure + "_" + mix; }
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.label(); }

std::vector<Case> cases() {
  std::vector<Case> all;
  int i = 0;
  for (const char* structure : {"raw_and_flat", "managed_contiguous", "managed_distributed"})
    for (const char* mix : {"libnam", "pershm", "mixed"}) {
      // Each structure is found in each way, with another mix each time.
      all.push_back({structure, mix, static_cast<Found>((i + i / 3) % 3)});
      ++i;
    }
  return all;
}

std::string name_of_window(const Case& c) {
  if (c.found == Found::by_chosen_name) return "outlive." + c.label();
  if (c.found == Found::by_generated_name) return read_note(c.label());
  char name[MPI_MAX_PORT_NAME] = "";
  const int rc = MPI_Lookup_name(c.label().c_str(), MPI_INFO_NULL, name);
  EXPECT_EQ(rc, MPI_SUCCESS) << error_text(rc);
  return name;
}

class Role : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN);
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  }
};
class Producer : public Role {};
class Reader : public Role {};
class Writer : public Role {};
class Remover : public Role {};

TEST_P(Producer, LeavesAFilledPersistentWindow) {
  const Case& c = GetParam();
  ASSERT_EQ(world_size(), kProducers);
  Info info{{"psnam_manifestation", manifestation_of(c.mix, world_rank())},
            {"psnam_structure", "psnam_structure_" + c.structure},
            {"psnam_consistency", "psnam_consistency_persistent"}};
  if (c.found != Found::by_generated_name) info.set("psnam_window_name", "outlive." + c.label());
  MPI_Win win = allocate(info, c.shape().size_of_rank(world_rank()), c.shape().unit_of_rank(world_rank()));
  fill(win, c.shape(), kProducers, kFirstSalt, world_rank(), kProducers);
  const std::string name = window_info(win, "psnam_window_name");
  if (c.found == Found::by_generated_name) {
    EXPECT_EQ(name.rfind("psnam-", 0), 0U) << name;
    write_note(c.label(), name);
  } else {
    EXPECT_EQ(name, "outlive." + c.label());
  }
  if (c.found == Found::by_service && world_rank() == 0) {
    EXPECT_EQ(MPI_Publish_name(c.label().c_str(), MPI_INFO_NULL, name.c_str()), MPI_SUCCESS);
  }
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

void expect_query(MPI_Win win, const Shape& shape) {
  for (int rank = 0; rank < kProducers; ++rank) {
    MPI_Aint size = -1;
    int unit = -1;
    void* base = &size;
    ASSERT_EQ(MPI_Win_shared_query(win, rank, &size, &unit, &base), MPI_SUCCESS);
    EXPECT_EQ(size, static_cast<MPI_Aint>(shape.size_of_rank(rank))) << rank;
    EXPECT_EQ(unit, shape.unit_of_rank(rank)) << rank;
    EXPECT_EQ(base, nullptr);
  }
}

void expect_keys(MPI_Win win, const Case& c, const std::string& name) {
  EXPECT_EQ(window_info(win, "psnam_structure"), "psnam_structure_" + c.structure);
  EXPECT_EQ(window_info(win, "psnam_consistency"), "psnam_consistency_persistent");
  EXPECT_EQ(window_info(win, "psnam_window_name"), name);
  EXPECT_EQ(window_info(win, "psnam_window_mode"), "0600");
  EXPECT_EQ(window_info(win, "psnam_access"), "read_write");
  EXPECT_EQ(window_info(win, "psnam_allocation_id") != "(absent)", c.structure == "raw_and_flat");
}

/// Reads the middle of each region by its displacement unit, as elements of that size.
void expect_units(MPI_Win win, const Shape& shape, int salt) {
  for (int rank = 0; rank < kProducers; ++rank) {
    const int unit = shape.unit_of_rank(rank);
    const auto elements = static_cast<int>(shape.size_of_rank(rank)) / unit;
    if (elements == 0) continue;
    std::vector<std::uint8_t> element(static_cast<std::size_t>(unit));
    MPI_Win_fence(0, win);
    ASSERT_EQ(MPI_Get(element.data(), unit, MPI_BYTE, rank, elements / 2, unit, MPI_BYTE, win), MPI_SUCCESS);
    MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
    for (int i = 0; i < unit; ++i)
      EXPECT_EQ(element[static_cast<std::size_t>(i)],
                pattern(salt, rank, static_cast<std::size_t>(elements / 2 * unit + i)))
          << rank;
  }
}

TEST_P(Reader, ReadsEveryByteOfEveryFormerRank) {
  const Case& c = GetParam();
  const int salt = std::stoi(argument("salt"));
  const std::string name = name_of_window(c);
  MPI_Comm inter = MPI_COMM_NULL;
  ASSERT_EQ(connect(name, inter), MPI_SUCCESS);
  int is_inter = 0;
  int former = 0;
  EXPECT_EQ(MPI_Comm_test_inter(inter, &is_inter), MPI_SUCCESS);
  EXPECT_EQ(MPI_Comm_remote_size(inter, &former), MPI_SUCCESS);
  EXPECT_TRUE(is_inter);
  EXPECT_EQ(former, kProducers);
  MPI_Win win = window_on(inter);
  expect_query(win, c.shape());
  expect_keys(win, c, name);
  expect_pattern(win, c.shape(), kProducers, salt);
  expect_units(win, c.shape(), salt);
  expect_bounds(win, c.shape(), kProducers - 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Comm_free(&inter), MPI_SUCCESS);
  EXPECT_EQ(inter, MPI_COMM_NULL);
}

TEST_P(Writer, OverwritesEveryRegion) {
  const Case& c = GetParam();
  MPI_Win win = connected_window(name_of_window(c));
  fill(win, c.shape(), kProducers, kSecondSalt, world_rank(), world_size());
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST_P(Remover, MakesTheWindowVolatileAndFreesIt) {
  const Case& c = GetParam();
  const std::string name = name_of_window(c);
  remove_window(connected_window(name));
  expect_no_window(name);
  if (c.found == Found::by_service) {
    char port[MPI_MAX_PORT_NAME] = "";
    EXPECT_EQ(error_class(MPI_Lookup_name(c.label().c_str(), MPI_INFO_NULL, port)), MPI_ERR_NAME);
  }
}

const auto kNames = [](const testing::TestParamInfo<Case>& info) { return info.param.label(); };
INSTANTIATE_TEST_SUITE_P(Every, Producer, testing::ValuesIn(cases()), kNames);
INSTANTIATE_TEST_SUITE_P(Every, Reader, testing::ValuesIn(cases()), kNames);
INSTANTIATE_TEST_SUITE_P(Every, Writer, testing::ValuesIn(cases()), kNames);
INSTANTIATE_TEST_SUITE_P(Every, Remover, testing::ValuesIn(cases()), kNames);

}  // namespace
}  // namespace psnam::test
