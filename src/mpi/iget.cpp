#include "mpi/iget.hpp"

#include <bit>

#include "mpi/route.hpp"
#include "win/split_get.hpp"

namespace psnam::mpi {
namespace {

using Gets = TicketTable<win::SplitGet>;
static_assert(sizeof(IgetHandle) == sizeof(Gets::Ticket), "a ticket fills a handle");

Gets& gets() noexcept { return process().gets(); }

/// Runs `body` on behalf of a window, if there is one, else of the process.
template <class Body>
int run_on(MPI_Win win, Body&& body) noexcept {
  return win == MPI_WIN_NULL ? run_on_comm(MPI_COMM_SELF, body) : run_on_window(win, body);
}

/// Runs `body(get)` for the get behind `request` and raises its error on its window, if there is one still.
template <class Body>
int with_get(IgetHandle request, const char* call, Body&& body) noexcept {
  const auto get = gets().find(std::bit_cast<Gets::Ticket>(request));
  if (get == nullptr)
    return run_on_comm(MPI_COMM_SELF, [&]() -> Status {
      return Error{Code::request,
                   std::string{call} + (request == nullptr ? ": the request is MPIX_IGET_REQUEST_NULL"
                                                           : ": the request is none of MPIX_Iget, or was freed")};
    });
  return run_on(get->window(), [&]() -> Status { return body(*get); });
}

Status missing(const char* what) { return Error{Code::invalid_argument, std::string{what} + " is NULL"}; }

Result<std::shared_ptr<win::SplitGet>> start(const win::GetRequest& wanted, MPI_Win win) {
  Runtime& runtime = process().runtime();
  if (win::Window* const ours = process().find_window(win)) return ours->iget(wanted);
  return win::get_from_native_window(
      runtime.real(), runtime.types(),
      {win, wanted.target_rank, wanted.target_displacement, wanted.target_count, wanted.target_type});
}

template <class Body>
void for_gets_of(MPI_Win win, Body&& body) {
  for (const auto& get : gets().all())
    if (get->window() == win) body(*get);
}

}  // namespace

int iget_start(MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_type, int target_rank, MPI_Win win,
               IgetHandle* request) noexcept {
  if (request != nullptr) *request = nullptr;
  return run_on(win, [&]() -> Status {
    if (request == nullptr) return missing("request of MPIX_Iget");
    PSNAM_TRY(auto get, start({target_rank, target_disp, target_count, target_type}, win));
    *request = std::bit_cast<IgetHandle>(gets().insert(std::move(get)));
    return {};
  });
}

int iget_wait(IgetHandle request) noexcept {
  return with_get(request, "MPIX_Iget_wait", [](win::SplitGet& get) { return get.wait(); });
}

int iget_test(IgetHandle request, int* flag) noexcept {
  return with_get(request, "MPIX_Iget_test", [&](win::SplitGet& get) -> Status {
    if (flag == nullptr) return missing("flag of MPIX_Iget_test");
    PSNAM_TRY(const bool done, get.test());
    *flag = done ? 1 : 0;
    return {};
  });
}

int iget_data(IgetHandle request, const void** pointer, MPI_Count* bytes) noexcept {
  return with_get(request, "MPIX_Iget_data", [&](win::SplitGet& get) -> Status {
    PSNAM_TRY(const auto data, get.data());
    if (pointer != nullptr) *pointer = data.address;
    if (bytes != nullptr) *bytes = static_cast<MPI_Count>(data.bytes);
    return {};
  });
}

int iget_free(IgetHandle* request) noexcept {
  if (request == nullptr) return with_get(nullptr, "MPIX_Iget_free", [](win::SplitGet&) { return Status{}; });
  const IgetHandle handle = *request;
  // The memory cannot go before the data has come.
  const int code = with_get(handle, "MPIX_Iget_free", [](win::SplitGet& get) { return get.settle(); });
  if (gets().erase(std::bit_cast<Gets::Ticket>(handle)) != nullptr) *request = nullptr;
  return code;
}

std::size_t live_gets(MPI_Win win) {
  std::size_t count = 0;
  for_gets_of(win, [&](const win::SplitGet&) { ++count; });
  return count;
}

void end_gets_of(MPI_Win win) noexcept {
  if (win == MPI_WIN_NULL) return;
  static_cast<void>(run_on_window(win, [&]() -> Status {
    Status all;
    for_gets_of(win, [&](win::SplitGet& get) {
      if (Status one = get.window_ends(); !one) all = std::move(one);
    });
    return all;
  }));
}

bool abandon_gets_of(MPI_Win win) noexcept {
  bool any = false;
  const Status done = guarded([&]() -> Status {
    for_gets_of(win, [&](win::SplitGet& get) {
      any = true;
      get.abandon();
    });
    return {};
  });
  return any || !done;
}

}  // namespace psnam::mpi

#define PSNAM_EXPORT_OWN extern "C" __attribute__((visibility("default")))

PSNAM_EXPORT_OWN int MPIX_Iget(MPI_Aint target_disp, int target_count, MPI_Datatype target_type, int target_rank,
                               MPI_Win win, psnam::mpi::IgetHandle* request) {
  return psnam::mpi::iget_start(target_disp, target_count, target_type, target_rank, win, request);
}
PSNAM_EXPORT_OWN int MPIX_Iget_c(MPI_Aint target_disp, MPI_Count target_count, MPI_Datatype target_type,
                                 int target_rank, MPI_Win win, psnam::mpi::IgetHandle* request) {
  return psnam::mpi::iget_start(target_disp, target_count, target_type, target_rank, win, request);
}
PSNAM_EXPORT_OWN int MPIX_Iget_wait(psnam::mpi::IgetHandle request) { return psnam::mpi::iget_wait(request); }
PSNAM_EXPORT_OWN int MPIX_Iget_test(psnam::mpi::IgetHandle request, int* flag) {
  return psnam::mpi::iget_test(request, flag);
}
PSNAM_EXPORT_OWN int MPIX_Iget_data(psnam::mpi::IgetHandle request, const void** pointer, MPI_Count* bytes) {
  return psnam::mpi::iget_data(request, pointer, bytes);
}
PSNAM_EXPORT_OWN int MPIX_Iget_free(psnam::mpi::IgetHandle* request) { return psnam::mpi::iget_free(request); }
