// Flipped bits in whatever part of what is kept: a job gets what was saved, or is refused; never anything else. And who
// looks at it finds them.
#include <map>
#include <random>

#include "checkpoint/export.hpp"
#include "checkpoint/files.hpp"
#include "checkpoint/verification.hpp"
#include "format/checkpoint_page.hpp"
#include "format/parity_page.hpp"
#include "managed_fixture.hpp"

namespace psnam::checkpoint {
namespace {

using test::JobOptions;
using test::Rank;

const JobOptions kJob{.ranks = 3};

/// What is in a file of the store's memory, by how it begins.
enum class Kind { page, copy, area };
struct Kept {
  std::filesystem::path path;
  Kind kind;
};

class DamagedStore : public test::ManagedJobs {
 protected:
  void SetUp() override {
    ManagedJobs::SetUp();
    expect_job(kJob, [](Rank& rank) {
      ASSERT_TRUE(rank.save(1));
      ASSERT_TRUE(rank.save(2));
    });
  }
  [[nodiscard]] std::vector<Kept> files() const {
    const std::map<std::uint32_t, Kind> kinds{{format::kCheckpointSeriesMagic, Kind::page},
                                              {format::kCheckpointCopyMagic, Kind::copy},
                                              {format::kParityMagic, Kind::area}};
    std::vector<Kept> all;
    for (const auto& entry : std::filesystem::directory_iterator{folder() / "memory"}) {
      std::uint32_t magic = 0;
      std::ifstream{entry.path(), std::ios::binary}.read(reinterpret_cast<char*>(&magic), sizeof magic);
      if (const auto kind = kinds.find(magic); kind != kinds.end()) all.push_back({entry.path(), kind->second});
    }
    std::ranges::sort(all, {}, &Kept::path);
    return all;
  }
  static void flip(const std::filesystem::path& path, std::uint64_t bit) {
    std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
    file.seekg(static_cast<std::streamoff>(bit / 8));
    const int before = file.get();
    file.seekp(static_cast<std::streamoff>(bit / 8));
    file.put(static_cast<char>(before ^ (1 << (bit % 8))));
  }

  /// What a job finds is what was saved, or it finds nothing and is told why. True if it got version 2.
  bool expect_never_wrong(const std::string& where) {
    std::atomic<int> newest{0};
    const Status opened = test::run_job(service(), kJob, [&](Rank& rank) {
      rank.fill(77);
      const auto restored = rank.managed->restart(0);
      if (restored) {
        EXPECT_TRUE(rank.has(restored->version)) << where << ": rank " << rank.rank << " version " << restored->version;
        EXPECT_NE(restored->version, 0U) << where;
        newest += restored->version == 2 ? 1 : 0;
      } else {
        EXPECT_TRUE(rank.has(77)) << where << ": rank " << rank.rank << " got data and " << restored.error().message;
        EXPECT_FALSE(restored.error().message.empty()) << where;
      }
    });
    if (!opened) {
      EXPECT_FALSE(opened.error().message.empty()) << where;
    }
    EXPECT_TRUE(newest == 0 || newest == 3) << where;
    return newest == 3;
  }

