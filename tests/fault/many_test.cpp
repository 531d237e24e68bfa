// Many windows, one after another and all at once: nothing grows.
#include <dirent.h>
#include <sys/stat.h>

#include <fstream>

#include "tools/job_window.hpp"

namespace psnam::test {
namespace {

constexpr int kCycles = 1000;
constexpr int kWarmUp = 200;
constexpr int kAtOnce = 1000;
/// The resident set may differ by what the allocators of this process and of the MPI library keep back; a leak of one
/// page in each cycle would be 4000 kB.
constexpr long kToleranceKb = 1024;

long resident_kb() {
  std::ifstream file{"/proc/self/status"};
  for (std::string line; std::getline(file, line);)
    if (line.rfind("VmRSS:", 0) == 0) return std::stol(line.substr(6));
  return -1;
}

int entries_of(const std::string& folder) {
  int entries = 0;
  DIR* const directory = ::opendir(folder.c_str());
  if (directory == nullptr) return -1;
  while (::readdir(directory) != nullptr) ++entries;
  ::closedir(directory);
  return entries;
}

int mappings() {
  std::ifstream file{"/proc/self/maps"};
  int lines = 0;
  for (std::string line; std::getline(file, line);) ++lines;
  return lines;
}

/// What must not grow.
struct Held {
  int descriptors = entries_of("/proc/self/fd");
  int mapped = mappings();
  int memory_files = entries_of(argument("store") + "/memory");
  int control_files = entries_of(argument("store") + "/control");
};

void expect_equal(const Held& now, const Held& before) {
  EXPECT_EQ(now.descriptors, before.descriptors);
  EXPECT_LE(now.mapped, before.mapped + 8);
  EXPECT_EQ(now.memory_files, before.memory_files);
  EXPECT_EQ(now.control_files, before.control_files);
}

long catalog_bytes() {
  struct stat status {};
  return ::stat((argument("store") + "/catalog.mdb").c_str(), &status) == 0 ? static_cast<long>(status.st_size) : -1;
}

constexpr const char* kStructures[] = {"raw_and_flat", "managed_contiguous", "managed_distributed"};

MPI_Win make(int i, const std::string& consistency) {
  const std::string structure = kStructures[i % 3];
  const std::size_t bytes = structure == "raw_and_flat" && world_rank() != 0 ? 0 : 4096;
  return allocate({{"psnam_manifestation", "psnam_manifestation_pershm"},
                   {"psnam_structure", "psnam_structure_" + structure},
                   {"psnam_consistency", "psnam_consistency_" + consistency},
                   {"psnam_window_name", "many." + std::to_string(i)}},
                  bytes, 1);
}

void use(MPI_Win win, int i) {
  const int value = i + world_rank();
  int seen = -1;
  MPI_Win_fence(0, win);
  EXPECT_EQ(MPI_Put(&value, 1, MPI_INT, 0, 8 * world_rank(), 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  EXPECT_EQ(MPI_Get(&seen, 1, MPI_INT, 0, 8 * (1 - world_rank()), 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(MPI_MODE_NOSUCCEED, win);
  EXPECT_EQ(seen, i + 1 - world_rank());
}

/// One window after another, each third persistent for a while.
void cycle(int i) {
  MPI_Win win = make(i, i % 3 == 0 ? "persistent" : "volatile");
  use(win, i);
  if (i % 3 == 0) {
    remove_window(win);
    return;
  }
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

TEST(Many, CyclesOfCreateAndFreeLeaveNothing) {
  ASSERT_EQ(world_size(), 2);
  for (int i = 0; i < kWarmUp; ++i) cycle(i);
  MPI_Barrier(MPI_COMM_WORLD);
  const Held before;
  const long resident = resident_kb();
  const long catalog = catalog_bytes();
  for (int i = 0; i < kCycles && !HasFailure(); ++i) cycle(i);
  MPI_Barrier(MPI_COMM_WORLD);
  expect_equal({}, before);
  EXPECT_LE(resident_kb(), resident + kToleranceKb);
  EXPECT_EQ(catalog_bytes(), catalog);
  EXPECT_EQ(before.memory_files, 2) << "only . and ..";
}

TEST(Many, WindowsAtOnceAllWorkAndLeaveNothing) {
  ASSERT_EQ(world_size(), 2);
  const auto all_at_once = [] {
    std::vector<MPI_Win> windows;
    for (int i = 0; i < kAtOnce && !HasFailure(); ++i) windows.push_back(make(i, "volatile"));
    const Held during;
    // One file for each raw and flat or contiguous window, two for each distributed one, and "." and "..".
    EXPECT_EQ(during.memory_files, 2 + kAtOnce + kAtOnce / 3);
    for (int i = 0; i < static_cast<int>(windows.size()); ++i) use(windows[static_cast<std::size_t>(i)], i);
    // From the middle outwards, so that neither the first nor the last made goes first.
    for (int i = 0; i < static_cast<int>(windows.size()); ++i) {
      const int middle = static_cast<int>(windows.size()) / 2;
      const int at = i % 2 == 0 ? middle + i / 2 : middle - 1 - i / 2;
      EXPECT_EQ(MPI_Win_free(&windows[static_cast<std::size_t>(at)]), MPI_SUCCESS);
    }
    MPI_Barrier(MPI_COMM_WORLD);
  };
  all_at_once();  // what the MPI library and the allocator keep back for so many is kept now
  const Held before;
  const long resident = resident_kb();
  const long catalog = catalog_bytes();
  all_at_once();
  expect_equal({}, before);
  EXPECT_LE(resident_kb(), resident + kToleranceKb);
  EXPECT_LE(catalog_bytes(), catalog + catalog / 10);
  if (world_rank() == 0) std::cout << "catalog: " << catalog << " bytes, then " << catalog_bytes() << std::endl;
}

}  // namespace
}  // namespace psnam::test
