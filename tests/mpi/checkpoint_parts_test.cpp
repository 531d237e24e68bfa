// Managed checkpoints that another number of ranks goes on with: parts of arrays, what is the same everywhere, objects.
// A smaller job is a part of the ranks of this one. Nothing is preloaded.
#include <psnam_checkpoint.h>
#include <stdlib.h>

#include <cerrno>
#include <string>
#include <vector>

#include "mpi/mpi_test.hpp"
#include "support/copy_files.hpp"
#include "support/nam_failure.hpp"

namespace psnam::test {
namespace {

constexpr std::uint64_t kRows = 61, kColumns = 157, kLine = 100'003;

/// How the ranks of a job have the table: in rows, in columns, or in two columns of blocks.
enum class Division { rows, columns, blocks };

struct Piece {
  std::uint64_t first = 0, count = 0;
};
/// Of `size` elements, the piece of one of `pieces`; the first of several gets nothing.
Piece piece(std::uint64_t size, int pieces, int index) {
  if (pieces == 1) return {0, size};
  const auto last = static_cast<std::uint64_t>(pieces - 1);
  const auto one = static_cast<std::uint64_t>(index);
  if (one == 0) return {0, 0};
  const std::uint64_t first = size * (one - 1) / last;
  return {first, size * one / last - first};
}
/// The same without an empty one.
Piece even_piece(std::uint64_t size, int pieces, int index) {
  const auto all = static_cast<std::uint64_t>(pieces), one = static_cast<std::uint64_t>(index);
  const std::uint64_t first = size * one / all;
  return {first, size * (one + 1) / all - first};
}

/// One job: the ranks that are in it, with data that tell their version.
class Job {
 public:
  explicit Job(int ranks) : ranks_{ranks} {
    MPI_Comm_split(MPI_COMM_WORLD, world_rank() < ranks ? 0 : MPI_UNDEFINED, world_rank(), &comm_);
    if (takes_part()) MPI_Comm_rank(comm_, &rank_);
  }
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() {
    if (takes_part()) MPI_Comm_free(&comm_);
    MPI_Barrier(MPI_COMM_WORLD);
  }

  [[nodiscard]] bool takes_part() const { return comm_ != MPI_COMM_NULL; }
  [[nodiscard]] int rank() const { return rank_; }
  [[nodiscard]] psnam_checkpoint_t* checkpoint() const { return checkpoint_; }

  void open(const psnam_checkpoint_options_t& options, Division division) {
    checkpoint_ = psnam_checkpoint_open(&options, comm_);
    ASSERT_NE(checkpoint_, nullptr) << nam_strerror();
    divide(division);
    ASSERT_EQ(psnam_checkpoint_register_shared(checkpoint_, 1, &step_, sizeof step_), 0) << nam_strerror();
    register_table();
    const std::uint64_t line = kLine;
    ASSERT_EQ(psnam_checkpoint_register_part(checkpoint_, 3, line_.data(), 1, 1, &line, &line_piece_.count,
                                             &line_piece_.first),
              0)
        << nam_strerror();
    const psnam_checkpoint_object_t object{&text_, pack, unpack};
    ASSERT_EQ(psnam_checkpoint_register_object(checkpoint_, 4, &object, 1), 0) << nam_strerror();
  }
  void register_table(std::uint64_t columns = kColumns) {
    const std::uint64_t sizes[2] = {kRows, columns}, subsizes[2] = {rows_.count, columns_.count},
                        starts[2] = {rows_.first, columns_.first};
    ASSERT_EQ(psnam_checkpoint_register_part(checkpoint_, 2, table_.data(), sizeof(std::uint64_t), 2, sizes, subsizes,
                                             starts),
              0)
        << nam_strerror();
  }
  void divide(Division division) {
    rows_ = {0, kRows};
    columns_ = {0, kColumns};
    if (division == Division::rows) rows_ = even_piece(kRows, ranks_, rank_);
    if (division == Division::columns) columns_ = piece(kColumns, ranks_, rank_);
    if (division == Division::blocks && ranks_ % 2 == 0) {
      rows_ = even_piece(kRows, ranks_ / 2, rank_ / 2);
      columns_ = even_piece(kColumns, 2, rank_ % 2);
    } else if (division == Division::blocks) {
      columns_ = even_piece(kColumns, ranks_, rank_);
    }
    line_piece_ = even_piece(kLine, ranks_, ranks_ - 1 - rank_);
    table_.assign(rows_.count * columns_.count, 0);
    line_.assign(line_piece_.count, 0);
  }
  void fill(std::uint64_t version) {
    step_ = version;
    text_ = text(version);
    for (std::uint64_t i = 0; i < table_.size(); ++i) table_[i] = element(i, version);
    for (std::uint64_t i = 0; i < line_.size(); ++i) line_[i] = byte(i, version);
  }
  void expect_filled(std::uint64_t version) const {
    EXPECT_EQ(step_, version);
    EXPECT_EQ(text_, text(version));
    bool same = true;
    for (std::uint64_t i = 0; i < table_.size(); ++i) same = same && table_[i] == element(i, version);
    EXPECT_TRUE(same) << "the table of version " << version;
    same = true;
    for (std::uint64_t i = 0; i < line_.size(); ++i) same = same && line_[i] == byte(i, version);
    EXPECT_TRUE(same) << "the line of version " << version;
  }
  void save(std::uint64_t version) {
    fill(version);
    ASSERT_EQ(psnam_checkpoint_save(checkpoint_, version), 0) << nam_strerror();
  }
  void expect_restored(std::uint64_t version, int source) {
    fill(1000);
    int got = -1;
    std::uint64_t number = 0;
    ASSERT_EQ(psnam_checkpoint_restart(checkpoint_, &number, &got), 0) << nam_strerror();
    EXPECT_EQ(number, version);
    EXPECT_EQ(got, source);
    expect_filled(version);
  }
  void close() { ASSERT_EQ(psnam_checkpoint_close(checkpoint_), 0) << nam_strerror(); }
  void remove() { ASSERT_EQ(psnam_checkpoint_remove(checkpoint_), 0) << nam_strerror(); }

