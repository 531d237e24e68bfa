#include "daemon/metrics_server.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <sys/socket.h>

#include <cerrno>
#include <string_view>

#include "base/system.hpp"

namespace psnam::daemon {
namespace {

// A watcher has one connection, sometimes two. What is beyond that is a mistake, and shall not cost the daemon
// anything.
constexpr unsigned kConnections = 16;
constexpr unsigned kConnectionBytes = 16384;
constexpr unsigned kSilentSeconds = 10;
constexpr int kBacklog = 16;

MHD_Result answer(MHD_Connection* connection, unsigned status, const char* type, std::string_view text) {
  MHD_Response* const response = MHD_create_response_from_buffer(
      text.size(), const_cast<char*>(text.data()), MHD_RESPMEM_MUST_COPY);  // it is copied, not written to
  if (response == nullptr) return MHD_NO;
  MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
  if (status == MHD_HTTP_METHOD_NOT_ALLOWED) MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
  const MHD_Result queued = MHD_queue_response(connection, status, response);
  MHD_destroy_response(response);
  return queued;
}

MHD_Result handle(void* server, MHD_Connection* connection, const char* url, const char* method, const char*,
                  const char*, size_t*, void** state) noexcept {
  try {
    const std::string_view verb{method};
    if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD)
      return answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", "only GET and HEAD\n");
    // The first call is for the head of the request only; an answer then would end the connection.
    if (*state == nullptr) {
      *state = server;
      return MHD_YES;
    }
    if (std::string_view{url} != "/metrics")
      return answer(connection, MHD_HTTP_NOT_FOUND, "text/plain", "what is here is /metrics\n");
    return answer(connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8",
                  static_cast<MetricsServer*>(server)->text());
  } catch (...) {
    return MHD_NO;  // no memory: this connection ends, the daemon does not
  }
}

Result<Fd> listen_at(const nam::control::SocketAddress& address) {
  const std::string what = fmt::format("metrics cannot be served at {}", address.text());
  Fd socket{::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  const int yes = 1;
  if (!socket.valid() || ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(socket.get(), address.get(), address.bytes) != 0 || ::listen(socket.get(), kBacklog) != 0)
    return system_error(what, errno);
  return socket;
}

}  // namespace

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const nam::control::Address& address,
                                                            std::function<std::string()> text) {
  PSNAM_TRY(const auto addresses, address.resolve());
  PSNAM_TRY(const Fd socket, listen_at(addresses.front()));
  PSNAM_TRY(const auto own, nam::control::SocketAddress::own_of(socket.get()));
  // Its own descriptor: the library closes the one it is given.
  const int handed_over = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0);
  if (handed_over < 0) return system_error("metrics: the socket cannot be handed over", errno);
  std::unique_ptr<MetricsServer> server{new MetricsServer{std::move(text)}};
  server->listening_ = own.text();
  server->daemon_ = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, 0, nullptr, nullptr, &handle,
                                     server.get(), MHD_OPTION_LISTEN_SOCKET, handed_over, MHD_OPTION_CONNECTION_LIMIT,
                                     kConnections, MHD_OPTION_CONNECTION_TIMEOUT, kSilentSeconds,
                                     MHD_OPTION_CONNECTION_MEMORY_LIMIT, std::size_t{kConnectionBytes}, MHD_OPTION_END);
  if (server->daemon_ == nullptr) {
    const Fd unused{handed_over};
    return system_error(fmt::format("metrics cannot be served at {}", server->listening_), errno);
  }
  return server;
}

MetricsServer::~MetricsServer() {
  if (daemon_ != nullptr) MHD_stop_daemon(daemon_);
}

}  // namespace psnam::daemon
