// Accumulating calls.
#include "mpi/route.hpp"

namespace psnam::mpi {

template <Level L, auto Function, class Count>
int accumulate_at(const void* o, Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, Count tc, MPI_Datatype tt,
                  MPI_Op op, MPI_Win win) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr) return hand_on<L, Function>(o, oc, ot, rank, disp, tc, tt, op, win);
  if (oc == tc && ot == tt && oc > 0 && op != MPI_NO_OP &&
      window->try_accumulate(o, nullptr, static_cast<std::uint64_t>(oc), ot, rank, disp, op))
    return MPI_SUCCESS;
  const win::Accumulation accumulation{.sides = {const_cast<void*>(o), oc, ot, rank, disp, tc, tt}, .op = op};
  return run_on_window(win, [&] { return window->accumulate(accumulation); });
}

template <Level L, auto Function, class Count>
int get_accumulate_at(const void* o, Count oc, MPI_Datatype ot, void* r, Count rc, MPI_Datatype rt, int rank,
                      MPI_Aint disp, Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr) return hand_on<L, Function>(o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win);
  const bool alike = rc == tc && rt == tt && rc > 0 && r != nullptr && (op == MPI_NO_OP || (oc == tc && ot == tt));
  if (alike && window->try_accumulate(o, r, static_cast<std::uint64_t>(tc), tt, rank, disp, op)) return MPI_SUCCESS;
  const win::Accumulation accumulation{{const_cast<void*>(o), oc, ot, rank, disp, tc, tt}, op, true, r, rc, rt};
  return run_on_window(win, [&] { return window->accumulate(accumulation); });
}

template <Level L>
int Accumulate_at(const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Op op,
                  MPI_Win win) noexcept {
  return accumulate_at<L, &Next::Accumulate>(o, oc, ot, rank, disp, tc, tt, op, win);
}

template <Level L>
int Accumulate_c_at(const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc,
                    MPI_Datatype tt, MPI_Op op, MPI_Win win) noexcept {
  return accumulate_at<L, &Next::Accumulate_c>(o, oc, ot, rank, disp, tc, tt, op, win);
}

template <Level L>
int Get_accumulate_at(const void* o, int oc, MPI_Datatype ot, void* r, int rc, MPI_Datatype rt, int rank, MPI_Aint disp,
                      int tc, MPI_Datatype tt, MPI_Op op, MPI_Win win) noexcept {
  return get_accumulate_at<L, &Next::Get_accumulate>(o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win);
}

template <Level L>
int Get_accumulate_c_at(const void* o, MPI_Count oc, MPI_Datatype ot, void* r, MPI_Count rc, MPI_Datatype rt, int rank,
                        MPI_Aint disp, MPI_Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win) noexcept {
  return get_accumulate_at<L, &Next::Get_accumulate_c>(o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win);
}

template <Level L>
int Fetch_and_op_at(const void* o, void* r, MPI_Datatype type, int rank, MPI_Aint disp, MPI_Op op,
                    MPI_Win win) noexcept {
  win::Window* const window = our_window<L, &Next::Fetch_and_op>(win);
  if (window == nullptr) return hand_on<L, &Next::Fetch_and_op>(o, r, type, rank, disp, op, win);
  if (r != nullptr && window->try_accumulate(o, r, 1, type, rank, disp, op)) return MPI_SUCCESS;
  const win::Accumulation accumulation{{const_cast<void*>(o), 1, type, rank, disp, 1, type}, op, true, r, 1, type};
  return run_on_window(win, [&] { return window->accumulate(accumulation); });
}

template <Level L>
int Compare_and_swap_at(const void* o, const void* c, void* r, MPI_Datatype type, int rank, MPI_Aint disp,
                        MPI_Win win) noexcept {
  win::Window* const window = our_window<L, &Next::Compare_and_swap>(win);
  if (window == nullptr) return hand_on<L, &Next::Compare_and_swap>(o, c, r, type, rank, disp, win);
  if (window->try_compare_and_swap(o, c, r, type, rank, disp)) return MPI_SUCCESS;
  return run_on_window(win, [&] { return window->compare_and_swap(o, c, r, type, rank, disp); });
}