 private:
  static std::string text(std::uint64_t version) { return std::string(version % 50 * 3000 + 1, 'a') + "end"; }
  [[nodiscard]] std::uint64_t element(std::uint64_t i, std::uint64_t version) const {
    const std::uint64_t row = rows_.first + i / columns_.count, column = columns_.first + i % columns_.count;
    return row * 1'000'000 + column * 1000 + version;
  }
  [[nodiscard]] unsigned char byte(std::uint64_t i, std::uint64_t version) const {
    const std::uint64_t number = line_piece_.first + i;
    return static_cast<unsigned char>(number * 11 + number / 253 + version * 31);
  }
  static int pack(void* object, const void** data, size_t* bytes) {
    const auto& text = *static_cast<std::string*>(object);
    *data = text.data();
    *bytes = text.size();
    return 0;
  }
  static int unpack(void* object, const void* data, size_t bytes) {
    static_cast<std::string*>(object)->assign(static_cast<const char*>(data), bytes);
    return 0;
  }

  int ranks_;
  int rank_ = -1;
  MPI_Comm comm_ = MPI_COMM_NULL;
  psnam_checkpoint_t* checkpoint_ = nullptr;
  Piece rows_, columns_, line_piece_;
  std::uint64_t step_ = 0;
  std::vector<std::uint64_t> table_;
  std::vector<unsigned char> line_;
  std::string text_;
};

class PartsOfArrays : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const folder = ::getenv("PSNAM_STORE");
    ASSERT_NE(folder, nullptr);
    store_ = folder;
    MPI_Barrier(MPI_COMM_WORLD);
  }
  /// Everything is gone.
  void TearDown() override {
    MPI_Barrier(MPI_COMM_WORLD);
    EXPECT_TRUE(copy_files(store_).empty());
    EXPECT_EQ(nam_finalize(), 0) << nam_strerror();
    MPI_Barrier(MPI_COMM_WORLD);
  }
  [[nodiscard]] static psnam_checkpoint_options_t options(std::uint32_t policy = PSNAM_CHECKPOINT_BY_PARITY) {
    psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
    options.name = "parts";
    options.policy = policy;
    return options;
  }
  /// A job with that number of ranks, of the ranks that are in it; the others wait.
  template <class Body>
  static void job(int ranks, const psnam_checkpoint_options_t& options, Division division, Body body) {
    Job one{ranks};
    if (!one.takes_part()) return;
    ASSERT_NO_FATAL_FAILURE(one.open(options, division));
    ASSERT_NO_FATAL_FAILURE(body(one));
  }
  template <class Body>
  void meanwhile(Body body) {
    MPI_Barrier(MPI_COMM_WORLD);
    if (world_rank() == 0) body();
    MPI_Barrier(MPI_COMM_WORLD);
  }
  void clean_up(const psnam_checkpoint_options_t& options) {
    job(1, options, Division::rows, [](Job& one) { one.remove(); });
  }
  /// Saves two versions with all ranks.
  static void save_two(const psnam_checkpoint_options_t& options) {
    job(world_size(), options, Division::rows, [](Job& all) {
      ASSERT_NO_FATAL_FAILURE(all.save(1));
      ASSERT_NO_FATAL_FAILURE(all.save(2));
      all.close();
    });
  }

