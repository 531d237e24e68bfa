// Making, freeing and asking windows.
#include <climits>

#include "mpi/fence_hooks.hpp"
#include "mpi/iget.hpp"
#include "mpi/route.hpp"
#include "win/creation.hpp"

namespace psnam::mpi {
namespace {

/// Puts a new window under its handle and gives the handle to the program.
void enter_window(std::unique_ptr<win::Window> window, MPI_Win* handle) {
  *handle = window->native();
  process().windows().insert(*handle, window.get());
  static_cast<void>(window.release());  // freed by MPI_Win_free
}

/// A communicator on which the library may make collective calls before the MPI library has checked it.
bool is_usable(MPI_Comm comm) noexcept {
  int inter = 0;
  return comm != MPI_COMM_NULL && !has_ended() &&
         process().runtime().real().Comm_test_inter(comm, &inter) == MPI_SUCCESS && inter == 0;
}

/// Makes the window if it is to be a PSNAM window; `made` tells.
Status allocate(const win::CreateRequest& request, void* baseptr, MPI_Win* win, bool& made) {
  Runtime& runtime = process().runtime();
  PSNAM_TRY(auto window, win::create_window(runtime.context(), request));
  made = window != nullptr;
  if (!made) return {};
  void* const base = window->base();
  enter_window(std::move(window), win);
  *static_cast<void**>(baseptr) = base;
  return {};
}

}  // namespace

template <Level L, auto Function, class Unit>
int allocate_at(MPI_Aint size, Unit disp_unit, MPI_Info info, MPI_Comm comm, void* baseptr, MPI_Win* win) noexcept {
  if (!process().works<L, Function>() || baseptr == nullptr || win == nullptr || !is_usable(comm))
    return hand_on<L, Function>(size, disp_unit, info, comm, baseptr, win);
  bool made = true;
  const win::CreateRequest request{size, static_cast<MPI_Aint>(disp_unit), info, comm};
  const int rc = run_on_comm(comm, [&] { return allocate(request, baseptr, win, made); });
  if (made) return rc;
  return hand_on<L, Function>(size, disp_unit, info, comm, baseptr, win);
}

template <Level L>
int Win_allocate_at(MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm, void* baseptr, MPI_Win* win) noexcept {
  return allocate_at<L, &Next::Win_allocate>(size, disp_unit, info, comm, baseptr, win);
}

template <Level L>
int Win_allocate_c_at(MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm, void* baseptr,
                      MPI_Win* win) noexcept {
  return allocate_at<L, &Next::Win_allocate_c>(size, disp_unit, info, comm, baseptr, win);
}

template <Level L>
int Win_create_dynamic_at(MPI_Info info, MPI_Comm comm, MPI_Win* win) noexcept {
  win::Connection* const connection = our_connection<L, &Next::Win_create_dynamic>(comm);
  if (connection == nullptr) return hand_on<L, &Next::Win_create_dynamic>(info, comm, win);
  return run_on_comm(comm, [&]() -> Status {
    PSNAM_TRY(auto window, connection->make_window(info));
    enter_window(std::move(window), win);
    return {};
  });
}

template <Level L>
int Win_free_at(MPI_Win* win) noexcept {
  win::Window* const found = win != nullptr ? our_window<L, &Next::Win_free>(*win) : nullptr;
  if (found == nullptr) {
    if (win != nullptr) end_gets_of(*win);
    if (win != nullptr) end_watch(*win);
    return hand_on<L, &Next::Win_free>(win);
  }
  bool agreed = false;
  bool peer_lost = false;
  const auto watch = [&](Status status) {
    peer_lost = !status && status.error().code == Code::peer_lost;
    return status;
  };
  int rc = run_on_window(*win, [&] {
    Status status = watch(found->agree_to_free(live_gets(*win)));
    agreed = status.ok();
    return status;
  });
  if (!agreed && !peer_lost) return rc;
  // The handle leaves the table first: the MPI library gives its number to the next window.
  end_watch(*win);
  std::unique_ptr<win::Window> window{process().windows().erase(*win)};
  if (!agreed && abandon_gets_of(*win)) static_cast<void>(window.release());  // pointers lead into it
  if (agreed) rc = run_on_window(*win, [&] { return watch(window->release()); });
  if (peer_lost) {  // for which the MPI library would wait for ever
    *win = MPI_WIN_NULL;
    return rc;
  }
  const int native_rc = hand_on<Level::pmpi, &Next::Win_free>(win);
  return rc != MPI_SUCCESS ? rc : native_rc;
}

template <Level L>
int Win_set_info_at(MPI_Win win, MPI_Info info) noexcept {
  win::Window* const window = our_window<L, &Next::Win_set_info>(win);
  if (window == nullptr) return hand_on<L, &Next::Win_set_info>(win, info);
  return run_on_window(win, [&] { return window->set_info(info); });
}

template <Level L>
int Win_get_info_at(MPI_Win win, MPI_Info* info) noexcept {
  const win::Window* const window = our_window<L, &Next::Win_get_info>(win);
  if (window == nullptr) return hand_on<L, &Next::Win_get_info>(win, info);
  return run_on_window(win, [&]() -> Status {
    PSNAM_TRY(*info, window->get_info());
    return {};
  });
}

template <Level L>
int Win_get_attr_at(MPI_Win win, int keyval, void* value, int* flag) noexcept {
  win::Window* const window = our_window<L, &Next::Win_get_attr>(win);
  const bool predefined = keyval == MPI_WIN_BASE || keyval == MPI_WIN_SIZE || keyval == MPI_WIN_DISP_UNIT ||
                          keyval == MPI_WIN_CREATE_FLAVOR || keyval == MPI_WIN_MODEL;
  if (window == nullptr || !predefined) return hand_on<L, &Next::Win_get_attr>(win, keyval, value, flag);
  *static_cast<void**>(value) = window->attribute(keyval);
  *flag = 1;
  return MPI_SUCCESS;
}

template <Level L, auto Function, class Unit>
int shared_query_at(MPI_Win win, int rank, MPI_Aint* size, Unit* disp_unit, void* baseptr) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr) return hand_on<L, Function>(win, rank, size, disp_unit, baseptr);
  return run_on_window(win, [&]() -> Status {
    PSNAM_TRY(const auto region, window->query(rank));
    if (static_cast<MPI_Aint>(static_cast<Unit>(region.displacement_unit)) != region.displacement_unit)
      return Error{Code::displacement, "the displacement unit " + std::to_string(region.displacement_unit) +
                                           " of rank " + std::to_string(rank) +
                                           " does not fit an int; ask with MPI_Win_shared_query_c"};
    if (size != nullptr) *size = region.size_bytes;
    if (disp_unit != nullptr) *disp_unit = static_cast<Unit>(region.displacement_unit);
    if (baseptr != nullptr) *static_cast<void**>(baseptr) = region.base;
    return {};
  });
}

