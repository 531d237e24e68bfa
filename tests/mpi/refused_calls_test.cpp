// The one-sided calls that this version does not have for its windows: refused on them, untouched on all others.
#include <functional>

#include "errors.hpp"

namespace psnam::test {
namespace {

struct Refused {
  const char* name;
  std::function<int(MPI_Win)> call;
};

std::vector<Refused> refused_calls() {
  static std::array<int, 4> a{}, b{}, c{};
  static MPI_Request q = MPI_REQUEST_NULL;
  static int flag = 0;
  const auto with_group = [](auto call) {
    MPI_Group group = MPI_GROUP_NULL;
    MPI_Comm_group(MPI_COMM_SELF, &group);
    const int rc = call(group);
    MPI_Group_free(&group);
    return rc;
  };
  return {
      {"MPI_Accumulate", [](MPI_Win w) { return MPI_Accumulate(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w); }},
      {"MPI_Accumulate_c",
       [](MPI_Win w) { return MPI_Accumulate_c(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w); }},
      {"MPI_Get_accumulate",
       [](MPI_Win w) {
         return MPI_Get_accumulate(a.data(), 1, MPI_INT, b.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w);
       }},
      {"MPI_Get_accumulate_c",
       [](MPI_Win w) {
         return MPI_Get_accumulate_c(a.data(), 1, MPI_INT, b.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w);
       }},
      {"MPI_Fetch_and_op", [](MPI_Win w) { return MPI_Fetch_and_op(a.data(), b.data(), MPI_INT, 0, 0, MPI_SUM, w); }},
      {"MPI_Compare_and_swap",
       [](MPI_Win w) { return MPI_Compare_and_swap(a.data(), b.data(), c.data(), MPI_INT, 0, 0, w); }},
      {"MPI_Rput", [](MPI_Win w) { return MPI_Rput(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, w, &q); }},
      {"MPI_Rput_c", [](MPI_Win w) { return MPI_Rput_c(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, w, &q); }},
      {"MPI_Rget", [](MPI_Win w) { return MPI_Rget(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, w, &q); }},
      {"MPI_Rget_c", [](MPI_Win w) { return MPI_Rget_c(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, w, &q); }},
      {"MPI_Raccumulate",
       [](MPI_Win w) { return MPI_Raccumulate(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w, &q); }},
      {"MPI_Raccumulate_c",
       [](MPI_Win w) { return MPI_Raccumulate_c(a.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w, &q); }},
      {"MPI_Rget_accumulate",
       [](MPI_Win w) {
         return MPI_Rget_accumulate(a.data(), 1, MPI_INT, b.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w, &q);
       }},
      {"MPI_Rget_accumulate_c",
       [](MPI_Win w) {
         return MPI_Rget_accumulate_c(a.data(), 1, MPI_INT, b.data(), 1, MPI_INT, 0, 0, 1, MPI_INT, MPI_SUM, w, &q);
       }},
      {"MPI_Win_post", [=](MPI_Win w) { return with_group([w](MPI_Group g) { return MPI_Win_post(g, 0, w); }); }},
      {"MPI_Win_start", [=](MPI_Win w) { return with_group([w](MPI_Group g) { return MPI_Win_start(g, 0, w); }); }},
      {"MPI_Win_complete", [](MPI_Win w) { return MPI_Win_complete(w); }},
      {"MPI_Win_wait", [](MPI_Win w) { return MPI_Win_wait(w); }},
      {"MPI_Win_test", [](MPI_Win w) { return MPI_Win_test(w, &flag); }},
      {"MPI_Win_lock", [](MPI_Win w) { return MPI_Win_lock(MPI_LOCK_EXCLUSIVE, 0, 0, w); }},
      {"MPI_Win_unlock", [](MPI_Win w) { return MPI_Win_unlock(0, w); }},
      {"MPI_Win_lock_all", [](MPI_Win w) { return MPI_Win_lock_all(0, w); }},
      {"MPI_Win_unlock_all", [](MPI_Win w) { return MPI_Win_unlock_all(w); }},
      {"MPI_Win_flush", [](MPI_Win w) { return MPI_Win_flush(0, w); }},
      {"MPI_Win_flush_all", [](MPI_Win w) { return MPI_Win_flush_all(w); }},
      {"MPI_Win_flush_local", [](MPI_Win w) { return MPI_Win_flush_local(0, w); }},
      {"MPI_Win_flush_local_all", [](MPI_Win w) { return MPI_Win_flush_local_all(w); }},
      {"MPI_Win_sync", [](MPI_Win w) { return MPI_Win_sync(w); }},
      {"MPI_Win_attach", [](MPI_Win w) { return MPI_Win_attach(w, a.data(), sizeof a); }},
      {"MPI_Win_detach", [](MPI_Win w) { return MPI_Win_detach(w, a.data()); }},
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
  EXPECT_EQ(window.read(world_rank(), 64), std::vector<std::byte>(64));
  window.fence(MPI_MODE_NOSUCCEED);
}

TEST(RefusedCalls, StillWorkOnWindowsOfTheMpiLibrary) {
  // A request-based put under a lock. (Not an accumulate: MPICH 4.0.2 loses one on a window of MPI_COMM_SELF.)
  int value = 20;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Win_create(&value, sizeof value, sizeof value, MPI_INFO_NULL, MPI_COMM_WORLD, &win);
  const int me = world_rank();
  EXPECT_EQ(MPI_Win_lock(MPI_LOCK_EXCLUSIVE, me, 0, win), MPI_SUCCESS);
  const int other = 42;
  MPI_Request request = MPI_REQUEST_NULL;
  EXPECT_EQ(MPI_Rput(&other, 1, MPI_INT, me, 0, 1, MPI_INT, win, &request), MPI_SUCCESS);
  EXPECT_EQ(MPI_Wait(&request, MPI_STATUS_IGNORE), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_flush(me, win), MPI_SUCCESS);
  EXPECT_EQ(MPI_Win_unlock(me, win), MPI_SUCCESS);
  EXPECT_EQ(value, other);
  MPI_Win_free(&win);
}

}  // namespace
}  // namespace psnam::test
