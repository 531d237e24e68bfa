// Connecting to windows of other jobs, the handles that this gives, and the publication of names.
#include <cstring>

#include "mpi/route.hpp"
#include "win/names.hpp"

namespace psnam::mpi {
namespace {

bool is_root_of(MPI_Comm comm, int root) noexcept {
  int size = 0;
  return comm != MPI_COMM_NULL && !has_ended() && process().runtime().real().Comm_size(comm, &size) == MPI_SUCCESS &&
         root >= 0 && root < size;
}

/// Connects if root asks for a window; `connected` tells.
Status connect(const win::ConnectRequest& request, MPI_Comm* newcomm, bool& connected) {
  Runtime& runtime = process().runtime();
  PSNAM_TRY(auto connection, win::connect_window(runtime.context(), request));
  connected = connection != nullptr;
  if (!connected) return {};
  *newcomm = connection->comm();
  process().connections().insert(*newcomm, connection.get());
  static_cast<void>(connection.release());  // freed by MPI_Comm_free or MPI_Comm_disconnect
  return {};
}

/// MPI_Comm_free and MPI_Comm_disconnect.
template <Level L, auto Function>
int end_connection(MPI_Comm* comm) noexcept {
  win::Connection* const found = comm != nullptr ? our_connection<L, Function>(*comm) : nullptr;
  if (found == nullptr) return hand_on<L, Function>(comm);
  const std::unique_ptr<win::Connection> connection{process().connections().erase(*comm)};
  const int rc = run_on_comm(*comm, [&] { return connection->release(); });
  const int native_rc = hand_on<Level::pmpi, Function>(comm);
  return rc != MPI_SUCCESS ? rc : native_rc;
}

}  // namespace

template <Level L>
int Comm_connect_at(const char* port_name, MPI_Info info, int root, MPI_Comm comm, MPI_Comm* newcomm) noexcept {
  if (!process().works<L, &Next::Comm_connect>() || newcomm == nullptr || !is_root_of(comm, root))
    return hand_on<L, &Next::Comm_connect>(port_name, info, root, comm, newcomm);
  bool connected = true;
  const int rc = run_on_comm(comm, [&] { return connect({port_name, info, root, comm}, newcomm, connected); });
  if (connected) return rc;
  return hand_on<L, &Next::Comm_connect>(port_name, info, root, comm, newcomm);
}

template <Level L>
int Comm_free_at(MPI_Comm* comm) noexcept {
  return end_connection<L, &Next::Comm_free>(comm);
}

template <Level L>
int Comm_disconnect_at(MPI_Comm* comm) noexcept {
  return end_connection<L, &Next::Comm_disconnect>(comm);
}

template <Level L>
int Comm_test_inter_at(MPI_Comm comm, int* flag) noexcept {
  if (our_connection<L, &Next::Comm_test_inter>(comm) == nullptr) return hand_on<L, &Next::Comm_test_inter>(comm, flag);
  *flag = 1;
  return MPI_SUCCESS;
}

template <Level L>
int Comm_remote_size_at(MPI_Comm comm, int* size) noexcept {
  const win::Connection* const connection = our_connection<L, &Next::Comm_remote_size>(comm);
  if (connection == nullptr) return hand_on<L, &Next::Comm_remote_size>(comm, size);
  *size = connection->remote_size();
  return MPI_SUCCESS;
}

template <Level L>
int Comm_remote_group_at(MPI_Comm comm, MPI_Group* group) noexcept {
  if (our_connection<L, &Next::Comm_remote_group>(comm) == nullptr)
    return hand_on<L, &Next::Comm_remote_group>(comm, group);
  return run_on_comm(comm, []() -> Status {
    return Error{Code::unsupported,
                 "the handle of a window has no remote group: the processes that made the window may have ended"};
  });
}

template <Level L>
int Publish_name_at(const char* service, MPI_Info info, const char* port_name) noexcept {
  if (!process().works<L, &Next::Publish_name>() || service == nullptr || port_name == nullptr || has_ended())
    return hand_on<L, &Next::Publish_name>(service, info, port_name);
  bool ours = true;
  const int rc = run_on_comm(MPI_COMM_SELF, [&]() -> Status {
    PSNAM_TRY(ours, win::publish_name(process().runtime().context(), service, port_name));
    return {};
  });
  return ours ? rc : hand_on<L, &Next::Publish_name>(service, info, port_name);
}

template <Level L>
int Lookup_name_at(const char* service, MPI_Info info, char* port_name) noexcept {
  if (!process().works<L, &Next::Lookup_name>() || service == nullptr || port_name == nullptr || has_ended())
    return hand_on<L, &Next::Lookup_name>(service, info, port_name);
  bool ours = true;
  const int rc = run_on_comm(MPI_COMM_SELF, [&]() -> Status {
    PSNAM_TRY(const auto found, win::lookup_name(process().runtime().context(), service));
    ours = found.has_value();
    if (ours) std::memcpy(port_name, found->c_str(), found->size() + 1);
    return {};
  });
  return ours ? rc : hand_on<L, &Next::Lookup_name>(service, info, port_name);
}

template <Level L>
int Unpublish_name_at(const char* service, MPI_Info info, const char* port_name) noexcept {
  if (!process().works<L, &Next::Unpublish_name>() || service == nullptr || port_name == nullptr || has_ended())
    return hand_on<L, &Next::Unpublish_name>(service, info, port_name);
  bool ours = true;
  const int rc = run_on_comm(MPI_COMM_SELF, [&]() -> Status {
    PSNAM_TRY(ours, win::unpublish_name(process().runtime().context(), service, port_name));
    return {};
  });
  return ours ? rc : hand_on<L, &Next::Unpublish_name>(service, info, port_name);
}

}  // namespace psnam::mpi

PSNAM_EXPORT(Comm_connect, (const char* port_name, MPI_Info info, int root, MPI_Comm comm, MPI_Comm* newcomm),
             (port_name, info, root, comm, newcomm))
PSNAM_EXPORT(Comm_free, (MPI_Comm * comm), (comm))
PSNAM_EXPORT(Comm_disconnect, (MPI_Comm * comm), (comm))
PSNAM_EXPORT(Comm_test_inter, (MPI_Comm comm, int* flag), (comm, flag))
PSNAM_EXPORT(Comm_remote_size, (MPI_Comm comm, int* size), (comm, size))
PSNAM_EXPORT(Comm_remote_group, (MPI_Comm comm, MPI_Group* group), (comm, group))
PSNAM_EXPORT(Publish_name, (const char* service_name, MPI_Info info, const char* port_name),
             (service_name, info, port_name))
PSNAM_EXPORT(Lookup_name, (const char* service_name, MPI_Info info, char* port_name), (service_name, info, port_name))
PSNAM_EXPORT(Unpublish_name, (const char* service_name, MPI_Info info, const char* port_name),
             (service_name, info, port_name))
