// A NAM that serves others: one store, opened for this process alone, the sockets at which clients come, and a session
// for each client.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "nam/control/server.hpp"
#include "nam/statistics.hpp"
#include "nam/store.hpp"

namespace psnam::nam {

struct HostOptions {
  StoreOptions store;
  std::vector<control::Address> listen;
  control::ServerOptions server;
  std::string provider;
  std::string join;
  std::string name;
  std::chrono::milliseconds timeout{10'000};
};

class NamHost {
 public:
  /// Opens the store and listens; clients are answered from run() on.
  [[nodiscard]] static Result<std::unique_ptr<NamHost>> start(HostOptions options);
  ~NamHost();

  /// Serves until stop().
  [[nodiscard]] Status run();
  /// Any thread, any time.
  void stop() noexcept;

  [[nodiscard]] const std::vector<control::Address>& listening() const noexcept;
  [[nodiscard]] Service& service() noexcept;
  [[nodiscard]] Result<Statistics> statistics();

 private:
  class Impl;
  explicit NamHost(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace psnam::nam
