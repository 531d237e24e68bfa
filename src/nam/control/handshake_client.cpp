#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "nam/control/handshake.hpp"

namespace psnam::nam::control {
namespace {

Error silent() { return Error{Code::unreachable, "no answer in time during the handshake"}; }

/// Sends one handshake message and waits for the next.
class Talk {
 public:
  Talk(int fd, FrameReceiver& receiver, Deadline deadline) noexcept
      : fd_{fd}, receiver_{receiver}, deadline_{deadline} {}

  Status say(std::vector<std::byte> body) {
    PSNAM_TRY(OutgoingFrame frame, OutgoingFrame::of(FrameKind::handshake, 0, {.body = std::move(body)}));
    for (;;) {
      PSNAM_TRY(const bool sent, frame.send(fd_));
      if (sent) return {};
      PSNAM_TRY(const bool writable, wait_for(fd_, POLLOUT, deadline_));
      if (!writable) return silent();
    }
  }

  Result<std::vector<std::byte>> hear() {
    std::vector<IncomingFrame> frames;
    std::array<std::byte, 4096> scratch{};
    while (frames.empty()) {
      PSNAM_TRY(const bool readable, wait_for(fd_, POLLIN, deadline_));
      if (!readable) return silent();
      PSNAM_TRY(const Pulled pulled, receiver_.receive(fd_, scratch, frames));
      if (pulled == Pulled::end) return Error{Code::unreachable, "the server ended the connection in the handshake"};
    }
    if (frames.size() != 1 || frames.front().kind != FrameKind::handshake)
      return Error{Code::corrupt, "the server sent something else than the next message of the handshake"};
    return std::move(frames.front().message.body);
  }

 private:
  int fd_;
  FrameReceiver& receiver_;
  Deadline deadline_;
};

Claim this_user() {
  Claim claim{.uid = ::geteuid(), .gid = ::getegid(), .gids = {}};
  const int count = ::getgroups(0, nullptr);
  claim.gids.resize(static_cast<std::size_t>(std::max(count, 0)));
  const int filled = ::getgroups(count, claim.gids.data());
  claim.gids.resize(std::min(static_cast<std::size_t>(std::max(filled, 0)), kMaxClaimedGroups));
  return claim;
}

Error refused(const Refusal& refusal) {
  const std::string text = fmt::format("the server refuses: {}", refusal.text);
  switch (refusal.reason) {
    case RefusalReason::version:
      return {Code::incompatible, text};
    case RefusalReason::access:
      return {Code::access, text};
    case RefusalReason::full:
      return {Code::no_memory, text};
    case RefusalReason::other:
      break;
  }
  return {Code::unreachable, text};
}

class ClientHandshake {
 public:
  ClientHandshake(int fd, FrameReceiver& receiver, Deadline deadline, const Versions& versions) noexcept
      : fd_{fd}, talk_{fd, receiver, deadline}, versions_{versions} {}

  /// What this side can show, on this socket.
  Status prepare(const Credentials& credentials) {
    PSNAM_TRY(const SocketAddress peer, SocketAddress::peer_of(fd_));
    local_ = peer.family() == AF_UNIX;
    transcript_.server = peer.text();
    if (local_) return {};
    if (!credentials.secret_file.empty()) {
      PSNAM_TRY(secret_, read_secret(credentials.secret_file));
    } else if (credentials.munge) {
      if (auto munge = Munge::load(credentials.munge_socket)) munge_ = std::move(*munge);
    }
    return {};
  }

  Result<WelcomeFacts> run(const ClientFacts& facts) {
    PSNAM_CHECK(say_hello(facts));
    PSNAM_TRY(std::vector<std::byte> body, talk_.hear());
    PSNAM_TRY(HandshakeMessage message, decode_handshake(body));
    if (const auto* const challenge = std::get_if<Challenge>(&message)) {
      transcript_.challenge = std::move(body);
      PSNAM_CHECK(prove(*challenge));
      PSNAM_TRY(body, talk_.hear());
      PSNAM_TRY(message, decode_handshake(body));
    }
    if (const auto* const refusal = std::get_if<Refusal>(&message)) return refused(*refusal);
    if (const auto* const welcome = std::get_if<Welcome>(&message)) return enter(*welcome);
    return Error{Code::corrupt, "the server's handshake message has no place there"};
  }

 private:
  [[nodiscard]] std::vector<AuthMethod> methods() const {
    if (local_) return {AuthMethod::kernel};
    // With a secret nothing else is offered, for the others do not prove the server to the client.
    if (secret_) return {AuthMethod::secret};
    if (munge_) return {AuthMethod::munge, AuthMethod::plain};
    return {AuthMethod::plain};
  }

  Status say_hello(const ClientFacts& facts) {
    Hello hello{.versions = versions_, .nonce = {}, .methods = methods(), .facts = facts, .claim = this_user()};
    PSNAM_TRY(hello.nonce, random_nonce());
    transcript_.hello = encode(hello);
    return talk_.say(transcript_.hello);
  }

  Status prove(const Challenge& challenge) {
    Proof proof{.server = transcript_.server, .proof = {}};
    if (challenge.method == AuthMethod::munge && munge_) {
      PSNAM_TRY(const std::string credential, munge_->encode(transcript_.digest()));
      const Piece bytes = piece(credential);
      proof.proof.assign(bytes.begin(), bytes.end());
    } else if (challenge.method == AuthMethod::secret && secret_) {
      const Digest digest = client_proof(*secret_, transcript_);
      proof.proof.assign(digest.begin(), digest.end());
    } else {
      return Error{Code::corrupt, fmt::format("the server asks for a proof by {}, which was not offered",
                                              to_string(challenge.method))};
    }
    return talk_.say(encode(proof));
  }

  Result<WelcomeFacts> enter(const Welcome& welcome) {
    // Also for a server that let us in unasked.
    if (secret_ && !equal_secrets(welcome.seal, server_seal(*secret_, transcript_, welcome.facts)))
      return Error{Code::access, "the server does not know the secret that this client has"};
    PSNAM_TRY(WelcomeFacts facts, decode_welcome_facts(welcome.facts));
    if (facts.version < versions_.min || facts.version > versions_.max)
      return Error{Code::incompatible, fmt::format("the server chose version {} of the control protocol; this side "
                                                   "speaks {} to {}",
                                                   facts.version, versions_.min, versions_.max)};
    return facts;
  }

  int fd_;
  Talk talk_;
  Versions versions_;
  bool local_ = false;
  std::optional<Munge> munge_;
  std::optional<Secret> secret_;
  Transcript transcript_;
};

}  // namespace

Result<WelcomeFacts> client_handshake(int fd, FrameReceiver& receiver, const Credentials& credentials,
                                      const ClientFacts& facts, Deadline deadline, const Versions& versions) {
  ClientHandshake handshake{fd, receiver, deadline, versions};
  PSNAM_CHECK(handshake.prepare(credentials));
  return handshake.run(facts);
}

}  // namespace psnam::nam::control