  const int ranks_ = world_size();
  std::filesystem::path store_;
};

TEST_F(PartsOfArrays, AnyNumberOfRanksGoesOnWithWhatAnyOtherHasSaved) {
  std::uint64_t version = 0;
  for (const Division division : {Division::rows, Division::columns, Division::blocks}) {
    for (const int ranks : {ranks_, 1, (ranks_ + 1) / 2, ranks_}) {
      job(ranks, options(), division, [&](Job& one) {
        std::uint64_t number = 0;
        int source = -1;
        one.fill(1000);
        ASSERT_EQ(psnam_checkpoint_restart(one.checkpoint(), &number, &source), 0) << nam_strerror();
        ASSERT_EQ(number, version);
        EXPECT_EQ(source == PSNAM_CHECKPOINT_NOTHING, version == 0);
        one.expect_filled(version == 0 ? 1000 : version);
        ASSERT_NO_FATAL_FAILURE(one.save(version + 1));
        one.expect_restored(version + 1, PSNAM_CHECKPOINT_OWN);
        ASSERT_NO_FATAL_FAILURE(one.save(version + 2));
        one.close();
      });
      version += 2;
    }
  }
  clean_up(options());
}

TEST_F(PartsOfArrays, AsManyRanksMayHaveOtherParts) {
  if (ranks_ < 2) return;
  save_two(options());
  job(ranks_, options(), Division::columns, [](Job& all) {
    all.expect_restored(2, PSNAM_CHECKPOINT_PARTS);
    ASSERT_NO_FATAL_FAILURE(all.save(3));
    all.expect_restored(3, PSNAM_CHECKPOINT_OWN);
    all.close();
  });
  clean_up(options());
}

TEST_F(PartsOfArrays, WhatFormerRanksHaveLostIsRebuilt) {
  if (ranks_ < 2) return;
  for (int lost = 0; lost < ranks_; ++lost) {
    save_two(options());
    meanwhile([&] { lose_copies(store_, lost); });
    for (const int ranks : {ranks_ - 1, 1})
      job(ranks, options(), Division::blocks,
          [](Job& fewer) { fewer.expect_restored(2, PSNAM_CHECKPOINT_PARTS), fewer.close(); });
    clean_up(options());
  }
}

TEST_F(PartsOfArrays, WhatOfFormerRanksIsDamagedIsRepaired) {
  if (ranks_ < 2) return;
  save_two(options());
  meanwhile([&] { damage_copy(store_, 1, 2, 70); });
  job(1, options(), Division::rows, [](Job& one) { one.expect_restored(2, PSNAM_CHECKPOINT_PARTS), one.close(); });
  job(ranks_, options(), Division::rows, [](Job& all) { all.expect_restored(2, PSNAM_CHECKPOINT_OWN), all.remove(); });
}

TEST_F(PartsOfArrays, MoreLostThanParitiesIsTold) {
  if (ranks_ < 3) return;
  save_two(options());
  meanwhile([&] {
    for (const int rank : {0, 1}) lose_copies(store_, rank, 2);
  });
  job(2, options(), Division::rows, [](Job& one) {
    std::uint64_t version = 0;
    EXPECT_NAM_FAILS(psnam_checkpoint_restart(one.checkpoint(), &version, nullptr), -1, EPIPE,
                     "ranks 0, 1 are lost, and 1 rank of a set can be made again at most; version 1 is complete");
    version = 1;
    EXPECT_EQ(psnam_checkpoint_restart(one.checkpoint(), &version, nullptr), 0) << nam_strerror();
    one.expect_filled(1);
    one.remove();
  });
}