template <Level L, auto Function, class Count>
int raccumulate_at(const void* o, Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, Count tc, MPI_Datatype tt,
                   MPI_Op op, MPI_Win win, MPI_Request* q) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr) return hand_on<L, Function>(o, oc, ot, rank, disp, tc, tt, op, win, q);
  const win::Accumulation accumulation{.sides = {const_cast<void*>(o), oc, ot, rank, disp, tc, tt}, .op = op};
  return run_on_window(win, [&] { return window->accumulate(accumulation, q); });
}

template <Level L, auto Function, class Count>
int rget_accumulate_at(const void* o, Count oc, MPI_Datatype ot, void* r, Count rc, MPI_Datatype rt, int rank,
                       MPI_Aint disp, Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr) return hand_on<L, Function>(o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win, q);
  const win::Accumulation accumulation{{const_cast<void*>(o), oc, ot, rank, disp, tc, tt}, op, true, r, rc, rt};
  return run_on_window(win, [&] { return window->accumulate(accumulation, q); });
}

template <Level L>
int Raccumulate_at(const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Op op,
                   MPI_Win win, MPI_Request* q) noexcept {
  return raccumulate_at<L, &Next::Raccumulate>(o, oc, ot, rank, disp, tc, tt, op, win, q);
}

template <Level L>
int Raccumulate_c_at(const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc,
                     MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q) noexcept {
  return raccumulate_at<L, &Next::Raccumulate_c>(o, oc, ot, rank, disp, tc, tt, op, win, q);
}

template <Level L>
int Rget_accumulate_at(const void* o, int oc, MPI_Datatype ot, void* r, int rc, MPI_Datatype rt, int rank,
                       MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q) noexcept {
  return rget_accumulate_at<L, &Next::Rget_accumulate>(o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win, q);
}

template <Level L>
int Rget_accumulate_c_at(const void* o, MPI_Count oc, MPI_Datatype ot, void* r, MPI_Count rc, MPI_Datatype rt, int rank,
                         MPI_Aint disp, MPI_Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win,
                         MPI_Request* q) noexcept {
  return rget_accumulate_at<L, &Next::Rget_accumulate_c>(o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win, q);
}

}  // namespace psnam::mpi

PSNAM_EXPORT(Accumulate,
             (const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Op op,
              MPI_Win win),
             (o, oc, ot, rank, disp, tc, tt, op, win))
PSNAM_EXPORT(Get_accumulate,
             (const void* o, int oc, MPI_Datatype ot, void* r, int rc, MPI_Datatype rt, int rank, MPI_Aint disp, int tc,
              MPI_Datatype tt, MPI_Op op, MPI_Win win),
             (o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win))
PSNAM_EXPORT(Raccumulate,
             (const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Op op,
              MPI_Win win, MPI_Request* q),
             (o, oc, ot, rank, disp, tc, tt, op, win, q))
PSNAM_EXPORT(Rget_accumulate,
             (const void* o, int oc, MPI_Datatype ot, void* r, int rc, MPI_Datatype rt, int rank, MPI_Aint disp, int tc,
              MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q),
             (o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win, q))
PSNAM_EXPORT(Accumulate_c,
             (const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Op op, MPI_Win win),
             (o, oc, ot, rank, disp, tc, tt, op, win))
PSNAM_EXPORT(Get_accumulate_c,
             (const void* o, MPI_Count oc, MPI_Datatype ot, void* r, MPI_Count rc, MPI_Datatype rt, int rank,
              MPI_Aint disp, MPI_Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win),
             (o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win))
PSNAM_EXPORT(Raccumulate_c,
             (const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Op op, MPI_Win win, MPI_Request* q),
             (o, oc, ot, rank, disp, tc, tt, op, win, q))
PSNAM_EXPORT(Rget_accumulate_c,
             (const void* o, MPI_Count oc, MPI_Datatype ot, void* r, MPI_Count rc, MPI_Datatype rt, int rank,
              MPI_Aint disp, MPI_Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q),
             (o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win, q))
PSNAM_EXPORT(Fetch_and_op, (const void* o, void* r, MPI_Datatype type, int rank, MPI_Aint disp, MPI_Op op, MPI_Win win),
             (o, r, type, rank, disp, op, win))
PSNAM_EXPORT(Compare_and_swap,
             (const void* o, const void* c, void* r, MPI_Datatype type, int rank, MPI_Aint disp, MPI_Win win),
             (o, c, r, type, rank, disp, win))
