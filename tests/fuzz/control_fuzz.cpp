// libFuzzer: any requests of a session, over a store of its own. An input is a sequence of messages, each behind a byte
// with its number of words; the first byte says whose session it is. Beside what the sanitizers see, a request that was
// decoded is the same after it was encoded again, and the store is sound whatever was asked.
#include <stdlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "base/log.hpp"
#include "nam/session.hpp"

using namespace psnam;
using namespace psnam::nam;

namespace {

constexpr std::uint64_t kCapacity = 1 << 20;
constexpr unsigned kInputsOfAStore = 500;

void require(bool condition) {
  if (!condition) std::abort();
}

/// A server without connections, and its store.
class Scratch {
 public:
  Scratch() : folder_{"/dev/shm/psnam-fuzz-XXXXXX"} {
    log::set_level(log::Level::error);
    require(::mkdtemp(folder_.data()) != nullptr);
    auto store = Store::open(
        {.folder = folder_,
         .capacity_bytes = kCapacity,
         .serving = Serving{.instance = format::random_uuid(),
                            .lives = [this](std::uint64_t session) { return parts_.sessions.lives(session); },
                            .address = "fuzz"}});
    require(store.ok());
    parts_.store = std::move(*store);
    parts_.counters = [] { return control::ServerCounters{}; };
  }
  ~Scratch() {
    const auto findings = parts_.store->check();
    require(findings.ok() && findings->empty());
    parts_.store.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  void run(std::span<const std::byte> input) {
    control::Peer peer;
    // Never user 0: he may have everything, and whoever the store belongs to may too.
    peer.uid = peer.gid = 1000 + static_cast<std::uint32_t>(input[0]) % 2;
    peer.gids = {peer.gid};
    peer.local = (static_cast<unsigned>(input[0]) & 2U) != 0;
    Session session{parts_, peer, ++last_session_};
    for (auto rest = input.subspan(1); rest.size() > 1;) {
      const std::size_t bytes = std::min(std::size_t{8} * static_cast<unsigned>(rest[0]), rest.size() - 1);
      const auto body = rest.subspan(1, bytes);
      rest = rest.subspan(1 + bytes);
      serve(session, body);
    }
    session.closed(false);
  }

 private:
  static void serve(Session& session, std::span<const std::byte> body) {
    const auto request = request::decode(body);
    if (!request) return;
    const auto again = request::encode(*request);
    const auto back = request::decode(again);
    require(back.ok() && request::encode(*back) == again);
    // Opening the fabric is libfabric's business, and takes long.
    if (std::holds_alternative<request::OpenFabric>(*request)) return;
    session.handle({.body = {body.begin(), body.end()}}, control::Reply{nullptr, 0});
  }

  std::string folder_;
  HostParts parts_{{}, {}};
  std::uint64_t last_session_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static std::unique_ptr<Scratch> server;
  static unsigned inputs = 0;
  if (size < 2) return 0;
  if (!server || ++inputs % kInputsOfAStore == 0) {
    server.reset();
    server = std::make_unique<Scratch>();
  }
  server->run(std::as_bytes(std::span{data, size}));
  return 0;
}
