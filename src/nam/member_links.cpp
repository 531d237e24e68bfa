#include "nam/member_links.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <optional>

#include "format/fabric_address.hpp"
#include "nam/session_memory.hpp"

namespace psnam::nam {
namespace {

constexpr std::string_view kMapped = "::ffff:";  // how a socket for both families names an address of the older one

/// The numeric host of a socket address, without its scope; nothing if it is none.
std::optional<std::string> host_of(std::string_view name) {
  sockaddr_storage address{};
  if (name.size() > sizeof address || name.size() < sizeof(sockaddr_in)) return std::nullopt;
  std::memcpy(&address, name.data(), name.size());
  std::array<char, INET6_ADDRSTRLEN> text{};
  const void* host = nullptr;
  if (address.ss_family == AF_INET)
    host = &reinterpret_cast<const sockaddr_in&>(address).sin_addr;
  else if (address.ss_family == AF_INET6 && name.size() >= sizeof(sockaddr_in6))
    host = &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (host == nullptr || ::inet_ntop(address.ss_family, host, text.data(), text.size()) == nullptr) return std::nullopt;
  return std::string{text.data()};
}

std::string_view without_mapping(std::string_view host) {
  if (host.starts_with(kMapped) && host.find('.') != std::string_view::npos) host.remove_prefix(kMapped.size());
  return host.substr(0, host.find('%'));
}

bool is_loopback(std::string_view host) { return host.starts_with("127.") || host == "::1"; }

}  // namespace

Status check_member_address(std::string_view provider, std::string_view address, std::string_view host) {
  const auto decoded = format::decode_fabric_address(address);
  if (!decoded)
    return Error{Code::incompatible,
                 fmt::format("{} bytes are no address of a member's fabric endpoint", address.size())};
  const bool by_sockets = provider == "tcp" || provider == "net" || provider == "verbs";
  const auto named = host_of(decoded->name);
  if (!named && !by_sockets) return {};
  if (!named)
    return Error{Code::access, fmt::format("the address of a member's endpoint of {} names no host", provider)};
  const std::string_view there = without_mapping(*named);
  const bool own = host.empty() ? is_loopback(there) : there == without_mapping(host);
  if (own) return {};
  return Error{Code::access, fmt::format("the fabric endpoint of a member is at {}, its client at {}", there,
                                         host.empty() ? "this host" : host)};
}

Result<std::shared_ptr<backends::FabricClient>> MemberLinks::get(FabricSource& source, const std::string& provider,
                                                                 const std::string& address, std::stop_token stop) {
  PSNAM_CHECK(check_member_address(provider, address, peer_ip_));
  {
    const std::lock_guard lock{mutex_};
    std::erase_if(links_, [](const auto& link) { return !link.second->alive(); });
    if (const auto found = links_.find(address); found != links_.end()) return found->second;
    if (links_.size() >= kMostLinks)
      return Error{Code::no_memory, fmt::format("a client has at most {} endpoints for parity", kMostLinks)};
  }
  PSNAM_TRY(auto link, source.connect(provider, address, own_ip_, std::move(stop)));
  const std::lock_guard lock{mutex_};
  return links_.insert_or_assign(address, std::move(link)).first->second;
}

}  // namespace psnam::nam
