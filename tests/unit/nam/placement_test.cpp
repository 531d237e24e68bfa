// Where memory lies, and what survives a reboot.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "nam/lmdb.hpp"
#include "support/store_fixture.hpp"

namespace psnam::nam {
namespace {

constexpr auto kPersistent = format::Consistency::persistent;

/// A folder on a disk, gone with this.
class DiskFolder {
 public:
  DiskFolder() {
    std::string path = "/var/tmp/psnam-test-XXXXXX";
    if (::mkdtemp(path.data()) != nullptr) path_ = path;
  }
  DiskFolder(const DiskFolder&) = delete;
  DiskFolder& operator=(const DiskFolder&) = delete;
  ~DiskFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// Gives all uses of a store another boot, as a reboot does.
void reboot(const std::filesystem::path& folder) {
  constexpr std::array<TableSpec, 1> kUses{{{"uses", false}}};
  auto environment =
      Environment::open({.path = folder / "catalog.mdb", .shown = "catalog.mdb", .tables = kUses}, false);
  ASSERT_TRUE(environment) << environment.error().message;
  auto transaction = (*environment)->begin_write();
  ASSERT_TRUE(transaction);
  std::vector<std::pair<std::vector<std::byte>, format::UseRecord>> uses;
  ASSERT_TRUE(transaction->each(0, [&](Bytes key, Bytes value) -> Status {
    PSNAM_TRY(auto use, format::decode_use(value));
    uses.emplace_back(std::vector(key.begin(), key.end()), std::move(use));
    return {};
  }));
  ASSERT_FALSE(uses.empty());
  for (auto& [key, use] : uses) {
    use.boot = format::random_uuid();
    ASSERT_TRUE(transaction->put(0, key, format::encode(use)));
  }
  ASSERT_TRUE(transaction->commit());
}

TEST(Placement, AStoreOnADiskSurvivesAReboot) {
  const DiskFolder folder;
  auto opened = Store::open({.folder = folder.path(), .placement = {.durable = true}});
  if (!opened && opened.error().code == Code::unsupported) GTEST_SKIP() << opened.error().message;
  ASSERT_TRUE(opened) << opened.error().message;
  const auto kept =
      (*opened)->allocate({.size_bytes = 8192, .consistency = kPersistent, .mode = 0600, .name = "kept"}, test::me());
  ASSERT_TRUE(kept) << kept.error().message;
  ASSERT_TRUE((*opened)->allocate({.size_bytes = 8192}, test::me()));
  const std::uint64_t id = kept->allocation.id;
  {
    auto memory = (*opened)->open_memory(id, 8192, Protection::read_write);
    ASSERT_TRUE(memory) << memory.error().message;
    std::memcpy(memory->mapping.data() + 5000, "bytes", 5);
    const auto persisted = (*opened)->persist(id, 4096, 4096);
    ASSERT_TRUE(persisted) << persisted.error().message;
  }
  EXPECT_FAILS((*opened)->persist(id, 4096, 8192), Code::corrupt, "has 8192 bytes");
  EXPECT_FAILS((*opened)->persist(id + 100, 0, 1), Code::name_not_found, "there is no memory");
  opened->reset();
  reboot(folder.path());
  opened = Store::open({.folder = folder.path()});
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_EQ((*opened)->released_at_open().allocations, 1U);
  EXPECT_EQ((*opened)->find_allocation("kept")->id, id);
  const auto memory = (*opened)->open_memory(id, 8192, Protection::read_only);
  ASSERT_TRUE(memory) << memory.error().message;
  EXPECT_EQ(std::memcmp(memory->mapping.data() + 5000, "bytes", 5), 0);
}

TEST(Placement, AStoreInMemoryPromisesNoDurability) {
  const test::TemporaryFolder folder;
  EXPECT_FAILS(Store::open({.folder = folder.path(), .placement = {.durable = true}}), Code::unsupported,
               "is in memory, which no reboot survives");
  const auto store = test::open_store(folder.path());
  ASSERT_NE(store, nullptr);
  const auto made = store->allocate({.size_bytes = 100}, test::me());
  ASSERT_TRUE(made);
  EXPECT_FAILS(store->persist(made->allocation.id, 0, 100), Code::unsupported, "is in memory only");
}

TEST(Placement, AFileIsBoundAsAWholeBeforeAnyPageOfItIsTaken) {
  const test::TemporaryFolder folder;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<std::size_t> bound;
  bool taken = false;
  auto opened = Store::open(
      {.folder = folder.path(), .placement = {.bind = [&](std::byte* data, std::size_t bytes) -> Status {
                                  std::vector<unsigned char> resident((bytes + page - 1) / page);
                                  if (::mincore(data, bytes, resident.data()) != 0)
                                    return system_error("mincore", errno);
                                  taken = std::any_of(resident.begin(), resident.end(), [](auto r) { return r & 1; });
                                  bound.push_back(bytes);
                                  return {};
                                }}});
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_TRUE((*opened)->allocate({.size_bytes = 100000}, test::me()));
  ASSERT_TRUE((*opened)->allocate({.size_bytes = 5000, .reserve = format::Reserve::lazy}, test::me()));
  EXPECT_EQ(bound, (std::vector<std::size_t>{100000, 5000}));
  EXPECT_FALSE(taken);
}

TEST(Placement, AnAllocationThatCannotBeBoundIsNotMade) {
  const test::TemporaryFolder folder;
  auto opened = Store::open({.folder = folder.path(), .placement = {.bind = [](std::byte*, std::size_t) -> Status {
                                                        return Error{Code::system, "binding refused"};
                                                      }}});
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_FAILS((*opened)->allocate({.size_bytes = 100000}, test::me()), Code::system, "binding refused");
  EXPECT_TRUE((*opened)->allocations()->empty());
  EXPECT_TRUE(std::filesystem::is_empty(folder.path() / "memory"));
}

TEST(Placement, HugePagesAreAskedForAndAllMemoryIsTakenEitherWay) {
  const test::TemporaryFolder folder;
  auto opened = Store::open({.folder = folder.path(), .placement = {.huge_pages = true}});
  ASSERT_TRUE(opened) << opened.error().message;
  constexpr std::uint64_t kBytes = 4 << 20;
  const auto made = (*opened)->allocate({.size_bytes = kBytes}, test::me());
  ASSERT_TRUE(made) << made.error().message;
  const auto file = (*opened)->memory_descriptor(made->allocation.id, Protection::read_only);
  ASSERT_TRUE(file);
  struct stat status {};
  ASSERT_EQ(::fstat(file->get(), &status), 0);
  EXPECT_GE(static_cast<std::uint64_t>(status.st_blocks) * 512, kBytes);
}

TEST(Numa, MemoryIsBoundToNodesThatAreThere) {
  const auto bind = bind_to_numa_nodes({0});
  ASSERT_TRUE(bind) << bind.error().message;
  EXPECT_FAILS(bind_to_numa_nodes({0, 4000}), Code::invalid_argument, "this host has no NUMA node 4000: it has 0");
  EXPECT_FAILS(bind_to_numa_nodes({}), Code::invalid_argument, "at least one");
  const test::TemporaryFolder folder;
  auto opened = Store::open({.folder = folder.path(), .placement = {.bind = *bind}});
  ASSERT_TRUE(opened) << opened.error().message;
  const auto made = (*opened)->allocate({.size_bytes = 100000}, test::me());
  if (!made && (made.error().detail == EPERM || made.error().detail == ENOSYS)) GTEST_SKIP() << made.error().message;
  EXPECT_TRUE(made) << made.error().message;
}

}  // namespace
}  // namespace psnam::nam
