// libFuzzer: any messages in the server's half of the handshake, over a Unix socket or TCP as the first byte says.
// Nobody is let in over TCP, for nobody knows the secret; and what is decoded is the same after it was encoded again.
#include <sys/socket.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "nam/control/handshake.hpp"

using namespace psnam::nam::control;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

/// Sockets whose names the handshake looks at; nothing is sent over them.
struct Sockets {
  std::array<int, 2> unix_pair{};
  int tcp = -1;

  Sockets() {
    require(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, unix_pair.data()) == 0);
    const auto loopback = Address::parse("127.0.0.1:0")->resolve()->front();
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(::bind(listener, loopback.get(), loopback.bytes) == 0 && ::listen(listener, 1) == 0);
    const auto there = SocketAddress::own_of(listener);
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    require(::connect(client, there->get(), there->bytes) == 0);
    tcp = ::accept(listener, nullptr, nullptr);
    require(tcp >= 0);
  }
};

std::shared_ptr<const Door> a_door() {
  Door door;
  door.policy.plain = PlainRule::never;
  Secret secret;
  const auto nonce = random_nonce();
  secret.key.assign(nonce->begin(), nonce->end());
  door.secret = std::move(secret);
  return std::make_shared<const Door>(std::move(door));
}

void check_again(std::span<const std::byte> body) {
  const auto once = decode_handshake(body);
  if (!once) return;
  const auto bytes = encode(*once);
  if (bytes.size() > kMaxHandshakeBytes) return;
  const auto again = decode_handshake(bytes);
  require(again.ok() && *again == *once);
}

/// Takes the next message off the front: two bytes of length, then as many bytes as there are.
std::span<const std::byte> next_message(std::span<const std::byte>& rest) {
  std::uint16_t wanted = 0;
  std::memcpy(&wanted, rest.data(), sizeof wanted);
  rest = rest.subspan(sizeof wanted);
  const auto body = rest.first(std::min<std::size_t>(wanted, rest.size()));
  rest = rest.subspan(body.size());
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Sockets sockets;
  static const auto door = a_door();
  if (size == 0) return 0;
  const bool local = (data[0] & 1) != 0;
  bool admitted = false;
  ServerHandshake handshake{door, local ? sockets.unix_pair[0] : sockets.tcp,
                            [&](const Peer&) -> psnam::Result<WelcomeFacts> {
                              admitted = true;
                              return WelcomeFacts{.version = 0, .session = 1, .server = {}};
                            }};
  std::span<const std::byte> rest = std::as_bytes(std::span{data, size}).subspan(1);
  while (rest.size() > sizeof(std::uint16_t)) {
    const auto body = next_message(rest);
    check_again(body);
    (void)decode_welcome_facts(body);
    const auto step = handshake.on_message(body);
    require(decode_handshake(step.answer).ok());
    require(step.welcome == admitted && !(step.welcome && !step.refused.ok()));
    if (step.welcome || !step.refused) break;
  }
  require(local || !admitted);
  return 0;
}
