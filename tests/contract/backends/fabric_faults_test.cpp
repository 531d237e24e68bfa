// Clients that break the rules, and servers that go away: whoever did it gets an error in time, everybody else goes on.
#include <atomic>
#include <cstring>
#include <thread>

#include "contract/backends/fabric_fixture.hpp"

namespace psnam::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::size_t kBytes = std::size_t{32} << 20;
// Long enough for a living server on a busy machine.
constexpr std::chrono::milliseconds kLimit{1'500};
// From the limit to the error the system may be busy with other things.
constexpr std::chrono::milliseconds kAtMost{5'000};

class FabricFaults : public ::testing::Test {
 protected:
  struct Party {
    FabricPeer::Endpoint endpoint;
    FabricPeer::Registration shared;
    std::shared_ptr<FabricClient> client;
    std::shared_ptr<RemoteMemory> memory;
  };

  FabricOptions options() const {
    FabricOptions options;
    options.timeout = timeout_;
    return options;
  }
  Party party(std::size_t bytes = kBytes, bool writable = true) {
    Party made;
    made.endpoint = peer_.endpoint();
    made.shared = peer_.share(made.endpoint, 0, bytes, writable);
    made.client = connect(*fabric_, peer_, made.endpoint, options());
    if (made.client) made.memory = made.client->open(made.shared.key, made.shared.base, bytes, Protection::read_write);
    return made;
  }
  void expect_works(const Party& party) {
    std::uint64_t word = ++word_;
    ASSERT_TRUE(party.memory->write(One{64, bytes_of(word), 8}));
    const Status flushed = party.memory->flush();
    ASSERT_TRUE(flushed) << flushed.error().message;
    EXPECT_EQ(std::memcmp(peer_.memory() + 64, &word, 8), 0);
  }
  static std::byte* bytes_of(std::uint64_t& word) { return reinterpret_cast<std::byte*>(&word); }
  /// The error that a write or its flush gives.
  static Status write(RemoteMemory& memory, std::uint64_t offset, std::byte* local, std::size_t bytes) {
    Status status = memory.write(One{offset, local, bytes});
    return status ? memory.flush() : std::move(status);
  }
  static Status read(RemoteMemory& memory, std::uint64_t offset, std::byte* local, std::size_t bytes) {
    Status status = memory.read(One{offset, local, bytes});
    return status ? memory.flush() : std::move(status);
  }
  static void expect_dead(const Party& party, const Status& status) {
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Code::unreachable) << status.error().message;
    EXPECT_FALSE(party.client->alive());
    std::uint64_t word = 0;
    const Status later = party.memory->write(One{0, bytes_of(word), 8});
    ASSERT_FALSE(later);
    EXPECT_EQ(later.error().code, Code::unreachable);
    EXPECT_EQ(later.error().message, status.error().message);
  }

  std::chrono::milliseconds timeout_{10'000};
  std::uint64_t word_ = 0;
  std::vector<std::byte> buffer_ = std::vector<std::byte>(kBytes, std::byte{0x5a});
  FabricPeer peer_{kBytes};
  std::shared_ptr<Fabric> fabric_ = fabric();
};

TEST_F(FabricFaults, AWrongKeyFailsForItsUserOnly) {
  const Party good = party();
  const Party bad = party();
  const auto guess = bad.client->open(bad.shared.key ^ 1, bad.shared.base, kBytes, Protection::read_write);
  expect_dead(bad, write(*guess, 0, buffer_.data(), 8));
  EXPECT_EQ(peer_.memory()[0], std::byte{0});
  expect_works(good);
}

TEST_F(FabricFaults, AFailedWriteIsReportedThoughOthersFollowIt) {
  const Party good = party();
  const Party bad = party();
  const auto guess = bad.client->open(bad.shared.key ^ 1, bad.shared.base, kBytes, Protection::read_write);
  // Held back, then sent without a demand for an answer, since larger ones come between.
  Status status = guess->write(One{0, buffer_.data(), 8});
  for (int i = 0; i < 2000 && status; ++i) status = bad.memory->write(One{4096, buffer_.data(), 5000});
  if (status) status = bad.memory->flush();
  expect_dead(bad, status);
  EXPECT_EQ(peer_.memory()[0], std::byte{0});
  expect_works(good);
}

TEST_F(FabricFaults, AccessBeyondTheRegistrationFailsAndMovesNothing) {
  for (const std::size_t bytes : {std::size_t{8}, std::size_t{5000}, std::size_t{200000}}) {
    const Party bad = party(4096);
    const auto lie = bad.client->open(bad.shared.key, bad.shared.base, kBytes, Protection::read_write);
    expect_dead(bad, write(*lie, 4096 - 4, buffer_.data(), bytes));
    EXPECT_EQ(peer_.memory()[4095], std::byte{0});
    EXPECT_EQ(peer_.memory()[4096], std::byte{0});
    const Party reader = party(4096);
    const auto other_lie = reader.client->open(reader.shared.key, reader.shared.base, kBytes, Protection::read_only);
    expect_dead(reader, read(*other_lie, 4096 - 4, buffer_.data(), bytes));
  }
  expect_works(party());
}

TEST_F(FabricFaults, AReadOnlyKeyDoesNotWrite) {
  const Party bad = party(4096, false);
  std::uint64_t word = 0;
  EXPECT_TRUE(read(*bad.memory, 0, bytes_of(word), 8));
  expect_dead(bad, write(*bad.memory, 0, buffer_.data(), 8));
  EXPECT_EQ(peer_.memory()[0], std::byte{0});
}

TEST_F(FabricFaults, AnotherClientConnectsToTheSameEndpointAfterAnError) {
  Party bad = party(4096, true);
  const auto guess = bad.client->open(bad.shared.key ^ 1, bad.shared.base, 8, Protection::read_write);
  expect_dead(bad, write(*guess, 0, buffer_.data(), 8));
  bad.client = connect(*fabric_, peer_, bad.endpoint);
  ASSERT_NE(bad.client, nullptr);
  bad.memory = bad.client->open(bad.shared.key, bad.shared.base, 4096, Protection::read_write);
  expect_works(bad);
}

TEST_F(FabricFaults, DeregisteredMemoryIsNotReachedAnyMore) {
  const Party bad = party();
  expect_works(bad);
  ASSERT_EQ(peer_.ask("deregister " + std::to_string(bad.shared.number)), "done");
  std::memset(peer_.memory(), 0, 4096);
  expect_dead(bad, write(*bad.memory, 64, buffer_.data(), 8));
  EXPECT_EQ(peer_.memory()[64], std::byte{0});
}

TEST_F(FabricFaults, MemoryIsRegisteredAndDeregisteredBesideTransfers) {
  constexpr int kTimes = 10'000;
  const Party party_under_load = party();
  Status ended;
  std::atomic<bool> enough = false;
  std::thread writer{[&] {
    while (ended && !enough) ended = write(*party_under_load.memory, 0, buffer_.data(), 64);
  }};
  const auto endpoint = std::to_string(party_under_load.endpoint.number);
  EXPECT_EQ(peer_.ask("churn " + endpoint + " " + std::to_string(kTimes)), "done");
  enough = true;
  writer.join();
  EXPECT_TRUE(ended) << ended.error().message;
  expect_works(party_under_load);
}

TEST_F(FabricFaults, AnEvictedClientWritesNothingAnyMore) {
  const Party good = party();
  const Party bad = party();
  Status ended;
  std::thread writer{[&] {
    while (ended) ended = write(*bad.memory, 1 << 20, buffer_.data(), kBytes / 2);
  }};
  const auto limit = Clock::now() + std::chrono::seconds{20};
  while (peer_.memory()[kBytes / 2] == std::byte{0} && Clock::now() < limit) std::this_thread::yield();
  EXPECT_EQ(peer_.ask("close " + std::to_string(bad.endpoint.number)), "done");
  // From the answer on nothing lands.
  std::memset(peer_.memory(), 0, kBytes);
  writer.join();
  expect_dead(bad, ended);
  expect_works(good);
  EXPECT_TRUE(
      std::all_of(peer_.memory() + 4096, peer_.memory() + kBytes, [](std::byte byte) { return byte == std::byte{0}; }));
  timeout_ = kLimit;
  const auto again = fabric_->connect(options(), peer_.provider(), bad.endpoint.address);
  EXPECT_FALSE(again);
}

TEST_F(FabricFaults, AStoppedServerIsAnErrorWithinTheLimit) {
  timeout_ = kLimit;
  for (const std::size_t bytes : {std::size_t{8}, std::size_t{100'000}, kBytes}) {
    const Party lost = party();
    expect_works(lost);
    peer_.stop();
    const auto begin = Clock::now();
    const Status status = write(*lost.memory, 0, buffer_.data(), bytes);
    const auto waited = Clock::now() - begin;
    expect_dead(lost, status);
    EXPECT_GE(waited, kLimit);
    EXPECT_LE(waited, kLimit + kAtMost);
    // Nothing refers to the buffer any more.
    std::fill(buffer_.begin(), buffer_.end(), std::byte{0x11});
    peer_.go_on();
    EXPECT_EQ(peer_.ask("provider"), peer_.provider());
  }
}

TEST_F(FabricFaults, ReadingAndConnectingEndWithinTheLimitToo) {
  timeout_ = kLimit;
  const Party lost = party();
  const auto other = peer_.endpoint();
  peer_.stop();
  auto begin = Clock::now();
  expect_dead(lost, read(*lost.memory, 0, buffer_.data(), kBytes));
  EXPECT_LE(Clock::now() - begin, kLimit + kAtMost);
  begin = Clock::now();
  const auto client = fabric_->connect(options(), peer_.provider(), other.address);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Code::unreachable) << client.error().message;
  EXPECT_LE(Clock::now() - begin, kLimit + kAtMost);
  peer_.go_on();
}

TEST_F(FabricFaults, WhoConnectsComesBackWhenAStopIsRequested) {
  const auto endpoint = peer_.endpoint();
  peer_.stop();
  for (const bool before : {true, false}) {
    std::stop_source source;
    if (before) source.request_stop();
    const std::set<int> sockets = network_sockets();
    Status ended;
    std::thread connecting{[&] {
      const auto client = fabric_->connect(options(), peer_.provider(), endpoint.address, source.get_token());
      if (!client) ended = Error{client.error().code, client.error().message};
    }};
    const auto limit = Clock::now() + kAtMost;
    while (!before && network_sockets() == sockets && Clock::now() < limit) std::this_thread::yield();
    const auto asked = Clock::now();
    source.request_stop();
    connecting.join();
    EXPECT_LE(Clock::now() - asked, kAtMost);
    ASSERT_FALSE(ended);
    EXPECT_EQ(ended.error().code, Code::unreachable) << ended.error().message;
    EXPECT_NE(ended.error().message.find("nobody waits for it"), std::string::npos) << ended.error().message;
  }
  peer_.go_on();
}

TEST_F(FabricFaults, AKilledServerIsAnErrorWithinTheLimit) {
  timeout_ = std::chrono::milliseconds{2000};
  const Party busy = party();
  const Party idle = party();
  Status ended;
  std::thread writer{[&] {
    while (ended) ended = write(*busy.memory, 0, buffer_.data(), kBytes);
  }};
  const auto limit = Clock::now() + std::chrono::seconds{20};
  while (peer_.memory()[kBytes - 1] == std::byte{0} && Clock::now() < limit) std::this_thread::yield();
  const auto begin = Clock::now();
  peer_.kill();
  writer.join();
  expect_dead(busy, ended);
  expect_dead(idle, write(*idle.memory, 0, buffer_.data(), 8));
  EXPECT_LE(Clock::now() - begin, timeout_ + timeout_ + kAtMost);
}

TEST_F(FabricFaults, AnAbandonedClientComesBackFromItsWait) {
  const Party lost = party();
  peer_.stop();
  Status first;
  Status second;
  std::thread one{[&] { first = write(*lost.memory, 0, buffer_.data(), kBytes); }};
  std::thread two{[&] { second = read(*lost.memory, 0, buffer_.data(), 8); }};
  const auto begin = Clock::now();
  lost.client->abandon("the control connection is gone");
  one.join();
  two.join();
  EXPECT_LE(Clock::now() - begin, kAtMost);
  expect_dead(lost, first);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("the control connection is gone"), std::string::npos);
  peer_.go_on();
}

TEST_F(FabricFaults, AServerServesOthersAfterAClientWasKilled) {
  const Party good = party();
  const auto endpoint = peer_.endpoint();
  const auto shared = peer_.share(endpoint, 0, kBytes);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    // Another process: what it inherited of the fabric it does not touch.
    ::dup2(ready[1], STDOUT_FILENO);
    std::string address;
    for (const char byte : endpoint.address) {
      constexpr char kDigits[] = "0123456789abcdef";
      address += kDigits[static_cast<unsigned char>(byte) >> 4];
      address += kDigits[static_cast<unsigned char>(byte) & 15];
    }
    const std::string key = std::to_string(shared.key);
    const std::string base = std::to_string(shared.base);
    const std::string bytes = std::to_string(kBytes);
    ::execl(PSNAM_FABRIC_WRITER, PSNAM_FABRIC_WRITER, PSNAM_FABRIC_MODULE, peer_.provider().c_str(), address.c_str(),
            key.c_str(), base.c_str(), bytes.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(ready[1]);
  char byte = 0;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  expect_works(good);
  expect_works(party());
  EXPECT_EQ(peer_.ask("close " + std::to_string(endpoint.number)), "done");
}

TEST_F(FabricFaults, AServerTakesNoProcessorTimeWhileNothingHappens) {
  const Party idle = party();
  expect_works(idle);
  constexpr int kMeasured_ms = 1000;
  const long before_us = std::stol(peer_.ask("processor"));
  ::poll(nullptr, 0, kMeasured_ms);  // not a wait for something: the time that is measured
  EXPECT_LT(std::stol(peer_.ask("processor")) - before_us, kMeasured_ms * 1000 / 50);
  expect_works(idle);
}

TEST_F(FabricFaults, TwoHundredEndpointsAreServedAtOnce) {
  std::vector<Party> parties;
  for (int i = 0; i < 200; ++i) {
    parties.push_back(party(4096));
    ASSERT_NE(parties.back().client, nullptr) << i;
  }
  for (int turn = 0; turn < 3; ++turn)
    for (const Party& each : parties) expect_works(each);
  // All at once: started on every one before the first is completed.
  std::uint64_t word = ++word_;
  for (std::size_t i = 0; i < parties.size(); ++i) ASSERT_TRUE(parties[i].memory->write(One{i * 8, bytes_of(word), 8}));
  for (const Party& each : parties) ASSERT_TRUE(each.client->flush());
  for (std::size_t i = 0; i < parties.size(); ++i) EXPECT_EQ(std::memcmp(peer_.memory() + i * 8, &word, 8), 0) << i;
}

}  // namespace
}  // namespace psnam::test
