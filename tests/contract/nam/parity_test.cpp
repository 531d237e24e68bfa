// Parity that the server makes of its clients' memory: what comes out is what the members would have made themselves,
// and whoever lies, leaves or dies harms nobody else.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <latch>
#include <random>
#include <thread>

#include "format/fabric_address.hpp"
#include "nam/control/channel.hpp"
#include "nam/reply.hpp"
#include "nam/request.hpp"
#include "parity/encode.hpp"
#include "parity/rebuild.hpp"
#include "support/host_fixture.hpp"

namespace psnam::test {
namespace {

using namespace std::chrono_literals;
using nam::ParityDone;
using nam::ParityPart;
using nam::ParityWork;
namespace request = nam::request;
namespace reply = nam::reply;
using Bytes = std::vector<std::byte>;
using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kBlock = 4096;

Bytes random_bytes(std::size_t bytes, unsigned seed) {
  std::mt19937 random{seed};
  Bytes data(bytes);
  for (std::byte& byte : data) byte = static_cast<std::byte>(random());
  return data;
}

std::vector<std::uint32_t> checksums_of(std::span<const std::byte> data) {
  std::vector<std::uint32_t> sums;
  for (std::size_t at = 0; at < data.size(); at += kBlock)
    sums.push_back(parity::checksum(data.subspan(at, std::min<std::size_t>(kBlock, data.size() - at))));
  return sums;
}

/// A set of members, each with a client of its own that maps nothing, over an area that this test has mapped.
class ParityTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(host_.start());
    owner_ = host_.client(Path::mapped);
    ASSERT_TRUE(owner_);
  }
  void make(const std::vector<std::size_t>& sizes, std::uint32_t parities, std::uint64_t capacity = 0) {
    for (const std::size_t size : sizes) {
      data_.push_back(random_bytes(size, static_cast<unsigned>(data_.size()) + 1));
      capacity = std::max<std::uint64_t>(capacity, size);
    }
    spec_ = {.members = static_cast<std::uint32_t>(sizes.size()),
             .parities = parities,
             .capacity_bytes = capacity,
             .block_bytes = kBlock,
             .name = "set"};
    const auto bytes = parity::bytes_needed(spec_.members, capacity, parities, kBlock);
    ASSERT_TRUE(bytes);
    auto use = owner_->allocate({.size_bytes = *bytes}, users_of(*owner_));
    ASSERT_TRUE(use) << use.error().message;
    record_ = use->allocation;
    auto memory = owner_->open_range(record_.root_id, record_.root_offset_bytes, *bytes, Protection::read_write);
    ASSERT_TRUE(memory) << memory.error().message;
    memory_ = std::move(*memory);
    auto area = parity::Area::create({memory_.mapping.data(), memory_.mapping.bytes()}, spec_);
    ASSERT_TRUE(area) << area.error().message;
    area_.emplace(std::move(*area));
    for (std::size_t member = 0; member < sizes.size(); ++member) clients_.push_back(new_member());
  }
  /// A client over the fabric that has the area in use.
  std::unique_ptr<nam::Client> new_member() {
    auto client = host_.client(Path::fabric, clients_.size() % 2 == 1);
    const auto use =
        client->open_allocation(record_.id, record_.challenge, nam::AccessRight::read_write, users_of(*client));
    EXPECT_TRUE(use) << use.error().message;
    return client;
  }
  [[nodiscard]] ParityPart part(std::uint32_t member, ParityWork work, std::uint64_t version) {
    return {.allocation_id = record_.id,
            .attempt = attempt_,
            .work = work,
            .version = version,
            .member = member,
            .bytes = data_[member]};
  }
  using Change = std::function<void(ParityPart&)>;
  /// All members at once; the result of each.
  std::vector<Result<ParityDone>> all(ParityWork work, std::uint64_t version, const Change& change = {},
                                      std::chrono::milliseconds limit = 20s) {
    ++attempt_;
    std::vector<std::optional<Result<ParityDone>>> results(data_.size());
    {
      std::vector<std::jthread> threads;
      for (std::uint32_t member = 0; member < data_.size(); ++member)
        threads.emplace_back([&, member] {
          ParityPart mine = part(member, work, version);
          if (change) change(mine);
          results[member].emplace(clients_[member]->combine(mine, Clock::now() + limit));
        });
    }
    std::vector<Result<ParityDone>> done;
    for (auto& result : results) done.push_back(std::move(*result));
    return done;
  }
  void expect_success(std::vector<Result<ParityDone>> results) {
    for (const auto& result : results) EXPECT_TRUE(result) << result.error().message;
    if (!results.empty() && results[0]) last_ = *results[0];
  }
  void encode(std::uint64_t version, const Change& change = {}) {
    expect_success(all(ParityWork::encode, version, change));
  }
  /// The newest version has the parity and checksums that the data give.
  void expect_parity_of_data(std::uint64_t number) {
    const auto version = area_->newest();
    ASSERT_TRUE(version) << version.error().message;
    EXPECT_EQ(version->number, number);
    EXPECT_TRUE(area_->verify(*version).empty());
    for (std::uint32_t member = 0; member < data_.size(); ++member)
      EXPECT_TRUE(parity::verify_member(*area_, *version, member, data_[member]).empty()) << "member " << member;
    Bytes memory(memory_.mapping.bytes() + 64);
    void* aligned = memory.data();
    std::size_t room = memory.size();
    ASSERT_NE(std::align(64, memory_.mapping.bytes(), aligned, room), nullptr);
    auto other = parity::Area::create({static_cast<std::byte*>(aligned), room}, spec_);
    ASSERT_TRUE(other);
    std::vector<std::span<std::byte>> spans(data_.begin(), data_.end());
    parity::Buffers buffers{spans};
    ASSERT_TRUE(parity::encode_all(*other, number, buffers.sizes(), buffers));
    const auto expected = other->newest();
    ASSERT_TRUE(expected);
    for (std::uint32_t index = 0; index < spec_.parities; ++index)
      for (std::uint64_t block = 0; block < area_->shape().blocks_of(version->longest_bytes); ++block)
        EXPECT_EQ(0, std::memcmp(area_->parity_block(version->slot, index, block),
                                 other->parity_block(expected->slot, index, block), kBlock));
  }

