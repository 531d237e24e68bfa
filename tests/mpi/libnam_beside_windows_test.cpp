// libNAM and windows in one process: one store or manager, opened once, whichever of them ends first.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <psnam_checkpoint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "mpi/mpi_test.hpp"
#include "support/nam_failure.hpp"

namespace psnam::test {
namespace {

/// The address of the other end, as PSNAM_MANAGER has it, if `fd` is a connected socket.
std::string peer_of(int fd) {
  sockaddr_storage peer{};
  socklen_t bytes = sizeof peer;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &bytes) != 0) return {};
  if (peer.ss_family == AF_UNIX) return reinterpret_cast<const sockaddr_un&>(peer).sun_path;
  if (peer.ss_family != AF_INET) return {};
  const auto& internet = reinterpret_cast<const sockaddr_in&>(peer);
  std::array<char, INET_ADDRSTRLEN> host{};
  ::inet_ntop(AF_INET, &internet.sin_addr, host.data(), host.size());
  return std::string{host.data()} + ":" + std::to_string(ntohs(internet.sin_port));
}

/// How often this process has the service open: the catalog's lock file of a store, or a connection to the manager.
int open_services() {
  const char* const manager = std::getenv("PSNAM_MANAGER");
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone) continue;
    if (target.filename() == "catalog.mdb-lock") ++count;
    if (manager != nullptr && peer_of(std::stoi(entry.path().filename())) == manager) ++count;
  }
  return count;
}

void put_and_check(MPI_Win win, int value) {
  int got = -1;
  MPI_Win_fence(0, win);
  ASSERT_EQ(MPI_Put(&value, 1, MPI_INT, world_rank(), 0, 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  ASSERT_EQ(MPI_Get(&got, 1, MPI_INT, world_rank(), 0, 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  EXPECT_EQ(got, value);
}

TEST(LibnamBesideWindows, ShareOneStoreOrManager) {
  const Info info{{"psnam_manifestation", "psnam_manifestation_libnam"}};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  nam_ext_allocation_t* const set = nam_malloc_all(64, 0, MPI_COMM_WORLD);
  ASSERT_NE(set, nullptr) << nam_strerror();
  ASSERT_EQ(MPI_Win_allocate(4, 4, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  EXPECT_EQ(open_services(), 1);
  put_and_check(win, 1 + world_rank());
  int value = 5;
  EXPECT_EQ(nam_bcast(0, &value, 4, 0, set), 0) << nam_strerror();
  EXPECT_EQ(nam_free_all(set), 0) << nam_strerror();
  ASSERT_EQ(nam_finalize(), 0) << nam_strerror();
  put_and_check(win, 100 + world_rank());
  nam_allocation_t* const memory = nam_malloc(10);
  ASSERT_NE(memory, nullptr) << nam_strerror();
  EXPECT_EQ(open_services(), 1);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  EXPECT_EQ(nam_put_sync(&value, 0, 4, memory), 4) << nam_strerror();
  EXPECT_EQ(nam_free(memory), 0) << nam_strerror();
}

/// The memory of a window is saved and restored as any other, while the window is used.
TEST(LibnamBesideWindows, AWindowIsSavedAndRestored) {
  const Info info{{"psnam_manifestation", "psnam_manifestation_pershm"}, {"psnam_baseptr", "load_store"}};
  int* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(sizeof *base, 4, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  options.name = "window";
  psnam_checkpoint_t* const checkpoint = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
  ASSERT_NE(checkpoint, nullptr) << nam_strerror();
  ASSERT_EQ(psnam_checkpoint_register_window(checkpoint, 1, win), 0) << nam_strerror();
  put_and_check(win, 10 + world_rank());
  ASSERT_EQ(psnam_checkpoint_save(checkpoint, 0), 0) << nam_strerror();
  put_and_check(win, 1000);
  std::uint64_t version = 0;
  ASSERT_EQ(psnam_checkpoint_restart(checkpoint, &version, nullptr), 0) << nam_strerror();
  EXPECT_EQ(version, 1U);
  int got = -1;
  const int other = (world_rank() + 1) % world_size();
  MPI_Win_fence(0, win);
  ASSERT_EQ(MPI_Get(&got, 1, MPI_INT, other, 0, 1, MPI_INT, win), MPI_SUCCESS);
  MPI_Win_fence(0, win);
  EXPECT_EQ(got, 10 + other);
  EXPECT_EQ(psnam_checkpoint_remove(checkpoint), 0) << nam_strerror();
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  EXPECT_EQ(nam_finalize(), 0) << nam_strerror();
}

/// Of a PSNAM window without a base pointer, and of a dynamic one, there is nothing to register.
TEST(LibnamBesideWindows, AWindowWithoutAnAddressIsNotSaved) {
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  options.name = "window";
  psnam_checkpoint_t* const checkpoint = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
  ASSERT_NE(checkpoint, nullptr) << nam_strerror();
  const Info info{{"psnam_manifestation", "psnam_manifestation_libnam"}};
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_allocate(64, 4, info, MPI_COMM_WORLD, &base, &win), MPI_SUCCESS);
  EXPECT_NAM_FAILS(psnam_checkpoint_register_window(checkpoint, 1, win), -1, EINVAL, "psnam_baseptr=load_store");
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  ASSERT_EQ(MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &win), MPI_SUCCESS);
  EXPECT_NAM_FAILS(psnam_checkpoint_register_window(checkpoint, 1, win), -1, EINVAL, "dynamic");
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
  EXPECT_NAM_FAILS(psnam_checkpoint_register_window(checkpoint, 1, MPI_WIN_NULL), -1, EINVAL, "MPI_WIN_NULL");
  EXPECT_EQ(psnam_checkpoint_remove(checkpoint), 0) << nam_strerror();
  EXPECT_EQ(nam_finalize(), 0) << nam_strerror();
}

}  // namespace
}  // namespace psnam::test
