// A C++ program with exceptions and run-time types of its own, thrown and caught around MPI
// calls, and with the roundtrip: the library's own C++ parts do not mix with the program's.
#include <mpi.h>

#include <cstdio>
#include <memory>
#include <stdexcept>
#include <string>
#include <typeinfo>

#include "roundtrip.h"

namespace {

struct Shape {
  virtual ~Shape() = default;
  [[nodiscard]] virtual int corners() const = 0;
};
struct Triangle final : Shape {
  [[nodiscard]] int corners() const override { return 3; }
};

struct MpiError : std::runtime_error {
  explicit MpiError(int code_class) : std::runtime_error{"MPI error"}, error_class{code_class} {}
  int error_class;
};

void allocate_with_wrong_key() {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Info_create(&info);
  MPI_Info_set(info, "psnam_manifestation", "nowhere");
  void* base = nullptr;
  MPI_Win win = MPI_WIN_NULL;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  const int rc = MPI_Win_allocate(8, 1, info, MPI_COMM_WORLD, &base, &win);
  MPI_Info_free(&info);
  int error_class = MPI_SUCCESS;
  MPI_Error_class(rc, &error_class);
  if (rc != MPI_SUCCESS) throw MpiError{error_class};
}

void throw_and_catch() {
  const std::unique_ptr<Shape> shape = std::make_unique<Triangle>();
  if (dynamic_cast<Triangle*>(shape.get()) == nullptr || typeid(*shape) != typeid(Triangle))
    throw std::logic_error{"RTTI is broken"};
  try {
    allocate_with_wrong_key();
  } catch (const MpiError& error) {
    if (error.error_class == MPI_ERR_INFO_VALUE) return;
  }
  throw std::logic_error{"the wrong key gave no MPI_ERR_INFO_VALUE"};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3) return roundtrip(argc, argv);
  MPI_Init(&argc, &argv);
  int rank = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  int status = 0;
  try {
    throw_and_catch();
    if (rank == 0) std::puts("caught");
  } catch (const std::exception& exception) {
    std::fprintf(stderr, "exceptions: %s\n", exception.what());
    status = 1;
  }
  MPI_Finalize();
  return status;
}
