// libFuzzer: any messages, as clients of three users send them after the handshake, decoded and served by their
// sessions over a real store. Each is answered, or costs its session; what was decoded is the same after it was encoded
// again; and when all sessions have ended the store is whole, and nothing is in it that cannot be removed.
//
// An input is a row of messages: a byte that says who sends it, two of its length, and as many bytes as there are. The
// length 0xFFFF stands for the end of that session, and for a new one.
#include <cstddef>
#include <cstring>
#include <span>

#include "fuzz/session_numbers.hpp"
#include "fuzz/session_place.hpp"

using namespace psnam;

namespace {

constexpr std::uint16_t kEnd = 0xFFFF;
constexpr std::uint32_t kAlice = 1000;
constexpr std::uint32_t kEve = 1001;

/// The administrator, Alice on this host and on another one, and Eve.
struct Clients {
  explicit Clients(fuzz::Place& place)
      : all{std::make_unique<fuzz::Client>(place, ::geteuid(), true),
            std::make_unique<fuzz::Client>(place, kAlice, true), std::make_unique<fuzz::Client>(place, kAlice, false),
            std::make_unique<fuzz::Client>(place, kEve, true)} {}
  std::array<std::unique_ptr<fuzz::Client>, 4> all;
};

struct Said {
  std::uint8_t who = 0;
  std::uint16_t length = 0;
  std::vector<std::byte> body;
};

/// Takes the next message off the front; false if there is none.
bool take(std::span<const std::byte>& rest, Said& said) {
  constexpr std::size_t kHead = sizeof said.who + sizeof said.length;
  if (rest.size() < kHead) return false;
  said.who = static_cast<std::uint8_t>(rest[0]);
  std::memcpy(&said.length, rest.data() + 1, sizeof said.length);
  rest = rest.subspan(kHead);
  const auto body = rest.first(said.length == kEnd ? 0 : std::min<std::size_t>(said.length, rest.size()));
  rest = rest.subspan(body.size());
  said.body.assign(body.begin(), body.end());
  return true;
}

/// Whether the request can be written out and read again.
bool check_again(const nam::request::Any& request, std::size_t said_bytes) {
  const auto bytes = nam::request::encode(request);
  const auto again = nam::request::decode(bytes);
  // A message may name the same bytes several times, up to a limit; written out they may be more than is read of one.
  if (!again && bytes.size() > said_bytes) return false;
  fuzz::require(again.ok() && again->index() == request.index() && nam::request::encode(*again) == bytes,
                "a request is another one after it was encoded");
  return true;
}

void serve(fuzz::Client& client, Said said, fuzz::Numbers& numbers) {
  auto request = nam::request::decode(said.body);
  if (request && check_again(*request, said.body.size())) {
    numbers.resolve(*request, client.uid());
    said.body = nam::request::encode(*request);
  }
  const auto answer = client.ask(std::move(said.body));
  if (!answer) {
    fuzz::require(!request && request.error().code == Code::corrupt, "a request costs its session");
    client.end(false);
    client.begin();
    numbers.add(client.session());
    return;
  }
  const auto decoded = nam::reply::decode(*answer);
  fuzz::require(decoded.ok(), "an answer cannot be decoded");
  numbers.learn(*decoded);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fuzz::Place place;
  {
    const Clients clients{place};
    fuzz::Numbers numbers;
    for (const auto& client : clients.all) numbers.add(client->session());
    std::span<const std::byte> rest = std::as_bytes(std::span{data, size});
    Said said;
    while (take(rest, said)) {
      fuzz::Client& client = *clients.all[said.who % clients.all.size()];
      if (said.length == kEnd) {
        client.end(said.who < 0x80);
        client.begin();
        numbers.add(client.session());
      } else {
        serve(client, std::move(said), numbers);
      }
    }
  }
  place.sweep();
  return 0;
}
