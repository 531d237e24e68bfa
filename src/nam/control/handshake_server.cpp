#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

#include "nam/control/handshake.hpp"

namespace psnam::nam::control {
namespace {

std::string names_of(const std::vector<AuthMethod>& methods) {
  std::string names;
  for (const AuthMethod method : methods) names += fmt::format("{}{}", names.empty() ? "" : ", ", to_string(method));
  return names.empty() ? "none" : names;
}

RefusalReason reason_of(Code code) noexcept {
  switch (code) {
    case Code::incompatible:
      return RefusalReason::version;
    case Code::access:
      return RefusalReason::access;
    case Code::no_memory:
      return RefusalReason::full;
    default:
      return RefusalReason::other;
  }
}

}  // namespace

Result<Door> Door::of(const AuthPolicy& policy) {
  Door door{.policy = policy, .munge = {}, .secret = {}};
  if (!policy.secret_file.empty()) {
    PSNAM_TRY(door.secret, read_secret(policy.secret_file));
  }
  if (policy.munge)
    if (auto munge = Munge::load(policy.munge_socket)) door.munge = std::move(*munge);
  return door;
}

ServerHandshake::ServerHandshake(std::shared_ptr<const Door> door, int fd, Admit admit)
    : door_{std::move(door)},
      fd_{fd},
      admit_{std::move(admit)},
      own_{SocketAddress::own_of(fd)},
      peer_{SocketAddress::peer_of(fd)},
      local_{own_ && own_->family() == AF_UNIX} {}

ServerHandshake::Step ServerHandshake::refusal(const Versions& versions, Error error) {
  constexpr std::size_t kLongestText = 1024;
  Refusal refusal{.reason = reason_of(error.code), .text = error.message, .versions = versions};
  if (refusal.text.size() > kLongestText) refusal.text.resize(kLongestText);
  return {.answer = encode(refusal), .welcome = false, .refused = std::move(error)};
}

ServerHandshake::Step ServerHandshake::on_message(std::span<const std::byte> body) {
  const auto answered = [&]() -> Result<Step> {
    if (!own_) return Error{own_.error()};
    if (!peer_) return Error{peer_.error()};
    PSNAM_TRY(const HandshakeMessage message, decode_handshake(body));
    if (const auto* const hello = std::get_if<Hello>(&message); hello != nullptr && !hello_) {
      transcript_.hello.assign(body.begin(), body.end());
      return on_hello(*hello);
    }
    if (const auto* const proof = std::get_if<Proof>(&message); proof != nullptr && asked_) return on_proof(*proof);
    return Error{Code::corrupt, "handshake message that has no place here"};
  };
  auto step = answered();
  return step ? std::move(*step) : refusal(door_->versions, step.take_error());
}

Result<ServerHandshake::Step> ServerHandshake::on_hello(const Hello& hello) {
  hello_ = hello;
  const auto version = common_version(hello.versions, door_->versions);
  if (!version)
    return Error{
        Code::incompatible,
        fmt::format("the client (psnam {}) speaks versions {} to {} of the control protocol, the server {} to {}",
                    hello.facts.library_version, hello.versions.min, hello.versions.max, door_->versions.min,
                    door_->versions.max)};
  version_ = *version;
  if (local_) {
    PSNAM_TRY(const Identity identity, unix_peer(fd_));
    return let_in(AuthMethod::kernel, identity);
  }
  PSNAM_TRY(const AuthMethod method, choose_method(hello));
  if (method != AuthMethod::plain) return ask(method);
  PSNAM_TRY(const Identity identity, plain_identity());
  return let_in(AuthMethod::plain, identity);
}

Result<AuthMethod> ServerHandshake::choose_method(const Hello& hello) const {
  const PlainRule plain = door_->policy.plain;
  const bool plain_here = plain == PlainRule::anywhere || (plain == PlainRule::loopback && peer_->loopback());
  std::vector<AuthMethod> accepted;
  if (door_->munge) accepted.push_back(AuthMethod::munge);
  if (door_->secret) accepted.push_back(AuthMethod::secret);
  if (plain_here) accepted.push_back(AuthMethod::plain);
  for (const AuthMethod method : accepted)
    if (std::find(hello.methods.begin(), hello.methods.end(), method) != hello.methods.end()) return method;
  return Error{Code::access,
               fmt::format("no way to authenticate that both have: the client offers {}, the server at {} "
                           "accepts {} from {}",
                           names_of(hello.methods), own_->text(), names_of(accepted), peer_->ip())};
}

Result<ServerHandshake::Step> ServerHandshake::ask(AuthMethod method) {
  PSNAM_TRY(const Nonce nonce, random_nonce());
  asked_ = method;
  transcript_.challenge = encode(Challenge{.version = version_, .method = method, .nonce = nonce});
  return Step{.answer = transcript_.challenge, .welcome = false, .refused = {}};
}

Result<ServerHandshake::Step> ServerHandshake::on_proof(const Proof& proof) {
  const AuthMethod method = *std::exchange(asked_, std::nullopt);
  if (proof.server != own_->text())
    return Error{Code::access, fmt::format("the proof is for a server at {}, this one was reached at {}", proof.server,
                                           own_->text())};
  transcript_.server = proof.server;
  auto identity = method == AuthMethod::munge ? munge_identity(proof) : secret_identity(proof);
  if (!identity) return identity.take_error();
  return let_in(method, *identity);
}

Result<Identity> ServerHandshake::munge_identity(const Proof& proof) const {
  const std::string credential{reinterpret_cast<const char*>(proof.proof.data()), proof.proof.size()};
  PSNAM_TRY(const MungeIdentity munged, door_->munge->decode(credential));
  if (!equal_secrets(munged.payload, transcript_.digest()))
    return Error{Code::access, "the MUNGE credential was made for another connection"};
  return known_user(munged.uid, munged.gid);
}

Result<Identity> ServerHandshake::secret_identity(const Proof& proof) const {
  const Secret& secret = *door_->secret;
  if (!equal_secrets(proof.proof, client_proof(secret, transcript_)))
    return Error{Code::access, "the client does not know the secret of this server"};
  const Claim& claim = hello_->claim;
  if (secret.owner != 0 && claim.uid != secret.owner)
    return Error{Code::access,
                 fmt::format("the secret is user {}'s; user {} is not let in with it", secret.owner, claim.uid)};
  if (claim.uid == 0 && secret.group_reads)
    return Error{Code::access, "a secret that a group may read lets nobody in as user 0"};
  Identity identity{.uid = claim.uid, .gid = claim.gid, .gids = claim.gids, .pid = 0};
  if (std::find(identity.gids.begin(), identity.gids.end(), claim.gid) == identity.gids.end())
    identity.gids.push_back(claim.gid);
  return identity;
}

Result<Identity> ServerHandshake::plain_identity() const {
  const std::uint32_t nobody = door_->policy.nobody;
  if (peer_->loopback())
    if (const auto user = loopback_user(*peer_, *own_)) return known_user(*user, nobody);
  return Identity{.uid = nobody, .gid = nobody, .gids = {nobody}, .pid = 0};
}

Peer ServerHandshake::peer_of(AuthMethod method, const Identity& identity) const {
  Peer peer;
  peer.uid = identity.uid;
  peer.gid = identity.gid;
  peer.gids = identity.gids;
  peer.pid = identity.pid != 0 ? identity.pid : hello_->facts.process.pid;
  peer.method = method;
  peer.local = local_;
  peer.loopback = peer_->loopback();
  peer.ip = peer_->ip();
  peer.own_ip = own_->ip();
  peer.facts = hello_->facts;
  peer.shown = fmt::format("uid {}, process {} of {} ({}, {})", peer.uid, peer.pid, peer.facts.host, peer_->text(),
                           to_string(method));
  return peer;
}

Result<ServerHandshake::Step> ServerHandshake::let_in(AuthMethod method, const Identity& identity) {
  PSNAM_TRY(WelcomeFacts facts, admit_(peer_of(method, identity)));
  facts.version = version_;
  Welcome welcome{.facts = encode(facts), .seal = {}};
  if (method == AuthMethod::secret) {
    const Digest seal = server_seal(*door_->secret, transcript_, welcome.facts);
    welcome.seal.assign(seal.begin(), seal.end());
  }
  return Step{.answer = encode(welcome), .welcome = true, .refused = {}};
}

}  // namespace psnam::nam::control
