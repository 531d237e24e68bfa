// The attributes of windows as Fortran programs see them. MPICH's Fortran bindings do not call MPI_Win_get_attr, for
// which MPI has no way to say that the caller is Fortran, but MPICH's MPII_Win_get_attr; without the function below, a
// Fortran program would be told the attributes of the native window behind a PSNAM window. It is no MPI function, so no
// other tool wraps it and there is one level. An MPI library whose Fortran bindings do otherwise never calls it.
#include "mpi/route.hpp"

namespace psnam::mpi {
namespace {

/// In Fortran each predefined key has the number that follows C's.
constexpr int c_key(int fortran_key) noexcept { return fortran_key - 1; }

/// Fortran gets the value itself, as an address-sized integer, where C gets a pointer to it.
bool fortran_value(win::Window& window, int key, MPI_Aint& value) noexcept {
  switch (key) {
    case MPI_WIN_BASE:
      value = reinterpret_cast<MPI_Aint>(window.attribute(key));
      return true;
    case MPI_WIN_SIZE:
      value = *static_cast<const MPI_Aint*>(window.attribute(key));
      return true;
    case MPI_WIN_DISP_UNIT:
    case MPI_WIN_CREATE_FLAVOR:
    case MPI_WIN_MODEL:
      value = *static_cast<const int*>(window.attribute(key));
      return true;
    default:
      return false;
  }
}

}  // namespace

int fortran_win_get_attr(MPI_Win win, int keyval, void* value, int* flag, int type) noexcept {
  win::Window* const window = process().find_window(win);
  if (window != nullptr && fortran_value(*window, c_key(keyval), *static_cast<MPI_Aint*>(value))) {
    *flag = 1;
    return MPI_SUCCESS;
  }
  const FortranWinGetAttr next = process().next(Level::pmpi).fortran_win_get_attr;
  return next != nullptr ? next(win, keyval, value, flag, type) : missing_function();
}

}  // namespace psnam::mpi

extern "C" __attribute__((visibility("default"))) int MPII_Win_get_attr(MPI_Win win, int keyval, void* value, int* flag,
                                                                        int type) {
  return psnam::mpi::fortran_win_get_attr(win, keyval, value, flag, type);
}
