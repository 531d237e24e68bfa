// Communication calls.
#include "mpi/route.hpp"

namespace psnam::mpi {
namespace {

constexpr const char* kInstead = "use MPI_Put and MPI_Get";

}  // namespace

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

/// A communication call that PSNAM windows do not take: refused on them, handed on otherwise.
template <Level L, auto Function, class... Args>
int refuse_or_hand_on(const char* name, MPI_Win win, Args... args) noexcept {
  if (our_window<L, Function>(win) == nullptr) return hand_on<L, Function>(args...);
  return refuse(win, name, kInstead);
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

// The calls that are refused differ in nothing but their parameters.
#define PSNAM_EXPORT_REFUSED(name, params, args)                                                 \
  extern "C" __attribute__((visibility("default"))) int MPI_##name params {                      \
    return psnam::mpi::refuse_or_hand_on<psnam::mpi::Level::mpi, &psnam::mpi::Next::name> args;  \
  }                                                                                              \
  extern "C" __attribute__((visibility("default"))) int PMPI_##name params {                     \
    return psnam::mpi::refuse_or_hand_on<psnam::mpi::Level::pmpi, &psnam::mpi::Next::name> args; \
  }

PSNAM_EXPORT_REFUSED(Accumulate,
                     (const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt,
                      MPI_Op op, MPI_Win win),
                     ("MPI_Accumulate", win, o, oc, ot, rank, disp, tc, tt, op, win))
PSNAM_EXPORT_REFUSED(Accumulate_c,
                     (const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc,
                      MPI_Datatype tt, MPI_Op op, MPI_Win win),
                     ("MPI_Accumulate_c", win, o, oc, ot, rank, disp, tc, tt, op, win))
PSNAM_EXPORT_REFUSED(Get_accumulate,
                     (const void* o, int oc, MPI_Datatype ot, void* r, int rc, MPI_Datatype rt, int rank, MPI_Aint disp,
                      int tc, MPI_Datatype tt, MPI_Op op, MPI_Win win),
                     ("MPI_Get_accumulate", win, o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win))
PSNAM_EXPORT_REFUSED(Get_accumulate_c,
                     (const void* o, MPI_Count oc, MPI_Datatype ot, void* r, MPI_Count rc, MPI_Datatype rt, int rank,
                      MPI_Aint disp, MPI_Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win),
                     ("MPI_Get_accumulate_c", win, o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win))
PSNAM_EXPORT_REFUSED(Fetch_and_op,
                     (const void* o, void* r, MPI_Datatype type, int rank, MPI_Aint disp, MPI_Op op, MPI_Win win),
                     ("MPI_Fetch_and_op", win, o, r, type, rank, disp, op, win))
PSNAM_EXPORT_REFUSED(Compare_and_swap,
                     (const void* o, const void* c, void* r, MPI_Datatype type, int rank, MPI_Aint disp, MPI_Win win),
                     ("MPI_Compare_and_swap", win, o, c, r, type, rank, disp, win))
PSNAM_EXPORT_REFUSED(Rput,
                     (const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt,
                      MPI_Win win, MPI_Request* q),
                     ("MPI_Rput", win, o, oc, ot, rank, disp, tc, tt, win, q))
PSNAM_EXPORT_REFUSED(Rput_c,
                     (const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc,
                      MPI_Datatype tt, MPI_Win win, MPI_Request* q),
                     ("MPI_Rput_c", win, o, oc, ot, rank, disp, tc, tt, win, q))
PSNAM_EXPORT_REFUSED(Rget,
                     (void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt, MPI_Win win,
                      MPI_Request* q),
                     ("MPI_Rget", win, o, oc, ot, rank, disp, tc, tt, win, q))
PSNAM_EXPORT_REFUSED(Rget_c,
                     (void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc, MPI_Datatype tt,
                      MPI_Win win, MPI_Request* q),
                     ("MPI_Rget_c", win, o, oc, ot, rank, disp, tc, tt, win, q))
PSNAM_EXPORT_REFUSED(Raccumulate,
                     (const void* o, int oc, MPI_Datatype ot, int rank, MPI_Aint disp, int tc, MPI_Datatype tt,
                      MPI_Op op, MPI_Win win, MPI_Request* q),
                     ("MPI_Raccumulate", win, o, oc, ot, rank, disp, tc, tt, op, win, q))
PSNAM_EXPORT_REFUSED(Raccumulate_c,
                     (const void* o, MPI_Count oc, MPI_Datatype ot, int rank, MPI_Aint disp, MPI_Count tc,
                      MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q),
                     ("MPI_Raccumulate_c", win, o, oc, ot, rank, disp, tc, tt, op, win, q))
PSNAM_EXPORT_REFUSED(Rget_accumulate,
                     (const void* o, int oc, MPI_Datatype ot, void* r, int rc, MPI_Datatype rt, int rank, MPI_Aint disp,
                      int tc, MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q),
                     ("MPI_Rget_accumulate", win, o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win, q))
PSNAM_EXPORT_REFUSED(Rget_accumulate_c,
                     (const void* o, MPI_Count oc, MPI_Datatype ot, void* r, MPI_Count rc, MPI_Datatype rt, int rank,
                      MPI_Aint disp, MPI_Count tc, MPI_Datatype tt, MPI_Op op, MPI_Win win, MPI_Request* q),
                     ("MPI_Rget_accumulate_c", win, o, oc, ot, r, rc, rt, rank, disp, tc, tt, op, win, q))
