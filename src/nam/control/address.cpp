#include "nam/control/address.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/system.hpp"

namespace psnam::nam::control {
namespace {

Error bad(std::string_view text, std::string_view reason) {
  return Error{Code::invalid_argument, fmt::format("address \"{}\": {}", text, reason)};
}

bool v4_in_v6(const in6_addr& address) noexcept { return IN6_IS_ADDR_V4MAPPED(&address); }

const sockaddr_in6& v6(const SocketAddress& address) noexcept {
  return *reinterpret_cast<const sockaddr_in6*>(&address.storage);
}
const sockaddr_in& v4(const SocketAddress& address) noexcept {
  return *reinterpret_cast<const sockaddr_in*>(&address.storage);
}

std::string printed(int family, const void* number) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::inet_ntop(family, number, text.data(), text.size()) == nullptr) return {};
  return text.data();
}

std::string with_port(std::string_view host, std::uint16_t port) {
  return host.find(':') == std::string_view::npos ? fmt::format("{}:{}", host, port)
                                                  : fmt::format("[{}]:{}", host, port);
}

Result<Address> parse_path(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return bad(text, "a path has no null byte");
  constexpr std::size_t kLongest = sizeof(sockaddr_un::sun_path) - 1;
  if (text.size() > kLongest)
    return bad(text, fmt::format("the path of a socket has at most {} bytes, this one has {}", kLongest, text.size()));
  return Address{.path = std::string{text}, .host = {}, .port = 0};
}

/// Takes "[...]" or the part before the colon off `rest`.
Result<std::string_view> take_host(std::string_view text, std::string_view& rest) {
  std::string_view host;
  if (text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return bad(text, "the bracket is not closed");
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (host.find(':') == std::string_view::npos) return bad(text, "brackets are for version 6 addresses");
  } else if (std::count(text.begin(), text.end(), ':') > 1) {
    host = text;  // a version 6 address alone
  } else {
    host = text.substr(0, text.find(':'));
    rest = text.substr(host.size());
  }
  if (host.empty()) return bad(text, "the host is missing");
  return host;
}

}  // namespace

std::string SocketAddress::ip() const {
  if (family() == AF_INET) return printed(AF_INET, &v4(*this).sin_addr);
  if (family() != AF_INET6) return {};
  const in6_addr& number = v6(*this).sin6_addr;
  return v4_in_v6(number) ? printed(AF_INET, &number.s6_addr[12]) : printed(AF_INET6, &number);
}

std::uint16_t SocketAddress::port() const noexcept {
  if (family() == AF_INET) return ntohs(v4(*this).sin_port);
  return family() == AF_INET6 ? ntohs(v6(*this).sin6_port) : std::uint16_t{0};
}

bool SocketAddress::loopback() const noexcept {
  constexpr std::uint8_t kNet = 127;
  if (family() == AF_INET) return ntohl(v4(*this).sin_addr.s_addr) >> 24 == kNet;
  if (family() != AF_INET6) return false;
  const in6_addr& number = v6(*this).sin6_addr;
  return v4_in_v6(number) ? number.s6_addr[12] == kNet : IN6_IS_ADDR_LOOPBACK(&number);
}

std::string SocketAddress::text() const {
  const std::string number = ip();
  return number.empty() ? "unix socket" : with_port(number, port());
}

Result<SocketAddress> SocketAddress::own_of(int fd) {
  SocketAddress address;
  address.bytes = sizeof address.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.bytes) != 0)
    return system_error("own address of a socket", errno);
  return address;
}

Result<SocketAddress> SocketAddress::peer_of(int fd) {
  SocketAddress address;
  address.bytes = sizeof address.storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.bytes) != 0)
    return system_error("peer's address of a socket", errno);
  return address;
}

Result<Address> Address::parse(std::string_view text) {
  if (text.empty()) return bad(text, "it is empty");
  if (text.find('/') != std::string_view::npos) return parse_path(text);
  std::string_view rest;
  PSNAM_TRY(const std::string_view host, take_host(text, rest));
  Address address{.path = {}, .host = std::string{host}, .port = kDefaultPort};
  if (rest.empty()) return address;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(rest.data() + 1, end, address.port);
  if (rest.front() != ':' || error != std::errc{} || stop != end)
    return bad(text, fmt::format("\"{}\" is not a colon and a port from 0 to 65535", rest));
  return address;
}

std::string Address::text() const { return local() ? path : with_port(host, port); }

Result<std::vector<SocketAddress>> Address::resolve() const {
  if (local()) {
    SocketAddress address;
    auto& name = *reinterpret_cast<sockaddr_un*>(&address.storage);
    name.sun_family = AF_UNIX;
    if (path.size() >= sizeof name.sun_path) return bad(path, "too long for a socket");
    std::memcpy(name.sun_path, path.data(), path.size());
    address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
    return std::vector{address};
  }
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(host.c_str(), fmt::format("{}", port).c_str(), &hints, &found);
  if (error != 0) return Error{Code::unreachable, fmt::format("host \"{}\": {}", host, ::gai_strerror(error))};
  std::vector<SocketAddress> addresses;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (each->ai_family != AF_INET && each->ai_family != AF_INET6) continue;
    SocketAddress& address = addresses.emplace_back();
    address.bytes = each->ai_addrlen;
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return Error{Code::unreachable, fmt::format("host \"{}\" has no internet address", host)};
  return addresses;
}

}  // namespace psnam::nam::control