  TestHost host_;
  std::unique_ptr<nam::Client> owner_;
  parity::AreaSpec spec_;
  format::AllocationRecord record_;
  nam::Memory memory_;
  std::optional<parity::Area> area_;
  std::vector<Bytes> data_;
  std::vector<std::unique_ptr<nam::Client>> clients_;
  std::uint64_t attempt_ = 0;
  ParityDone last_;
};

TEST_F(ParityTest, MembersOfUnevenSizesAreEncodedAsTheyWouldDoItThemselves) {
  ASSERT_NO_FATAL_FAILURE(make({300'001, 0, 4096, 1}, 2));
  encode(1);
  EXPECT_EQ(last_.bytes_read, 300'001U + 4096 + 1);
  expect_parity_of_data(1);
  for (auto& data : data_)
    if (!data.empty()) data[0] ^= std::byte{1};
  encode(2);
  expect_parity_of_data(2);
}

TEST_F(ParityTest, WhatNobodyHasChangedIsNotReadAgain) {
  ASSERT_NO_FATAL_FAILURE(make({20 * kBlock, 20 * kBlock + 7}, 1));
  std::vector<std::vector<std::uint32_t>> sums(2);
  const auto tell = [&](ParityPart& mine) {
    sums[mine.member] = checksums_of(mine.bytes);
    mine.checksums = sums[mine.member];
  };
  encode(1, tell);
  EXPECT_EQ(last_.stripes_kept, 0U);
  encode(2, tell);
  EXPECT_EQ(last_.bytes_read, 0U);
  EXPECT_EQ(last_.stripes_kept, 21U);
  expect_parity_of_data(2);
  data_[1][5 * kBlock + 3] ^= std::byte{8};
  encode(3, tell);
  EXPECT_EQ(last_.bytes_read, 2U * kBlock);
  EXPECT_EQ(last_.stripes_kept, 20U);
  expect_parity_of_data(3);
}

TEST_F(ParityTest, LostMembersAndDamagedBlocksAreRebuilt) {
  ASSERT_NO_FATAL_FAILURE(make({100'000, 50'001, 77'777, 100'000}, 2));
  encode(1);
  const auto before = data_;
  std::ranges::fill(data_[1], std::byte{0});
  data_[3][9 * kBlock + 1] ^= std::byte{1};
  expect_success(all(ParityWork::rebuild, 1, [](ParityPart& mine) { mine.lost = mine.member == 1; }));
  EXPECT_EQ(data_, before);
  EXPECT_EQ(last_.rebuilt, std::vector<std::uint32_t>{1});
  EXPECT_EQ(last_.repaired, (std::vector<parity::BadBlock>{{3, 9}}));
}

TEST_F(ParityTest, MoreLostThanParitiesIsRefusedAndNothingIsWritten) {
  ASSERT_NO_FATAL_FAILURE(make({10'000, 10'000, 10'000}, 1));
  encode(1);
  const auto before = data_;
  for (const auto& result : all(ParityWork::rebuild, 1, [](ParityPart& mine) { mine.lost = mine.member != 0; })) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::peer_lost) << result.error().message;
  }
  EXPECT_EQ(data_, before);
}

TEST_F(ParityTest, AMemberThatDoesNotComeIsNamedAndTheVersionBeforeStays) {
  ASSERT_NO_FATAL_FAILURE(make({10'000, 10'000, 10'000}, 1));
  encode(1);
  ++attempt_;
  for (const std::uint32_t member : {0U, 2U}) {
    const auto result = clients_[member]->combine(part(member, ParityWork::encode, 2), Clock::now() + 100ms);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::peer_lost) << result.error().message;
  }
  expect_parity_of_data(1);
  encode(2);
  expect_parity_of_data(2);
}

TEST_F(ParityTest, TheOthersHearOfAMemberWhoseConnectionEnds) {
  ASSERT_NO_FATAL_FAILURE(make({10'000, 10'000}, 1));
  ++attempt_;
  auto raw = nam::control::Channel::connect(host_.socket(), {}, *nam::control::this_client(), 20s);
  ASSERT_TRUE(raw) << raw.error().message;
  const auto ask = [&](const request::Any& what) {
    auto message = (*raw)->call({.body = request::encode(what)}, 20s);
    EXPECT_TRUE(message);
    return reply::decode(message->body);
  };
  const nam::request::Users users{nam::session_user(1, 0, (*raw)->session())};
  ASSERT_TRUE(ask(request::OpenAllocation{record_.id, record_.challenge, nam::AccessRight::read_write, users}));
  const auto joined = ask(request::JoinParity{.allocation_id = record_.id,
                                              .attempt = attempt_,
                                              .version = 1,
                                              .member = 1,
                                              .provider = {},
                                              .address = {},
                                              .data = {},
                                              .checksums = {}});
  ASSERT_TRUE(joined);
  ASSERT_TRUE(std::holds_alternative<reply::Done>(*joined)) << std::get<Error>(*joined).message;
  raw->reset();
  const auto began = Clock::now();
  const auto result = clients_[0]->combine(part(0, ParityWork::encode, 1), began + 20s);
  // Whether the other went before this one came, or after.
  if (result) FAIL() << "a version without member 1";
  EXPECT_EQ(result.error().code, Code::peer_lost) << result.error().message;
  EXPECT_LT(Clock::now() - began, 15s);
  EXPECT_TRUE(area_->versions().empty());
  encode(1);
  expect_parity_of_data(1);
}

/// A member that says what it likes, over a connection of its own.
class HostileMember {
 public:
  explicit HostileMember(const TestHost& host, const format::AllocationRecord& record, bool in_use = true) {
    auto channel = nam::control::Channel::connect(host.socket(), {}, *nam::control::this_client(), 20s);
    if (!channel) throw std::runtime_error{channel.error().message};
    channel_ = std::move(*channel);
    const nam::request::Users users{nam::session_user(1, 0, channel_->session())};
    const request::OpenAllocation open{record.id, record.challenge, nam::AccessRight::read_write, users};
    if (in_use && !ask(open)) throw std::runtime_error{"the area cannot be opened"};
    join.allocation_id = record.id;
    join.attempt = 1;
    join.version = 1;
  }
  Result<reply::Any> ask(const request::Any& what) {
    PSNAM_TRY(auto message, channel_->call({.body = request::encode(what)}, 20s));
    PSNAM_TRY(reply::Any answer, reply::decode(message.body));
    if (Error* const error = std::get_if<Error>(&answer)) return std::move(*error);
    return answer;
  }
  Code refused() {
    const auto answer = ask(join);
    if (answer) {
      ADD_FAILURE() << "not refused";
      return Code::system;
    }
    return answer.error().code;
  }
  /// The end of the work that it has joined.
  Result<reply::Any> end() {
    for (;;) {
      auto answer = ask(request::AwaitParity{join.allocation_id, join.attempt, 100'000});
      if (!answer || std::get<reply::Parity>(*answer).done) return answer;
    }
  }
  void at_address(const char* host_name, std::uint16_t port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    ::inet_pton(AF_INET, host_name, &name.sin_addr);
    join.provider = "net";
    join.address = format::encode(format::FabricAddress{1, 0, {reinterpret_cast<const char*>(&name), sizeof name}});
  }

  request::JoinParity join;

 private:
  std::unique_ptr<nam::control::Channel> channel_;
};

TEST_F(ParityTest, WhoLiesIsRefused) {
  ASSERT_NO_FATAL_FAILURE(make({10'000, 10'000}, 1));
  HostileMember stranger{host_, record_, false};
  EXPECT_EQ(stranger.refused(), Code::access);
  HostileMember liar{host_, record_};
  const request::JoinParity good = liar.join;
  const auto refused_with = [&](const std::function<void(request::JoinParity&)>& lie) {
    liar.join = good;
    lie(liar.join);
    return liar.refused();
  };
  EXPECT_EQ(refused_with([](auto& join) { join.allocation_id = 999'999; }), Code::name_not_found);
  EXPECT_EQ(refused_with([](auto& join) { join.attempt = 0; }), Code::invalid_argument);
  EXPECT_EQ(refused_with([](auto& join) { join.version = 0; }), Code::invalid_argument);
  EXPECT_EQ(refused_with([](auto& join) { join.member = 2; }), Code::rank);
  EXPECT_EQ(refused_with([](auto& join) { join.lost = true; }), Code::invalid_argument);
  EXPECT_EQ(refused_with([](auto& join) { join.data.bytes = 1; }), Code::incompatible);
  liar.at_address("10.1.2.3", 80);
  liar.join.data.bytes = 1;
  EXPECT_EQ(liar.refused(), Code::access);
  liar.at_address("127.0.0.1", 80);
  liar.join.data.bytes = std::uint64_t{1} << 60;
  EXPECT_EQ(liar.refused(), Code::size);
  liar.join = good;
  EXPECT_TRUE(liar.ask(liar.join));
  EXPECT_EQ(liar.refused(), Code::invalid_argument);  // the same member again
  EXPECT_FALSE(liar.ask(request::AwaitParity{record_.id, 77, 0}));
  HostileMember other{host_, record_};
  const auto overheard = other.ask(request::AwaitParity{record_.id, 1, 0});
  ASSERT_FALSE(overheard);
  EXPECT_EQ(overheard.error().code, Code::name_not_found);
  attempt_ = 100;
  encode(1);
  expect_parity_of_data(1);
}

TEST_F(ParityTest, AMemberWithAWrongKeyOrNoEndpointEndsItsOwnAttemptOnly) {
  ASSERT_NO_FATAL_FAILURE(make({10'000, 10'000}, 1));
  encode(1);
  for (const bool listens : {false, true}) {
    ++attempt_;
    HostileMember liar{host_, record_};
    // Nobody listens at the one; at the other the server's own endpoint does, which has no such key.
    liar.at_address("127.0.0.1", 9);
    if (listens) {
      auto fabric = liar.ask(request::OpenFabric{});
      ASSERT_TRUE(fabric);
      liar.join.provider = std::get<reply::Fabric>(*fabric).provider;
      liar.join.address = std::get<reply::Fabric>(*fabric).address;
    }
    liar.join.attempt = attempt_;
    liar.join.version = 2;
    liar.join.member = 1;
    liar.join.data = {.key = 12345, .base = 0, .bytes = 9'000};
    ASSERT_TRUE(liar.ask(liar.join));
    const auto result = clients_[0]->combine(part(0, ParityWork::encode, 2), Clock::now() + 30s);
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("member 1"), std::string::npos) << result.error().message;
    EXPECT_FALSE(liar.end());
    expect_parity_of_data(1);
  }
  encode(2);
  expect_parity_of_data(2);
}

TEST_F(ParityTest, AnAllocationWithoutAnAreaIsCorrupt) {
  ASSERT_NO_FATAL_FAILURE(make({10'000}, 1));
  std::memset(memory_.mapping.data(), 0x5a, 4096);
  for (const auto& result : all(ParityWork::encode, 1)) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::corrupt) << result.error().message;
  }
}

TEST_F(ParityTest, ChecksumsOfAnotherNumberOfBlocksAreRefused) {
  ASSERT_NO_FATAL_FAILURE(make({10'000}, 1));
  const std::vector<std::uint32_t> sums(7);
  for (const auto& result : all(ParityWork::encode, 1, [&](ParityPart& mine) { mine.checksums = sums; })) {
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, Code::range) << result.error().message;
  }
}

TEST_F(ParityTest, AStoreThatNobodyServesMakesNone) {
  TemporaryFolder folder;
  auto store = nam::Store::open({.folder = folder.path(), .capacity_bytes = kCapacity});
  ASSERT_TRUE(store);
  const auto result = (*store)->combine({.allocation_id = 1, .attempt = 1, .version = 1}, Clock::now());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::unsupported);
}

}  // namespace
}  // namespace psnam::test
