// A NAM service for many users and hosts: a store, and a server that lets clients have it. What namd runs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backends/fabric.hpp"
#include "base/result.hpp"
#include "nam/client_link.hpp"
#include "nam/control/server.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

struct HostOptions {
  StoreOptions store;                    ///< `serving` is filled in
  std::vector<control::Address> listen;  ///< at least one
  control::ServerOptions server = {};    ///< `facts` are filled in
  backends::FabricOptions fabric = {};
  std::string fabric_module = {};          ///< as for backends::load_fabric()
  std::string name = {};                   ///< of the NAM, for people
  std::optional<ClientOptions> join = {};  ///< the manager, for a memory node
};

class NamHost {
 public:
  /// Opens the store for itself alone, which releases what a former server left, listens, and takes its place among the
  /// NAMs: as the manager, or by joining one. Code::busy when another
  /// server, or a process that embeds it, has the store.
  [[nodiscard]] static Result<std::unique_ptr<NamHost>> start(HostOptions options);
  /// run() has returned or was never called.
  ~NamHost();
  NamHost(const NamHost&) = delete;
  NamHost& operator=(const NamHost&) = delete;

  /// Serves until stop().
  [[nodiscard]] Status run();
  /// Any thread, and a signal handler.
  void stop() noexcept;

  [[nodiscard]] const std::vector<control::Address>& listening() const noexcept;
  /// Which NAM it is.
  [[nodiscard]] Result<std::uint32_t> nam_index();
  /// What the service decides as itself; for its administration.
  [[nodiscard]] Store& store() noexcept;
  [[nodiscard]] Collected released_at_open() const;
  [[nodiscard]] control::ServerCounters counters() const noexcept;
  /// Limits of users, from now on; any thread.
  [[nodiscard]] Status set_limits(Limits limits);
  /// For those who watch it; all sessions are told.
  [[nodiscard]] Result<Statistics> statistics();
  /// Of the fabric; empty until a client has needed it.
  [[nodiscard]] std::string provider() const;
  /// Released, and kept from others until clients have gone that had a key for it.
  [[nodiscard]] std::uint64_t quarantined_bytes();

 private:
  class Impl;
  explicit NamHost(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace psnam::nam
