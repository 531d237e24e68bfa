// Answers GET /metrics over HTTP, with a thread of its own that sleeps while nobody asks.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "nam/control/address.hpp"

struct MHD_Daemon;

namespace psnam::daemon {

class MetricsServer {
 public:
  /// Listens at the first of the addresses that `address` stands for. `text` makes the page, on the server's thread,
  /// and is not called any more once the server is gone. Port 0 takes a free one.
  [[nodiscard]] static Result<std::unique_ptr<MetricsServer>> start(const nam::control::Address& address,
                                                                    std::function<std::string()> text);
  ~MetricsServer();
  MetricsServer(const MetricsServer&) = delete;
  MetricsServer& operator=(const MetricsServer&) = delete;

  /// Where it listens: "127.0.0.1:7761".
  [[nodiscard]] const std::string& listening() const noexcept { return listening_; }
  /// What it answers with.
  [[nodiscard]] std::string text() const { return text_(); }

 private:
  explicit MetricsServer(std::function<std::string()> text) : text_{std::move(text)} {}

  std::function<std::string()> text_;
  std::string listening_;
  MHD_Daemon* daemon_ = nullptr;
};

}  // namespace psnam::daemon
