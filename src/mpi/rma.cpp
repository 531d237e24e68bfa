// Put and get, and their forms that give a request.
#include "mpi/route.hpp"

namespace psnam::mpi {
// What is not the simple case is a function of its own with the same parameters, so that the compiler needs no stack
// frame for an error and makes a jump of handing on: a put of 8 bytes takes 6 ns instead of 10, medians of alternating
// runs.
template <Level L, auto Function, class Count>
[[gnu::noinline]] int put_in_full(const void* origin, Count origin_count, MPI_Datatype origin_type, int rank,
                                  MPI_Aint disp, Count target_count, MPI_Datatype target_type, MPI_Win win) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  // The origin of a put is only read.
  const win::Transfer transfer{
      const_cast<void*>(origin), origin_count, origin_type, rank, disp, target_count, target_type};
  return run_on_window(win, [&] { return window->transfer(win::Direction::put, transfer); });
}

template <Level L, auto Function, class Count>
[[gnu::noinline]] int get_in_full(void* origin, Count origin_count, MPI_Datatype origin_type, int rank, MPI_Aint disp,
                                  Count target_count, MPI_Datatype target_type, MPI_Win win) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  const win::Transfer transfer{origin, origin_count, origin_type, rank, disp, target_count, target_type};
  return run_on_window(win, [&] { return window->transfer(win::Direction::get, transfer); });
}

template <Level L, auto Function, class Count>
int put_at(const void* origin, Count origin_count, MPI_Datatype origin_type, int rank, MPI_Aint disp,
           Count target_count, MPI_Datatype target_type, MPI_Win win) noexcept {
  const win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr)
    return hand_on<L, Function>(origin, origin_count, origin_type, rank, disp, target_count, target_type, win);
  if (window->try_put(origin, static_cast<std::uint64_t>(origin_count), origin_type, rank, disp,
                      static_cast<std::uint64_t>(target_count), target_type))
    return MPI_SUCCESS;
  return put_in_full<L, Function>(origin, origin_count, origin_type, rank, disp, target_count, target_type, win);
}

template <Level L, auto Function, class Count>
int get_at(void* origin, Count origin_count, MPI_Datatype origin_type, int rank, MPI_Aint disp, Count target_count,
           MPI_Datatype target_type, MPI_Win win) noexcept {
  const win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr)
    return hand_on<L, Function>(origin, origin_count, origin_type, rank, disp, target_count, target_type, win);
  if (window->try_get(origin, static_cast<std::uint64_t>(origin_count), origin_type, rank, disp,
                      static_cast<std::uint64_t>(target_count), target_type))
    return MPI_SUCCESS;
  return get_in_full<L, Function>(origin, origin_count, origin_type, rank, disp, target_count, target_type, win);
}

template <Level L>
int Put_at(const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt,
           MPI_Win win) noexcept {
  return put_at<L, &Next::Put>(o, oc, ot, rank, disp, tc, tt, win);
}

template <Level L>
int Put_c_at(const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
             MPI_Win win) noexcept {
  return put_at<L, &Next::Put_c>(o, oc, ot, rank, disp, tc, tt, win);
}

template <Level L>
int Get_at(void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win) noexcept {
  return get_at<L, &Next::Get>(o, oc, ot, rank, disp, tc, tt, win);
}

template <Level L>
int Get_c_at(void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
             MPI_Win win) noexcept {
  return get_at<L, &Next::Get_c>(o, oc, ot, rank, disp, tc, tt, win);
}

template <Level L, auto Function, win::Direction D, class Buffer, class Count>
int request_at(Buffer origin, Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, Count tc, MPI_Datatype tt,
               MPI_Win win, MPI_Request* request) noexcept {
  win::Window* const window = our_window<L, Function>(win);
  if (window == nullptr) return hand_on<L, Function>(origin, oc, ot, rank, disp, tc, tt, win, request);
  const win::Transfer transfer{const_cast<void*>(origin), oc, ot, rank, disp, tc, tt};
  return run_on_window(win, [&] { return window->transfer(D, transfer, request); });
}

template <Level L>
int Rput_at(const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win,
            MPI_Request* q) noexcept {
  return request_at<L, &Next::Rput, win::Direction::put>(o, oc, ot, rank, disp, tc, tt, win, q);
}

template <Level L>
int Rput_c_at(const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Win win, MPI_Request* q) noexcept {
  return request_at<L, &Next::Rput_c, win::Direction::put>(o, oc, ot, rank, disp, tc, tt, win, q);
}

template <Level L>
int Rget_at(void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win,
            MPI_Request* q) noexcept {
  return request_at<L, &Next::Rget, win::Direction::get>(o, oc, ot, rank, disp, tc, tt, win, q);
}

template <Level L>
int Rget_c_at(void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Win win, MPI_Request* q) noexcept {
  return request_at<L, &Next::Rget_c, win::Direction::get>(o, oc, ot, rank, disp, tc, tt, win, q);
}

}  // namespace psnam::mpi

PSNAM_EXPORT(Put,
             (const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win),
             (o, oc, ot, rank, disp, tc, tt, win))
PSNAM_EXPORT(Put_c,
             (const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Win win),
             (o, oc, ot, rank, disp, tc, tt, win))
PSNAM_EXPORT(Get, (void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win),
             (o, oc, ot, rank, disp, tc, tt, win))
PSNAM_EXPORT(Get_c,
             (void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Win win),
             (o, oc, ot, rank, disp, tc, tt, win))

PSNAM_EXPORT(Rput,
             (const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win,
              MPI_Request* q),
             (o, oc, ot, rank, disp, tc, tt, win, q))
PSNAM_EXPORT(Rput_c,
             (const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Win win, MPI_Request* q),
             (o, oc, ot, rank, disp, tc, tt, win, q))
PSNAM_EXPORT(Rget,
             (void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win,
              MPI_Request* q),
             (o, oc, ot, rank, disp, tc, tt, win, q))
PSNAM_EXPORT(Rget_c,
             (void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
              MPI_Win win, MPI_Request* q),
             (o, oc, ot, rank, disp, tc, tt, win, q))