  [[nodiscard]] std::vector<Verdict> verify_all(std::vector<std::string>& damage) {
    std::vector<Verdict> verdicts;
    const auto inventory = Inventory::take(service(), {});
    EXPECT_TRUE(inventory) << inventory.error().message;
    for (const FoundSeries& found : inventory->series) {
      const auto seen = SeenSeries::open(found);
      if (!seen) {
        damage.push_back(seen.error().message);
        continue;
      }
      for (std::string& one : (*seen)->damage()) damage.push_back(std::move(one));
      for (const VersionKey& key : (*seen)->versions()) {
        auto verdict = verify(**seen, key);
        EXPECT_TRUE(verdict) << verdict.error().message;
        if (verdict) verdicts.push_back(std::move(*verdict));
      }
    }
    return verdicts;
  }
  /// Everything that looking finds, in one text.
  [[nodiscard]] std::string found() {
    std::vector<std::string> damage;
    std::string text;
    for (const Verdict& verdict : verify_all(damage)) {
      for (const Finding& finding : verdict.findings) text += finding.text + "\n";
      for (const std::string& why : verdict.fatal) text += why + "\n";
    }
    for (const std::string& one : damage) text += one + "\n";
    return text;
  }
};

TEST_F(DamagedStore, ABitOfEachPartIsFoundAndNamed) {
  EXPECT_EQ(found(), "");
  const format::ParityShape shape{3, 1, 65536, 0};
  const auto all = files();
  const auto of = [&](Kind kind) { return std::ranges::find(all, kind, &Kept::kind)->path; };
  auto memory = Inventory::take(service(), {});
  ASSERT_TRUE(memory) << memory.error().message;
  const auto seen = SeenSeries::open(memory->series.front());
  ASSERT_TRUE(seen) << seen.error().message;
  const format::ParityShape area = (*seen)->areas().front().area.shape();
  ASSERT_EQ(area.members, shape.members);
  const std::uint64_t slot = area.slots_offset();
  struct Case {
    const char* part;
    Kind kind;
    std::uint64_t offset;
    const char* says;
  };
  const std::vector<Case> cases{
      {"series page, header", Kind::page, 30, "its checksum does not hold"},
      {"series page, table", Kind::page, 196, "its checksum does not hold"},
      {"copy, magic", Kind::copy, 1, "it begins with"},
      {"copy, series", Kind::copy, 12, "the checksum of its header does not hold"},
      {"copy, number", Kind::copy, 32, "the checksum of its header does not hold"},
      {"copy, checksum of the header", Kind::copy, 125, "the checksum of its header does not hold"},
      {"copy, checksums", Kind::copy, 4096, "its checksums are not those that were written"},
      {"copy, table", Kind::copy, 8192 + 5, "block 0 of its copy"},
      {"copy, data", Kind::copy, 8192 + 70, "block 0 of its copy"},
      {"area, header", Kind::area, 60, "checksum of the header"},
      {"area, sizes", Kind::area, slot + format::ParityShape::sizes_offset(), "slot 0"},
      {"area, slot header", Kind::area, slot, "slot 0"},
      {"area, commit record", Kind::area, slot + format::ParityShape::commit_offset() + 17, "its commit record"},
      {"area, magic of the commit record", Kind::area, slot + format::ParityShape::commit_offset(), "slot 0"},
      {"area, checksums of members", Kind::area, slot + area.rows_offset(), "are not those that were committed"},
      {"area, checksums of parity", Kind::area, slot + area.rows_offset() + 3 * area.row_bytes(),
       "are not those that were committed"},
      {"area, parity", Kind::area, slot + area.parity_offset() + 3, "parity 0: block 0 not as it was written"},
  };
  for (const Case& one : cases) {
    flip(of(one.kind), one.offset * 8 + 2);
    const std::string says = found();
    EXPECT_NE(says.find(one.says), std::string::npos) << one.part << ": " << says;
    flip(of(one.kind), one.offset * 8 + 2);
  }
  EXPECT_EQ(found(), "");
}

TEST_F(DamagedStore, ParityThatIsNotThatOfTheDataIsFoundThoughItsChecksumsHold) {
  // A parity block, its checksum, and the record that vouches for it, all of them changed together.
  auto inventory = Inventory::take(service(), {});
  ASSERT_TRUE(inventory) << inventory.error().message;
  const FoundPart& part = inventory->series.front().areas.front();
  auto memory = store().open_range(part.record().root_id, 0, part.record().size_bytes, Protection::read_write);
  ASSERT_TRUE(memory) << memory.error().message;
  auto area = parity::Area::open({memory->mapping.data(), memory->mapping.bytes()});
  ASSERT_TRUE(area) << area.error().message;
  const parity::Version version = *area->newest();
  std::byte* const block = area->parity_block(version.slot, 0, 1);
  block[9] ^= std::byte{1};
  area->checksums(version.slot, 3)[1] = parity::checksum({block, area->shape().block_bytes});
  area->write_commit({.number = 0, .version = version.number, .slot = version.slot}, version.sizes);
  EXPECT_EQ(found(), "set 0: parity 0: block 1 not the parity of the data\n");
}

TEST_F(DamagedStore, AnyBitMayFlipAndNoJobGetsWhatWasNotSaved) {
  std::mt19937_64 random{4711};
  int recovered = 0;
  constexpr int kFlips = 60;
  for (int flips = 0; flips < kFlips; ++flips) {
    const auto all = files();
    const Kept& one = all[random() % all.size()];
    const std::uint64_t bytes = std::filesystem::file_size(one.path);
    // Headers and tables are a small part of the bytes, and half of the flips.
    const std::uint64_t within = random() % 2 == 0 ? std::min<std::uint64_t>(bytes, 16384) : bytes;
    const std::uint64_t bit = random() % (within * 8);
    flip(one.path, bit);
    const std::string where = "bit " + std::to_string(bit) + " of " + one.path.filename().string();
    recovered += expect_never_wrong(where) ? 1 : 0;
    if (one.kind == Kind::page) flip(one.path, bit);
    // Whole again for the next one.
    const Status saved = test::run_job(service(), kJob, [](Rank& rank) { EXPECT_TRUE(rank.managed->end()); });
    if (!saved) {
      const auto inventory = Inventory::take(service(), {});
      for (const FoundSeries& series : inventory->series) EXPECT_TRUE(remove(series, true));
    }
    expect_job(kJob, [](Rank& rank) {
      ASSERT_TRUE(rank.save(1));
      ASSERT_TRUE(rank.save(2));
    });
  }
  EXPECT_GE(recovered, kFlips / 2) << "one flipped bit is hardly ever too much";
}

TEST_F(DamagedStore, ExportedFilesAreBelievedOnlyAsTheyWereWritten) {
  psnam::test::TemporaryFolder exported;
  const auto inventory = Inventory::take(service(), {});
  ASSERT_TRUE(inventory) << inventory.error().message;
  psnam::test::lose_copies(folder(), 2);
  const auto seen = SeenSeries::open(inventory->series.front());
  ASSERT_TRUE(seen) << seen.error().message;
  const VersionKey key = (*seen)->versions().front();
  const auto report = export_version(**seen, key, exported.path());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->rebuilt, std::vector<std::uint32_t>{2});
  std::mt19937_64 random{99};
  for (std::uint32_t rank = 0; rank < kJob.ranks; ++rank) {
    const Files files{exported.path(), "job", kJob.ranks, rank};
    ASSERT_EQ(files.versions(), std::vector{key});
    CopyOwner owner;
    ASSERT_TRUE(files.read(key, owner));
    std::filesystem::path path;
    for (const auto& entry : std::filesystem::directory_iterator{exported.path()})
      if (entry.path().string().ends_with("." + std::to_string(rank) + "of3.checkpoint")) path = entry.path();
    const std::uint64_t bytes = std::filesystem::file_size(path);
    const std::uint64_t payload_at = format::CheckpointCopyShape{kJob.bytes(rank) + 96, 65536}.payload_at();
    // All that is read: header, checksums and payload; what is between them is not.
    std::vector<std::uint64_t> bits{3, 40 * 8, 4096 * 8 + 1, payload_at * 8, bytes * 8 - 1};
    for (int more = 0; more < 10; ++more)
      bits.push_back((payload_at + random() % (bytes - payload_at)) * 8 + random() % 8);
    for (const std::uint64_t bit : bits) {
      flip(path, bit);
      EXPECT_FALSE(files.read(key, owner)) << "rank " << rank << ", bit " << bit;
      flip(path, bit);
    }
    EXPECT_TRUE(files.read(key, owner));
  }
}

}  // namespace
}  // namespace psnam::checkpoint
