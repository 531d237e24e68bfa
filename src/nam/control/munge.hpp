// MUNGE credentials, through libmunge, which is loaded when it is asked for: most processes never need it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace psnam::nam::control {

/// Who a credential is of, and what was put into it.
struct MungeIdentity {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::byte> payload;
};

/// Thread-safe: each call has a context of its own. A call may wait for munged as long as libmunge does.
class Munge {
 public:
  /// `socket` of munged; empty: the one that libmunge was built for. Code::unsupported: no libmunge here, or no munged
  /// answers.
  [[nodiscard]] static Result<Munge> load(std::string socket);

  [[nodiscard]] Result<std::string> encode(std::span<const std::byte> payload) const;
  /// Code::access: no valid credential, or one that was shown before.
  [[nodiscard]] Result<MungeIdentity> decode(const std::string& credential) const;

 private:
  struct Library;
  class Context;
  Munge(std::shared_ptr<const Library> library, std::string socket) noexcept
      : library_{std::move(library)}, socket_{std::move(socket)} {}

  std::shared_ptr<const Library> library_;
  std::string socket_;
};

}  // namespace psnam::nam::control
