// MPI_Init and its kin, MPI_Finalize, and the small functions that the rest depends on.
#include "mpi/route.hpp"

namespace psnam::mpi {

template <Level L>
int Init_at(int* argc, char*** argv) noexcept {
  const int rc = hand_on<L, &Next::Init>(argc, argv);
  if (rc == MPI_SUCCESS && process().works<L, &Next::Init>()) process().runtime().start();
  return rc;
}

template <Level L>
int Init_thread_at(int* argc, char*** argv, int required, int* provided) noexcept {
  const int rc = hand_on<L, &Next::Init_thread>(argc, argv, required, provided);
  if (rc == MPI_SUCCESS && process().works<L, &Next::Init_thread>()) process().runtime().start();
  return rc;
}

template <Level L>
int Finalize_at() noexcept {
  if (Runtime* const runtime = process().existing_runtime();
      runtime != nullptr && process().works<L, &Next::Finalize>() && !has_ended()) {
    std::size_t open_windows = 0;
    process().windows().for_each([&](MPI_Win, win::Window*) { ++open_windows; });
    runtime->finish(open_windows, process().gets().all().size());
  }
  return hand_on<L, &Next::Finalize>();
}

template <Level L>
int Error_class_at(int code, int* error_class) noexcept {
  if (Runtime* const runtime = process().existing_runtime(); runtime != nullptr && error_class != nullptr)
    if (const int ours = runtime->errors().find_class(code); ours != 0) {
      *error_class = ours;
      return MPI_SUCCESS;
    }
  return hand_on<L, &Next::Error_class>(code, error_class);
}

template <Level L>
int Type_free_at(MPI_Datatype* type) noexcept {
  if (Runtime* const runtime = process().existing_runtime();
      runtime != nullptr && type != nullptr && process().works<L, &Next::Type_free>())
    runtime->types().forget(*type);
  return hand_on<L, &Next::Type_free>(type);
}

}  // namespace psnam::mpi

PSNAM_EXPORT(Init, (int* argc, char*** argv), (argc, argv))
PSNAM_EXPORT(Init_thread, (int* argc, char*** argv, int required, int* provided), (argc, argv, required, provided))
PSNAM_EXPORT(Finalize, (), ())
PSNAM_EXPORT(Error_class, (int errorcode, int* errorclass), (errorcode, errorclass))
PSNAM_EXPORT(Type_free, (MPI_Datatype * datatype), (datatype))