TEST_F(PartsOfArrays, TheFormerNumberStaysUntilTheNewOneHasAVersion) {
  if (ranks_ < 2) return;
  save_two(options());
  job(1, options(), Division::columns, [](Job& one) {
    one.expect_restored(2, PSNAM_CHECKPOINT_PARTS);
    EXPECT_NAM_FAILS(psnam_checkpoint_save(one.checkpoint(), 2), -1, EINVAL, "version 2 is complete");
    one.close();
  });
  job(ranks_, options(), Division::rows, [](Job& all) {
    all.expect_restored(2, PSNAM_CHECKPOINT_OWN);
    all.close();
  });
  job(1, options(), Division::columns, [](Job& one) {
    one.expect_restored(2, PSNAM_CHECKPOINT_PARTS);
    ASSERT_NO_FATAL_FAILURE(one.save(3));
    one.close();
  });
  job(ranks_, options(), Division::rows, [](Job& all) {
    all.expect_restored(3, PSNAM_CHECKPOINT_PARTS);
    all.remove();
  });
}

TEST_F(PartsOfArrays, FilesOfAnotherNumberAreReadWhereMemoryIsGone) {
  if (ranks_ < 2) return;
  const std::string folder = store_.string() + "-files";
  psnam_checkpoint_options_t to_file = options();
  to_file.to_file = folder.c_str();
  save_two(to_file);
  const auto lose_all = [&] {
    meanwhile([&] {
      for (int rank = 0; rank < ranks_; ++rank) lose_copies(store_, rank);
    });
  };
  lose_all();
  job(1, to_file, Division::columns, [](Job& one) {
    one.expect_restored(2, PSNAM_CHECKPOINT_PARTS);
    ASSERT_NO_FATAL_FAILURE(one.save(3));
    EXPECT_EQ(psnam_checkpoint_flush(one.checkpoint()), 0) << nam_strerror();
    psnam_checkpoint_info_t info{};
    info.bytes = sizeof info;
    EXPECT_EQ(psnam_checkpoint_query(one.checkpoint(), &info), 0) << nam_strerror();
    EXPECT_GT(info.bytes_to_flush, info.payload_bytes);
    EXPECT_EQ(info.bytes_flushed, info.bytes_to_flush);
    one.close();
  });
  meanwhile([&] {
    for (const auto& entry : std::filesystem::directory_iterator{folder})
      EXPECT_TRUE(entry.path().string().ends_with(".0of1.checkpoint")) << entry.path();
  });
  // Nothing is known any more but what is in the folder.
  job(1, to_file, Division::rows, [&](Job& one) {
    const std::string elsewhere = folder + "-kept";
    std::filesystem::rename(folder, elsewhere);
    one.remove();
    std::filesystem::rename(elsewhere, folder);
  });
  job(ranks_, to_file, Division::blocks, [](Job& all) {
    all.expect_restored(3, PSNAM_CHECKPOINT_PARTS);
    ASSERT_NO_FATAL_FAILURE(all.save(4));
    EXPECT_EQ(psnam_checkpoint_flush(all.checkpoint()), 0) << nam_strerror();
    all.expect_restored(4, PSNAM_CHECKPOINT_OWN);
    all.remove();
  });
  meanwhile([&] { EXPECT_TRUE(std::filesystem::is_empty(folder)); });
}

TEST_F(PartsOfArrays, WhatDoesNotGoOverIsNamed) {
  if (ranks_ < 2) return;
  save_two(options());
  job(1, options(), Division::rows, [](Job& one) {
    std::uint64_t version = 0;
    std::uint64_t more = 7;
    const auto restart = [&] { return psnam_checkpoint_restart(one.checkpoint(), &version, nullptr); };
    ASSERT_EQ(psnam_checkpoint_register(one.checkpoint(), 9, &more, sizeof more), 0);
    EXPECT_NAM_FAILS(restart(), -1, EINVAL, "region 9 of 8 bytes is registered and was not saved");
    ASSERT_EQ(psnam_checkpoint_unregister(one.checkpoint(), 9), 0);
    ASSERT_EQ(psnam_checkpoint_unregister(one.checkpoint(), 1), 0);
    EXPECT_NAM_FAILS(restart(), -1, EINVAL, "region 1 of 8 bytes was saved and is not registered");
    ASSERT_EQ(psnam_checkpoint_register(one.checkpoint(), 1, &more, sizeof more), 0);
    EXPECT_NAM_FAILS(restart(), -1, EINVAL, "region 1 is of each rank alone");
    ASSERT_EQ(psnam_checkpoint_unregister(one.checkpoint(), 1), 0);
    ASSERT_EQ(psnam_checkpoint_register_shared(one.checkpoint(), 1, &more, 4), 0);
    EXPECT_NAM_FAILS(restart(), -1, EINVAL, "region 1 had 8 bytes when it was saved and is registered with 4");
    ASSERT_EQ(psnam_checkpoint_unregister(one.checkpoint(), 1), 0);
    ASSERT_EQ(psnam_checkpoint_register_shared(one.checkpoint(), 1, &more, sizeof more), 0);
    ASSERT_EQ(psnam_checkpoint_unregister(one.checkpoint(), 2), 0);
    one.register_table(kColumns + 1);
    EXPECT_NAM_FAILS(restart(), -1, EINVAL,
                     "region 2 is registered as a part of 61 x 158 elements of 8 bytes, and rank 0 saved a part of 61 "
                     "x 157 elements of 8 bytes");
    EXPECT_EQ(more, 7U) << "a region was touched";
    one.remove();
  });
}

