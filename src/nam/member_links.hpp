// The connections of a server to endpoints of one session's client, by which it reads and writes that client's memory
// for the parity of a set. They stay between the versions of a set.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "backends/fabric.hpp"
#include "base/result.hpp"

namespace psnam::nam {

class FabricSource;

/// Code::access unless a fabric address of this provider, as far as it names a host, names `host` (numeric), or with an
/// empty `host` a loopback address: a server connects to nobody else for a client.
[[nodiscard]] Status check_member_address(std::string_view provider, std::string_view address, std::string_view host);

/// Thread-safe.
class MemberLinks {
 public:
  static constexpr std::size_t kMostLinks = 64;

  /// `peer_ip`, `own_ip`: of the control connection; empty over the Unix socket.
  MemberLinks(std::string peer_ip, std::string own_ip) : peer_ip_{std::move(peer_ip)}, own_ip_{std::move(own_ip)} {}

  /// The connection to that endpoint, made if there is none that lives. Code::access, Code::no_memory beyond
  /// kMostLinks, and what backends::Fabric::connect() has.
  [[nodiscard]] Result<std::shared_ptr<backends::FabricClient>> get(FabricSource& source, const std::string& provider,
                                                                    const std::string& address, std::stop_token stop);

 private:
  const std::string peer_ip_;
  const std::string own_ip_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<backends::FabricClient>> links_;  ///< by address
};

}  // namespace psnam::nam