template <Level L>
int Win_shared_query_at(MPI_Win win, int rank, MPI_Aint* size, int* disp_unit, void* baseptr) noexcept {
  return shared_query_at<L, &Next::Win_shared_query>(win, rank, size, disp_unit, baseptr);
}

template <Level L>
int Win_shared_query_c_at(MPI_Win win, int rank, MPI_Aint* size, MPI_Aint* disp_unit, void* baseptr) noexcept {
  return shared_query_at<L, &Next::Win_shared_query_c>(win, rank, size, disp_unit, baseptr);
}

template <Level L>
int Win_attach_at(MPI_Win win, void* base, MPI_Aint size) noexcept {
  if (our_window<L, &Next::Win_attach>(win) == nullptr) return hand_on<L, &Next::Win_attach>(win, base, size);
  return refuse(win, "MPI_Win_attach", "its memory is that of the NAM");
}

template <Level L>
int Win_detach_at(MPI_Win win, const void* base) noexcept {
  if (our_window<L, &Next::Win_detach>(win) == nullptr) return hand_on<L, &Next::Win_detach>(win, base);
  return refuse(win, "MPI_Win_detach", "its memory is that of the NAM");
}

}  // namespace psnam::mpi

PSNAM_EXPORT(Win_allocate, (MPI_Aint size, int disp_unit, MPI_Info info, MPI_Comm comm, void* baseptr, MPI_Win* win),
             (size, disp_unit, info, comm, baseptr, win))
PSNAM_EXPORT(Win_allocate_c,
             (MPI_Aint size, MPI_Aint disp_unit, MPI_Info info, MPI_Comm comm, void* baseptr, MPI_Win* win),
             (size, disp_unit, info, comm, baseptr, win))
PSNAM_EXPORT(Win_create_dynamic, (MPI_Info info, MPI_Comm comm, MPI_Win* win), (info, comm, win))
PSNAM_EXPORT(Win_free, (MPI_Win * win), (win))
PSNAM_EXPORT(Win_set_info, (MPI_Win win, MPI_Info info), (win, info))
PSNAM_EXPORT(Win_get_info, (MPI_Win win, MPI_Info* info_used), (win, info_used))
PSNAM_EXPORT(Win_get_attr, (MPI_Win win, int win_keyval, void* attribute_val, int* flag),
             (win, win_keyval, attribute_val, flag))
PSNAM_EXPORT(Win_shared_query, (MPI_Win win, int rank, MPI_Aint* size, int* disp_unit, void* baseptr),
             (win, rank, size, disp_unit, baseptr))
PSNAM_EXPORT(Win_shared_query_c, (MPI_Win win, int rank, MPI_Aint* size, MPI_Aint* disp_unit, void* baseptr),
             (win, rank, size, disp_unit, baseptr))
PSNAM_EXPORT(Win_attach, (MPI_Win win, void* base, MPI_Aint size), (win, base, size))
PSNAM_EXPORT(Win_detach, (MPI_Win win, const void* base), (win, base))
