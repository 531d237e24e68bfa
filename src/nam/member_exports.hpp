// What a client exports for parity: endpoints of its own, at which its server reads and writes the members' memory. A
// thread moves the bytes when they come or go, and sleeps on descriptors else.
//
// An endpoint serves one piece of work at a time, and is kept for the next one if that ended well: the server's
// connection to it is kept too. If not, it goes, and nothing of the server lands any more.
#pragma once

#include <sys/types.h>

#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "backends/fabric.hpp"
#include "base/result.hpp"
#include "nam/parity_service.hpp"

namespace psnam::nam {

class MemberExports;

/// Memory that the server reaches until this is gone.
class MemberExport {
 public:
  MemberExport(MemberExport&& other) noexcept = default;
  MemberExport& operator=(MemberExport&&) = delete;
  ~MemberExport();

  [[nodiscard]] const std::string& address() const noexcept { return endpoint_->address(); }
  /// Code::no_memory and the like; nothing is exported of no bytes.
  [[nodiscard]] Result<ExportedPart> add(std::span<std::byte> bytes, Protection protection);
  /// The server has told that it is done: the endpoint is good for more.
  void done() noexcept { done_ = true; }

 private:
  friend class MemberExports;
  MemberExport(MemberExports& exports, std::string local_ip, std::unique_ptr<backends::FabricEndpoint> endpoint)
      : exports_{exports}, local_ip_{std::move(local_ip)}, endpoint_{std::move(endpoint)} {}

  MemberExports& exports_;
  std::string local_ip_;
  std::unique_ptr<backends::FabricEndpoint> endpoint_;
  std::vector<std::unique_ptr<backends::FabricRegistration>> registrations_;
  bool done_ = false;
};

/// Thread-safe. Outlives what it gave out.
class MemberExports {
 public:
  /// `module`: as for backends::load_fabric().
  explicit MemberExports(std::string module) : module_{std::move(module)} {}
  MemberExports(const MemberExports&) = delete;
  MemberExports& operator=(const MemberExports&) = delete;
  /// In a child of the process that opened it everything is left as it is: the thread is not there.
  ~MemberExports();

  /// An endpoint at this address of this host; empty: the loopback address. Code::unsupported without a fabric.
  [[nodiscard]] Result<MemberExport> open(const std::string& local_ip);
  /// Of the endpoints, once there was one.
  [[nodiscard]] std::string provider() const;

 private:
  friend class MemberExport;
  struct Idle {
    std::string local_ip;
    std::unique_ptr<backends::FabricEndpoint> endpoint;
  };
  void give_back(Idle endpoint);

  const std::string module_;
  mutable std::mutex mutex_;
  pid_t process_ = 0;
  std::shared_ptr<backends::Fabric> fabric_;
  std::unique_ptr<backends::FabricServer> server_;
  std::vector<Idle> idle_;
};

}  // namespace psnam::nam
