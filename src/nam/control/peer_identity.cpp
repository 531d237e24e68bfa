#include "nam/control/peer_identity.hpp"

#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "base/system.hpp"

namespace psnam::nam::control {
namespace {

Result<std::vector<std::uint32_t>> unix_peer_groups(int fd) {
  std::vector<std::uint32_t> gids(64);
  static_assert(sizeof(gid_t) == sizeof(std::uint32_t));
  for (;;) {
    auto bytes = static_cast<socklen_t>(gids.size() * sizeof(gid_t));
    if (::getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, gids.data(), &bytes) == 0) {
      gids.resize(bytes / sizeof(gid_t));
      return gids;
    }
    // ERANGE says how much room is needed.
    if (errno != ERANGE || bytes <= gids.size() * sizeof(gid_t)) return system_error("groups of the peer", errno);
    gids.resize(bytes / sizeof(gid_t));
  }
}

void add_own_group(Identity& identity) {
  if (std::find(identity.gids.begin(), identity.gids.end(), identity.gid) == identity.gids.end())
    identity.gids.push_back(identity.gid);
}

/// The kernel prints an address as numbers of the host's byte order.
std::string words_of(const std::array<std::uint8_t, 16>& number) {
  std::string text;
  for (const std::uint32_t word : std::bit_cast<std::array<std::uint32_t, 4>>(number))
    fmt::format_to(std::back_inserter(text), "{:08X}", word);
  return text;
}

std::array<std::uint8_t, 16> as_v6(const SocketAddress& address) {
  std::array<std::uint8_t, 16> number{};
  if (address.family() == AF_INET6) {
    std::memcpy(number.data(), &reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_addr, number.size());
    return number;
  }
  number[10] = number[11] = 0xff;
  std::memcpy(&number[12], &reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_addr, 4);
  return number;
}

bool v4_inside(const std::array<std::uint8_t, 16>& number) {
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return std::equal(kMapped.begin(), kMapped.end(), number.begin());
}

std::optional<std::uint32_t> user_in_file(const char* file, std::string_view pair) {
  std::ifstream input{file};
  std::ostringstream text;
  text << input.rdbuf();
  return user_in_table(text.str(), pair);
}

}  // namespace

Result<Identity> unix_peer(int fd) {
  ucred credentials{};
  socklen_t bytes = sizeof credentials;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0)
    return system_error("identity of the peer", errno);
  Identity identity{
      .uid = credentials.uid, .gid = credentials.gid, .gids = {}, .pid = static_cast<std::uint32_t>(credentials.pid)};
  PSNAM_TRY(identity.gids, unix_peer_groups(fd));
  add_own_group(identity);
  return identity;
}

Identity known_user(std::uint32_t uid, std::uint32_t fallback_gid) {
  Identity identity{.uid = uid, .gid = fallback_gid, .gids = {fallback_gid}, .pid = 0};
  std::vector<char> buffer(std::size_t{16} << 10);
  passwd entry{};
  passwd* found = nullptr;
  while (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) == ERANGE && buffer.size() < (1U << 20))
    buffer.resize(2 * buffer.size());
  if (found == nullptr) return identity;
  identity.gid = entry.pw_gid;
  int count = 64;
  identity.gids.resize(static_cast<std::size_t>(count));
  while (::getgrouplist(entry.pw_name, entry.pw_gid, identity.gids.data(), &count) < 0 &&
         static_cast<std::size_t>(count) > identity.gids.size())
    identity.gids.resize(static_cast<std::size_t>(count));
  identity.gids.resize(std::min(static_cast<std::size_t>(std::max(count, 0)), identity.gids.size()));
  add_own_group(identity);
  return identity;
}

std::optional<std::uint32_t> user_in_table(std::string_view table, std::string_view pair) {
  // "sl: local remote state tx:rx timer:when retransmits uid ..."; state 01 is a connection that stands.
  const std::string wanted = fmt::format(" {} 01 ", pair);
  const auto at = table.find(wanted);
  if (at == std::string_view::npos) return std::nullopt;
  std::istringstream rest{std::string{table.substr(at + wanted.size(), 128)}};
  std::string queues, timer, retransmits, uid;
  if (!(rest >> queues >> timer >> retransmits >> uid)) return std::nullopt;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(uid.data(), uid.data() + uid.size(), number);
  if (error != std::errc{} || end != uid.data() + uid.size()) return std::nullopt;
  return number;
}

std::optional<std::uint32_t> loopback_user(const SocketAddress& peer, const SocketAddress& own) {
  const auto peer_number = as_v6(peer);
  const auto own_number = as_v6(own);
  // A version 4 connection stands in the one table or the other, as the program that made it opened its socket.
  const auto pair = [&](std::size_t digits) {
    const auto tail = [digits](std::string text) { return text.substr(text.size() - digits); };
    return fmt::format("{}:{:04X} {}:{:04X}", tail(words_of(peer_number)), peer.port(), tail(words_of(own_number)),
                       own.port());
  };
  if (v4_inside(peer_number))
    if (const auto user = user_in_file("/proc/net/tcp", pair(8))) return user;
  return user_in_file("/proc/net/tcp6", pair(32));
}

}  // namespace psnam::nam::control