TEST_F(PartsOfArrays, ElementsThatNobodyHasSavedAreNamed) {
  if (ranks_ < 2) return;
  std::vector<unsigned char> bytes(100);
  const auto with_line = [&](Job& job, std::uint64_t first, std::uint64_t count) {
    const std::uint64_t size = 100;
    ASSERT_EQ(psnam_checkpoint_register_part(job.checkpoint(), 20, bytes.data(), 1, 1, &size, &count, &first), 0);
  };
  job(ranks_, options(), Division::rows, [&](Job& all) {
    with_line(all, all.rank() == 0 ? 10 : 50, all.rank() == 0 ? 30 : 50);
    ASSERT_NO_FATAL_FAILURE(all.save(1));
    all.close();
  });
  job(1, options(), Division::rows, [&](Job& one) {
    with_line(one, 10, 90);
    std::uint64_t version = 0;
    EXPECT_NAM_FAILS(psnam_checkpoint_restart(one.checkpoint(), &version, nullptr), -1, EINVAL,
                     "region 20: no rank has saved the elements from (40) on");
    ASSERT_EQ(psnam_checkpoint_unregister(one.checkpoint(), 20), 0);
    with_line(one, 50, 50);
    one.expect_restored(1, PSNAM_CHECKPOINT_PARTS);
    one.remove();
  });
}

TEST_F(PartsOfArrays, ObjectsMayHaveAnotherSizeEachTime) {
  job(ranks_, options(), Division::rows, [&](Job& all) {
    for (const std::uint64_t version : {3U, 49U, 50U, 99U}) {
      ASSERT_NO_FATAL_FAILURE(all.save(version));
      all.expect_restored(version, PSNAM_CHECKPOINT_OWN);
    }
    const auto fails = [](void*, const void**, size_t*) { return 5; };
    const psnam_checkpoint_object_t object{nullptr, fails, [](void*, const void*, size_t) { return 6; }};
    ASSERT_EQ(psnam_checkpoint_register_object(all.checkpoint(), 30, &object, 0), 0) << nam_strerror();
    EXPECT_NAM_FAILS(psnam_checkpoint_save(all.checkpoint(), 0), -1, EIO,
                     "object 30: its function \"pack\" returned 5");
    ASSERT_EQ(psnam_checkpoint_unregister(all.checkpoint(), 30), 0);
    EXPECT_NAM_FAILS(psnam_checkpoint_register_object(all.checkpoint(), 30, nullptr, 0), -1, EINVAL, "is NULL");
    all.remove();
  });
}

TEST_F(PartsOfArrays, PartsThatAreNoneAreRefused) {
  job(ranks_, options(), Division::rows, [&](Job& all) {
    std::uint64_t sizes[2] = {4, 4}, subsizes[2] = {2, 3}, starts[2] = {1, 2};
    std::uint64_t data[16] = {};
    const auto add = [&](size_t bytes, int dimensions) {
      return psnam_checkpoint_register_part(all.checkpoint(), 40, data, bytes, dimensions, sizes, subsizes, starts);
    };
    EXPECT_NAM_FAILS(add(8, 2), -1, EINVAL, "dimension 1: 3 elements from 2 on are not inside of 4");
    EXPECT_NAM_FAILS(add(8, 0), -1, EINVAL, "0 dimensions");
    EXPECT_NAM_FAILS(add(8, 9), -1, EINVAL, "9 dimensions");
    EXPECT_NAM_FAILS(add(0, 1), -1, EINVAL, "elements of 0 bytes");
    EXPECT_NAM_FAILS(psnam_checkpoint_register_part(all.checkpoint(), 40, data, 8, 1, sizes, nullptr, starts), -1,
                     EINVAL, "NULL");
    ASSERT_EQ(add(8, 1), 0) << nam_strerror();
    EXPECT_NAM_FAILS(add(8, 1), -1, EBUSY, "registered already");
    all.remove();
  });
}

