// Managed checkpoints in C++: structures as archives, and exceptions. Nothing is preloaded.
#include <cereal/archives/binary.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <psnam_checkpoint.hpp>

#include <memory>
#include <string>
#include <vector>

#include "mpi/mpi_test.hpp"

namespace psnam::test {
namespace {

struct Particle {
  double x = 0, y = 0;
  std::string kind;
  bool operator==(const Particle&) const = default;
  template <class Archive>
  void serialize(Archive& archive) {
    archive(x, y, kind);
  }
};

struct State {
  std::uint64_t step = 0;
  std::vector<Particle> particles;
  std::map<std::string, double> settings;

  explicit State(std::uint64_t version = 0) : step{version} {
    for (std::uint64_t one = 0; one < version * 100; ++one)
      particles.push_back({static_cast<double>(one), static_cast<double>(world_rank()), std::string(one % 40, 'p')});
    settings["version"] = static_cast<double>(version);
  }
  bool operator==(const State& other) const {
    return step == other.step && particles == other.particles && settings == other.settings;
  }
};

class Archives : public ::testing::Test {
 protected:
  void SetUp() override { MPI_Barrier(MPI_COMM_WORLD); }
  void TearDown() override {
    EXPECT_EQ(nam_finalize(), 0) << nam_strerror();
    MPI_Barrier(MPI_COMM_WORLD);
  }
  static std::unique_ptr<Checkpoint> open(State& state) {
    auto checkpoint = std::make_unique<Checkpoint>("archives", MPI_COMM_WORLD);
    checkpoint->add_shared(1, state.step);
    checkpoint->add_object(2, state.particles);
    checkpoint->add_object(3, state.settings, true);
    return checkpoint;
  }
};

TEST_F(Archives, StructuresComeBackWhateverTheirSizeIs) {
  for (const std::uint64_t version : {3U, 50U, 51U}) {
    State state{version};
    open(state)->save(version);
  }
  State state{7};
  auto checkpoint = open(state);
  EXPECT_EQ(checkpoint->query().newest, 51U);
  EXPECT_EQ(checkpoint->versions(), (std::vector<std::uint64_t>{51, 50}));
  const Restart restart = checkpoint->restart();
  EXPECT_TRUE(restart);
  EXPECT_EQ(restart.version, 51U);
  EXPECT_EQ(restart.source, PSNAM_CHECKPOINT_OWN);
  EXPECT_EQ(state, State{51});
  EXPECT_EQ(checkpoint->restart(50).version, 50U);
  EXPECT_EQ(state, State{50});
  // What is saved is what the object was when that began.
  state = State{60};
  checkpoint->start();
  state.particles.clear();
  EXPECT_EQ(checkpoint->wait(), 52U);
  EXPECT_EQ(checkpoint->restart().version, 52U);
  EXPECT_EQ(state.particles, State{60}.particles);
  checkpoint->remove_series();
}

TEST_F(Archives, AWindowIsMemoryLikeAnyOther) {
  int* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(64, 4, MPI_INFO_NULL, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  {
    Checkpoint checkpoint{"window", MPI_COMM_WORLD};
    checkpoint.add_window(1, win);
    base[3] = 10 + world_rank();
    checkpoint.save();
    base[3] = 0;
    EXPECT_EQ(checkpoint.restart().version, 1U);
    EXPECT_EQ(base[3], 10 + world_rank());
    EXPECT_THROW(checkpoint.add_window(2, MPI_WIN_NULL), CheckpointError);
    checkpoint.remove_series();
  }
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST_F(Archives, ErrorsAreExceptionsWithTheReason) {
  State state{1};
  auto checkpoint = open(state);
  EXPECT_FALSE(checkpoint->restart());
  try {
    checkpoint->add(1, state.step);
    ADD_FAILURE() << "registered twice";
  } catch (const CheckpointError& error) {
    EXPECT_EQ(error.error_number(), EBUSY);
    EXPECT_STREQ(error.what(), nam_strerror());
  }
  const bool is_last = world_rank() == world_size() - 1;
  checkpoint->add_object(
      4,
      [&](std::ostream&) {
        if (is_last) throw std::runtime_error{"the disk is full"};
      },
      [](std::istream&) {});
  try {
    checkpoint->save();
    ADD_FAILURE() << "saved";
  } catch (const CheckpointError& error) {
    EXPECT_NE(std::string{error.what()}.find("object 4"), std::string::npos) << error.what();
    EXPECT_EQ(std::string{error.what()}.ends_with("(the disk is full)"), is_last) << error.what();
  }
  checkpoint->remove(4);
  checkpoint->save();
  EXPECT_THROW(checkpoint->add_part(5, &state.step, {4, 4}, {4}, {0, 0}), CheckpointError);
  checkpoint->remove_series();
}

TEST_F(Archives, AShortArchiveIsAnError) {
  std::string text = "as it was";
  Checkpoint checkpoint{"archives", MPI_COMM_WORLD};
  checkpoint.add_object(
      1, [](std::ostream& to) { to << "x"; }, [&](std::istream& from) { cereal::BinaryInputArchive{from}(text); });
  checkpoint.save();
  EXPECT_THROW(checkpoint.restart(), CheckpointError);
  checkpoint.remove_series();
}

}  // namespace
}  // namespace psnam::test
