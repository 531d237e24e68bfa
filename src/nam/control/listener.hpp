// Sockets that listen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/system.hpp"
#include "nam/control/address.hpp"

namespace psnam::nam::control {

/// A listening socket that does not block. The file of a Unix socket goes with it, if it is still its own.
class Listener {
 public:
  /// One for each address that `address` stands for. A socket file that nobody listens at is replaced; Code::busy when
  /// somebody does.
  [[nodiscard]] static Result<std::vector<Listener>> open(const Address& address, std::uint32_t socket_mode);

  Listener(Listener&& other) noexcept = default;
  Listener& operator=(Listener&& other) = delete;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();

  [[nodiscard]] int fd() const noexcept { return fd_.get(); }
  [[nodiscard]] const Address& address() const noexcept { return address_; }

 private:
  Listener(Fd fd, Address address) : fd_{std::move(fd)}, address_{std::move(address)} {}
  [[nodiscard]] static Result<Listener> open_tcp(const SocketAddress& address);
  [[nodiscard]] static Result<Listener> open_unix(const Address& address, std::uint32_t socket_mode);

  Fd fd_;  // invalid: moved from
  Address address_;
  std::uint64_t device_ = 0;  // of the socket file
  std::uint64_t inode_ = 0;
};

}  // namespace psnam::nam::control
