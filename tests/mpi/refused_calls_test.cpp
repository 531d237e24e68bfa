// The calls that PSNAM windows do not take, because their memory is that of the NAM: refused on them, untouched on all
// others.
#include <functional>

#include "errors.hpp"

namespace psnam::test {
namespace {

struct Refused {
  const char* name;
  std::function<int(MPI_Win)> call;
};

std::vector<Refused> refused_calls() {
  static std::array<int, 4> memory{};
  return {
      {"MPI_Win_attach", [](MPI_Win w) { return MPI_Win_attach(w, memory.data(), sizeof memory); }},
      {"MPI_Win_detach", [](MPI_Win w) { return MPI_Win_detach(w, memory.data()); }},
  };
}

TEST(RefusedCalls, AreUnsupportedAndNameThemselves) {
  const PartedWindow window{kKinds[8], 64, 4};
  handle_errors_of(window);
  window.fence();
  for (const Refused& refused : refused_calls()) {
    const int code = refused.call(window);
    expect_handled_once(code);
    expect_same_error(code, MPI_ERR_UNSUPPORTED_OPERATION, {std::string{refused.name} + " is not available"},
                      MPI_COMM_WORLD);
  }
  window.fence();
  const auto part = window.read(world_rank(), 64);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(part, std::vector<std::byte>(64));
}

TEST(RefusedCalls, StillWorkOnWindowsOfTheMpiLibrary) {
  std::array<int, 4> memory{};
  MPI_Win win = MPI_WIN_NULL;
  ASSERT_EQ(MPI_Win_create_dynamic(MPI_INFO_NULL, MPI_COMM_WORLD, &win), MPI_SUCCESS);
  MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN);
  EXPECT_EQ(MPI_Win_attach(win, memory.data(), sizeof memory), MPI_SUCCESS);
  MPI_Aint address = 0;
  MPI_Get_address(&memory[1], &address);
  const int me = world_rank();
  const int value = 42 + me;
  EXPECT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, me, 0, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Put(&value, 1, MPI_INT, me, address, 1, MPI_INT, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_unlock(me, win), MPI_SUCCESS);
  EXPECT_EQ(memory, (std::array<int, 4>{0, value, 0, 0}));
  EXPECT_EQ(MPI_Win_detach(win, memory.data()), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_free(&win), MPI_SUCCESS);
}

}  // namespace
}  // namespace psnam::test
