#include "nam/control/handshake_messages.hpp"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "format/handshake.capnp.h"

namespace psnam::nam::control {
namespace {

namespace wire = format::handshake;

capnp::Data::Reader data_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}
capnp::Data::Reader data_of(const format::Uuid& uuid) { return {uuid.bytes.data(), uuid.bytes.size()}; }

std::vector<std::byte> bytes_of(capnp::MessageBuilder& message) {
  const kj::Array<capnp::word> words = capnp::messageToFlatArray(message);
  const auto bytes = words.asBytes();
  const auto* const first = reinterpret_cast<const std::byte*>(bytes.begin());
  return {first, first + bytes.size()};
}

void put(wire::Hello::Builder out, const Hello& hello) {
  out.setMinVersion(hello.versions.min);
  out.setMaxVersion(hello.versions.max);
  out.setNonce(data_of(hello.nonce));
  auto methods = out.initMethods(static_cast<unsigned>(hello.methods.size()));
  for (unsigned at = 0; at < methods.size(); ++at) methods.set(at, static_cast<wire::Method>(hello.methods[at]));
  out.setPid(hello.facts.process.pid);
  out.setRank(hello.facts.process.rank);
  out.setStartTimeTicks(hello.facts.process.start_time_ticks);
  out.setPidNamespace(hello.facts.process.pid_namespace);
  out.setBoot(data_of(hello.facts.boot));
  out.setHost(hello.facts.host);
  out.setLibraryVersion(hello.facts.library_version);
  out.setUid(hello.claim.uid);
  out.setGid(hello.claim.gid);
  auto gids = out.initGids(static_cast<unsigned>(hello.claim.gids.size()));
  for (unsigned at = 0; at < gids.size(); ++at) gids.set(at, hello.claim.gids[at]);
}

void put(wire::Challenge::Builder out, const Challenge& challenge) {
  out.setVersion(challenge.version);
  out.setMethod(static_cast<wire::Method>(challenge.method));
  out.setNonce(data_of(challenge.nonce));
}

void put(wire::Proof::Builder out, const Proof& proof) {
  out.setServer(proof.server);
  out.setProof(data_of(proof.proof));
}

void put(wire::Welcome::Builder out, const Welcome& welcome) {
  out.setFacts(data_of(welcome.facts));
  out.setSeal(data_of(welcome.seal));
}

void put(wire::Refusal::Builder out, const Refusal& refusal) {
  out.setReason(static_cast<wire::Refusal::Reason>(refusal.reason));
  out.setText(refusal.text);
  out.setMinVersion(refusal.versions.min);
  out.setMaxVersion(refusal.versions.max);
}

/// Reads fields; the first that has not the right form makes the whole message corrupt.
class Fields {
 public:
  template <std::size_t Size>
  std::array<std::byte, Size> exactly(capnp::Data::Reader bytes) {
    std::array<std::byte, Size> value{};
    if (bytes.size() == Size)
      std::memcpy(value.data(), bytes.begin(), Size);
    else
      good_ = false;
    return value;
  }
  format::Uuid uuid(capnp::Data::Reader bytes) {
    return std::bit_cast<format::Uuid>(exactly<sizeof(format::Uuid)>(bytes));
  }
  AuthMethod method(wire::Method method) {
    good_ = good_ && method <= wire::Method::PLAIN;
    return static_cast<AuthMethod>(method);
  }
  static std::vector<std::byte> bytes(capnp::Data::Reader bytes) {
    const auto* const first = reinterpret_cast<const std::byte*>(bytes.begin());
    return {first, first + bytes.size()};
  }
  /// On one line: texts of a peer come into logs and messages.
  static std::string text(capnp::Text::Reader text) {
    std::string line{text.begin(), text.size()};
    std::replace_if(
        line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
    return line;
  }
  void require(bool condition) noexcept { good_ = good_ && condition; }
  [[nodiscard]] bool good() const noexcept { return good_; }

 private:
  bool good_ = true;
};

Hello get(wire::Hello::Reader in, Fields& fields) {
  Hello hello;
  hello.versions = {in.getMinVersion(), in.getMaxVersion()};
  hello.nonce = fields.exactly<sizeof(Nonce)>(in.getNonce());
  // Methods of later versions are left out: this side cannot use them.
  for (const wire::Method method : in.getMethods())
    if (method <= wire::Method::PLAIN) hello.methods.push_back(static_cast<AuthMethod>(method));
  hello.facts.process = {.pid = in.getPid(),
                         .rank = in.getRank(),
                         .start_time_ticks = in.getStartTimeTicks(),
                         .pid_namespace = in.getPidNamespace()};
  hello.facts.boot = fields.uuid(in.getBoot());
  hello.facts.host = Fields::text(in.getHost());
  hello.facts.library_version = Fields::text(in.getLibraryVersion());
  hello.claim.uid = in.getUid();
  hello.claim.gid = in.getGid();
  const auto gids = in.getGids();
  fields.require(gids.size() <= kMaxClaimedGroups);
  if (fields.good())
    for (const std::uint32_t gid : gids) hello.claim.gids.push_back(gid);
  return hello;
}

Challenge get(wire::Challenge::Reader in, Fields& fields) {
  return {.version = in.getVersion(),
          .method = fields.method(in.getMethod()),
          .nonce = fields.exactly<sizeof(Nonce)>(in.getNonce())};
}

Proof get(wire::Proof::Reader in, Fields&) {
  return {.server = Fields::text(in.getServer()), .proof = Fields::bytes(in.getProof())};
}

Welcome get(wire::Welcome::Reader in, Fields&) {
  return {.facts = Fields::bytes(in.getFacts()), .seal = Fields::bytes(in.getSeal())};
}

Refusal get(wire::Refusal::Reader in, Fields&) {
  // A reason of a later version is some other reason here.
  const bool known = in.getReason() <= wire::Refusal::Reason::FULL;
  return {.reason = known ? static_cast<RefusalReason>(in.getReason()) : RefusalReason::other,
          .text = Fields::text(in.getText()),
          .versions = {in.getMinVersion(), in.getMaxVersion()}};
}

HandshakeMessage get(wire::Handshake::Reader in, Fields& fields) {
  switch (in.which()) {
    case wire::Handshake::HELLO:
      return get(in.getHello(), fields);
    case wire::Handshake::CHALLENGE:
      return get(in.getChallenge(), fields);
    case wire::Handshake::PROOF:
      return get(in.getProof(), fields);
    case wire::Handshake::WELCOME:
      return get(in.getWelcome(), fields);
    case wire::Handshake::REFUSAL:
      return get(in.getRefusal(), fields);
  }
  fields.require(false);
  return Refusal{};
}

WelcomeFacts get(wire::Facts::Reader in, Fields& fields) {
  WelcomeFacts facts;
  facts.version = in.getVersion();
  facts.session = in.getSession();
  fields.require(facts.session != 0);
  facts.server.instance = fields.uuid(in.getInstance());
  facts.server.store = fields.uuid(in.getStore());
  facts.server.boot = fields.uuid(in.getBoot());
  facts.server.host = Fields::text(in.getHost());
  facts.server.store_path = Fields::text(in.getStorePath());
  facts.server.unix_socket = Fields::text(in.getUnixSocket());
  facts.server.name = Fields::text(in.getName());
  facts.server.software_version = Fields::text(in.getSoftwareVersion());
  return facts;
}

Error corrupt(std::string_view reason) { return Error{Code::corrupt, fmt::format("handshake message: {}", reason)}; }

/// Reads a message whose root is a `Root`. What Cap'n Proto throws ends here.
template <class Root, class Value>
Result<Value> decode(std::span<const std::byte> bytes) {
  if (bytes.empty() || bytes.size() % sizeof(capnp::word) != 0 || bytes.size() > kMaxHandshakeBytes)
    return corrupt(fmt::format("{} bytes are no message", bytes.size()));
  try {
    auto words = kj::heapArray<capnp::word>(bytes.size() / sizeof(capnp::word));
    std::memcpy(words.begin(), bytes.data(), bytes.size());
    capnp::ReaderOptions options;
    options.traversalLimitInWords = 2 * kMaxHandshakeBytes / sizeof(capnp::word);
    options.nestingLimit = 8;
    capnp::FlatArrayMessageReader reader{words, options};
    Fields fields;
    Value value = get(reader.getRoot<Root>(), fields);
    if (!fields.good()) return corrupt("a field has not the size or value that it must have");
    return value;
  } catch (const kj::Exception& exception) {
    return corrupt(exception.getDescription().cStr());
  }
}

}  // namespace

std::vector<std::byte> encode(const HandshakeMessage& message) {
  capnp::MallocMessageBuilder builder;
  auto root = builder.initRoot<wire::Handshake>();
  struct {
    wire::Handshake::Builder& out;
    void operator()(const Hello& hello) const { put(out.initHello(), hello); }
    void operator()(const Challenge& challenge) const { put(out.initChallenge(), challenge); }
    void operator()(const Proof& proof) const { put(out.initProof(), proof); }
    void operator()(const Welcome& welcome) const { put(out.initWelcome(), welcome); }
    void operator()(const Refusal& refusal) const { put(out.initRefusal(), refusal); }
  } const writer{root};
  std::visit(writer, message);
  return bytes_of(builder);
}

std::vector<std::byte> encode(const WelcomeFacts& facts) {
  capnp::MallocMessageBuilder builder;
  auto out = builder.initRoot<wire::Facts>();
  out.setVersion(facts.version);
  out.setSession(facts.session);
  out.setInstance(data_of(facts.server.instance));
  out.setStore(data_of(facts.server.store));
  out.setBoot(data_of(facts.server.boot));
  out.setHost(facts.server.host);
  out.setStorePath(facts.server.store_path);
  out.setUnixSocket(facts.server.unix_socket);
  out.setName(facts.server.name);
  out.setSoftwareVersion(facts.server.software_version);
  return bytes_of(builder);
}

Result<HandshakeMessage> decode_handshake(std::span<const std::byte> bytes) {
  return decode<wire::Handshake, HandshakeMessage>(bytes);
}

Result<WelcomeFacts> decode_welcome_facts(std::span<const std::byte> bytes) {
  return decode<wire::Facts, WelcomeFacts>(bytes);
}

}  // namespace psnam::nam::control