/// One node here: what is seen is that either of the copies is enough.
class PartnerCopies : public PartsOfArrays, public ::testing::WithParamInterface<std::uint32_t> {
 protected:
  /// One of the copies of each rank is lost, by turns the one or the other.
  void lose_one_of_each(std::size_t which) {
    meanwhile([&] {
      for (int rank = 0; rank < ranks_; ++rank) {
        std::vector<CopyFile> of_newest;
        for (const CopyFile& copy : copy_files(store_, rank))
          if (copy.header.number == 2) of_newest.push_back(copy);
        ASSERT_EQ(of_newest.size(), 2U);
        change_byte(of_newest[which].path, 0);
      }
    });
  }
};

TEST_P(PartnerCopies, EitherCopyIsEnough) {
  if (ranks_ < 2) return;
  const auto policy = options(GetParam());
  for (const std::size_t which : {0U, 1U}) {
    save_two(policy);
    lose_one_of_each(which);
    job(ranks_, policy, Division::rows, [](Job& all) {
      std::uint64_t version = 0;
      int source = -1;
      all.fill(1000);
      ASSERT_EQ(psnam_checkpoint_restart(all.checkpoint(), &version, &source), 0) << nam_strerror();
      EXPECT_EQ(version, 2U);
      EXPECT_TRUE(source == PSNAM_CHECKPOINT_OWN || source == PSNAM_CHECKPOINT_PARTNER) << source;
      all.expect_filled(2);
      all.close();
    });
    // Both are there again, and another number of ranks finds either.
    lose_one_of_each(which);
    job(1, policy, Division::rows, [](Job& one) {
      one.expect_restored(2, PSNAM_CHECKPOINT_PARTS);
      one.remove();
    });
  }
}

TEST_P(PartnerCopies, ADamagedCopyIsTakenFromThePartner) {
  if (ranks_ < 2) return;
  const auto policy = options(GetParam());
  for (const std::size_t which : {0U, 1U}) {
    save_two(policy);
    meanwhile([&] {
      std::vector<CopyFile> of_newest;
      for (const CopyFile& copy : copy_files(store_, 1))
        if (copy.header.number == 2) of_newest.push_back(copy);
      ASSERT_EQ(of_newest.size(), 2U);
      const auto& header = of_newest[which].header;
      change_byte(of_newest[which].path,
                  format::CheckpointCopyShape{header.payload_bytes, header.block_bytes}.payload_at() + 70);
    });
    job(ranks_, policy, Division::rows, [](Job& all) {
      std::uint64_t version = 0;
      ASSERT_EQ(psnam_checkpoint_restart(all.checkpoint(), &version, nullptr), 0) << nam_strerror();
      all.expect_filled(2);
      all.remove();
    });
  }
}

TEST_P(PartnerCopies, BothLostIsToldAndNeverTakenForAFirstStart) {
  if (ranks_ < 3) return;
  const auto policy = options(GetParam());
  save_two(policy);
  meanwhile([&] {
    for (const int rank : {0, 1}) lose_copies(store_, rank);
  });
  job(ranks_, policy, Division::rows, [](Job& all) {
    std::uint64_t version = 0;
    EXPECT_NAM_FAILS(psnam_checkpoint_restart(all.checkpoint(), &version, nullptr), -1, EPIPE,
                     "the data of ranks 0, 1 are lost");
    all.remove();
  });
}

INSTANTIATE_TEST_SUITE_P(Policies, PartnerCopies,
                         ::testing::Values(PSNAM_CHECKPOINT_BY_PARTNER,
                                           PSNAM_CHECKPOINT_BY_PARTNER | PSNAM_CHECKPOINT_BY_PARITY),
                         [](const auto& tested) {
                           return tested.param == PSNAM_CHECKPOINT_BY_PARTNER ? "partner" : "both";
                         });

}  // namespace
}  // namespace psnam::test
