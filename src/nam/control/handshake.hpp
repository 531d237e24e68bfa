// How a connection begins: who is there, in which version, and who may come in. docs/formats/control.md has the order
// of the messages.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "nam/control/auth.hpp"
#include "nam/control/frame_socket.hpp"
#include "nam/control/handshake_messages.hpp"
#include "nam/control/munge.hpp"
#include "nam/control/peer_identity.hpp"
#include "nam/control/secret.hpp"

namespace psnam::nam::control {

inline constexpr Versions kVersions{.min = 1, .max = 1};

/// The version that both speak: the highest.
[[nodiscard]] std::optional<std::uint16_t> common_version(const Versions& one, const Versions& other) noexcept;

/// What both sides have said; what is proved is that this is what was said.
struct Transcript {
  std::vector<std::byte> hello;
  std::vector<std::byte> challenge;
  std::string server;  ///< where the client found the server

  [[nodiscard]] Digest digest() const noexcept;
};
[[nodiscard]] Digest client_proof(const Secret& secret, const Transcript& transcript) noexcept;
[[nodiscard]] Digest server_seal(const Secret& secret, const Transcript& transcript, Piece welcome_facts) noexcept;

/// What a server needs to recognise clients. Const, shared by all handshakes.
struct Door {
  AuthPolicy policy;
  Versions versions = kVersions;
  std::optional<Munge> munge;
  std::optional<Secret> secret;

  /// Reads the secret and looks for munged. Code::access, Code::invalid_argument: the secret is not to be used.
  [[nodiscard]] static Result<Door> of(const AuthPolicy& policy);
};

/// The server's half for one connection: takes what the client says, one message at a time, and says what to answer. It
/// may wait for munged and for what `admit` does.
class ServerHandshake {
 public:
  /// Makes a session of a peer that was recognised: its number and the facts that it is told, or why not.
  using Admit = std::function<Result<WelcomeFacts>(const Peer& peer)>;
  struct Step {
    std::vector<std::byte> answer;  ///< of the frame that goes back
    bool welcome = false;           ///< the handshake is complete
    Status refused;                 ///< for the log; the connection ends behind the answer
  };

  ServerHandshake(std::shared_ptr<const Door> door, int fd, Admit admit);
  [[nodiscard]] Step on_message(std::span<const std::byte> body);
  /// A refusal that is decided elsewhere.
  [[nodiscard]] static Step refusal(const Versions& versions, Error error);

 private:
  [[nodiscard]] Result<Step> on_hello(const Hello& hello);
  [[nodiscard]] Result<Step> on_proof(const Proof& proof);
  [[nodiscard]] Result<AuthMethod> choose_method(const Hello& hello) const;
  [[nodiscard]] Result<Step> ask(AuthMethod method);
  [[nodiscard]] Result<Step> let_in(AuthMethod method, const Identity& identity);
  [[nodiscard]] Result<Identity> plain_identity() const;
  [[nodiscard]] Result<Identity> munge_identity(const Proof& proof) const;
  [[nodiscard]] Result<Identity> secret_identity(const Proof& proof) const;
  [[nodiscard]] Peer peer_of(AuthMethod method, const Identity& identity) const;

  std::shared_ptr<const Door> door_;
  int fd_;
  Admit admit_;
  Result<SocketAddress> own_;
  Result<SocketAddress> peer_;
  bool local_;
  std::optional<Hello> hello_;
  std::optional<AuthMethod> asked_;
  std::uint16_t version_ = 0;
  Transcript transcript_;
};

/// The client's half, on a connected socket that does not block. `receiver` may be used further afterwards.
[[nodiscard]] Result<WelcomeFacts> client_handshake(int fd, FrameReceiver& receiver, const Credentials& credentials,
                                                    const ClientFacts& facts, Deadline deadline,
                                                    const Versions& versions = kVersions);

}  // namespace psnam::nam::control
