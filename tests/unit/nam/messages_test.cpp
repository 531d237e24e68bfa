// Requests and replies as they travel: each comes back as it was, and what is none is refused.
#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "nam/reply.hpp"
#include "nam/request.hpp"
#include "support/requests.hpp"
#include "support/store_fixture.hpp"

namespace psnam::test {
namespace {

TEST(Requests, EveryOneComesBackAsItWas) {
  const auto all = every_request();
  ASSERT_EQ(all.size(), std::variant_size_v<nam::request::Any>);
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(all[i].index(), i) << "each once, in their order";
    const auto bytes = nam::request::encode(all[i]);
    const auto back = nam::request::decode(bytes);
    ASSERT_TRUE(back) << nam::request::kNames[i] << ": " << back.error().message;
    EXPECT_EQ(back->index(), i) << nam::request::kNames[i];
    EXPECT_EQ(nam::request::encode(*back), bytes) << nam::request::kNames[i];
  }
}

TEST(Requests, NamesAreThoseOfTheirKinds) {
  EXPECT_EQ(nam::request::kNames[nam::request::Any{nam::request::Close{}}.index()], "close");
  EXPECT_EQ(nam::request::kNames[nam::request::Any{nam::request::Execute{}}.index()], "execute");
  EXPECT_EQ(nam::request::kNames[nam::request::Any{nam::request::CountUsers{}}.index()], "count_users");
}

TEST(Requests, ChangedBytesAreARequestOrAnErrorButNeverMore) {
  std::mt19937 random{4711};
  for (const auto& request : every_request()) {
    const auto bytes = nam::request::encode(request);
    for (int round = 0; round < 200; ++round) {
      auto changed = bytes;
      for (int i = 0; i < 3; ++i) changed[random() % changed.size()] = static_cast<std::byte>(random());
      if (round % 4 == 0) changed.resize(random() % changed.size() / 8 * 8);
      const auto back = nam::request::decode(changed);
      if (back)
        EXPECT_TRUE(nam::request::decode(nam::request::encode(*back)).ok());
      else
        EXPECT_FALSE(back.error().message.empty());
    }
  }
}

TEST(Requests, BytesThatAreNoMessageAreCorrupt) {
  for (const std::size_t size : {0U, 1U, 7U, 12U}) {
    const std::vector<std::byte> bytes(size);
    const auto back = nam::request::decode(bytes);
    ASSERT_FALSE(back) << size;
    EXPECT_EQ(back.error().code, Code::corrupt);
  }
}

TEST(Requests, AListThatIsTooLongForItsMessageIsRefused) {
  // A million processes of no bytes each cost the sender nothing.
  auto bytes = nam::request::encode(nam::request::OpenWindow{"w", nam::AccessRight::read_only, users(3)});
  bool refused = false;
  for (std::size_t word = 0; word + 8 <= bytes.size() && !refused; word += 8) {
    auto changed = bytes;
    const std::uint64_t list_of_nothing = 1 | std::uint64_t{0x3fffffff} << 35 >> 3;
    std::memcpy(changed.data() + word, &list_of_nothing, 8);
    const auto back = nam::request::decode(changed);
    refused = !back;
  }
  EXPECT_TRUE(refused);
}

TEST(Requests, AMemberOfAParitySetComesBackWithAllThatItSays) {
  const auto all = every_request();
  const auto& sent = std::get<nam::request::JoinParity>(all[all.size() - 3]);
  const auto back = nam::request::decode(nam::request::encode(sent));
  ASSERT_TRUE(back) << back.error().message;
  const auto& got = std::get<nam::request::JoinParity>(*back);
  EXPECT_EQ(got.work, sent.work);
  EXPECT_EQ(got.note, sent.note);
  EXPECT_EQ(got.member, sent.member);
  EXPECT_EQ(got.lost, sent.lost);
  EXPECT_EQ(got.provider, sent.provider);
  EXPECT_EQ(got.address, sent.address);
  EXPECT_EQ(got.data, sent.data);
  EXPECT_EQ(got.checksums, sent.checksums);
}

TEST(Requests, AnEndpointWithAnEndlessAddressIsRefused) {
  nam::request::JoinParity join;
  join.address = std::string(4096, 'x');
  EXPECT_FALSE(nam::request::decode(nam::request::encode(join)));
  join.address.clear();
  join.provider = std::string(4096, 'x');
  EXPECT_FALSE(nam::request::decode(nam::request::encode(join)));
}

TEST(Replies, HowFarParityIsComesBackAsItWas) {
  const auto waiting = nam::reply::decode(nam::reply::encode(nam::reply::Parity{}));
  ASSERT_TRUE(waiting);
  EXPECT_FALSE(std::get<nam::reply::Parity>(*waiting).done);
  nam::ParityDone done{.version = 1, .stripes = 2, .stripes_kept = 3, .bytes_read = 4, .rebuilt = {5}, .repaired = {}};
  for (std::uint32_t block = 0; block < nam::ParityDone::kMostRepaired + 5; ++block)
    done.repaired.push_back({6, block});
  const auto over = nam::reply::decode(nam::reply::encode(nam::reply::Parity{done}));
  ASSERT_TRUE(over) << over.error().message;
  const auto& got = std::get<nam::reply::Parity>(*over).done;
  ASSERT_TRUE(got);
  EXPECT_EQ(got->stripes_kept, 3U);
  EXPECT_EQ(got->bytes_read, 4U);
  EXPECT_EQ(got->rebuilt, done.rebuilt);
  done.repaired.resize(nam::ParityDone::kMostRepaired);
  EXPECT_EQ(got->repaired, done.repaired);
}

TEST(Replies, AnErrorKeepsCodeMessageAndDetail) {
  for (const Code code : {Code::access, Code::no_memory, Code::peer_lost, Code::unsupported, Code::quota}) {
    const auto back = nam::reply::decode(nam::reply::encode(Error{code, "why", 28}));
    ASSERT_TRUE(back);
    const auto* const error = std::get_if<Error>(&*back);
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code, code);
    EXPECT_EQ(error->message, "why");
    EXPECT_EQ(error->detail, 28);
  }
}

TEST(Replies, RecordsComeBackAsTheyWere) {
  nam::WindowReport report{.window = draft_of("heat", {64, 128}), .uses = {{}}, .services = {"ocean", "ice"}};
  report.uses[0].processes = users(2);
  const auto windows = nam::reply::decode(nam::reply::encode(nam::reply::Windows{{report}, true}));
  ASSERT_TRUE(windows) << windows.error().message;
  const auto& piece = std::get<nam::reply::Windows>(*windows);
  EXPECT_TRUE(piece.more);
  ASSERT_EQ(piece.windows.size(), 1U);
  EXPECT_EQ(piece.windows[0].window, report.window);
  EXPECT_EQ(piece.windows[0].uses, report.uses);
  EXPECT_EQ(piece.windows[0].services, report.services);
  const auto range = nam::reply::decode(nam::reply::encode(
      nam::reply::Range{.mapped = false, .key = 7, .base = 8, .object = {9, nam::AccessRight::read_write, "shown"}}));
  ASSERT_TRUE(range);
  EXPECT_EQ(std::get<nam::reply::Range>(*range).key, 7U);
  EXPECT_EQ(std::get<nam::reply::Range>(*range).object.shown, "shown");
  const nam::NamReport node{.index = 2, .store = format::Uuid{{7}}, .address = "b:1", .socket = "/b", .free_bytes = 5};
  const auto nams = nam::reply::decode(nam::reply::encode(nam::reply::Nams{node}));
  ASSERT_TRUE(nams);
  const auto& told = std::get<nam::reply::Nams>(*nams);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].index, 2U);
  EXPECT_EQ(told[0].store, node.store);
  EXPECT_EQ(told[0].address + told[0].socket, "b:1/b");
  EXPECT_EQ(told[0].free_bytes, 5U);
  EXPECT_TRUE(told[0].reachable);
  const auto nothing = nam::reply::decode(nam::reply::encode(nam::reply::Value{}));
  ASSERT_TRUE(nothing);
  EXPECT_EQ(std::get<nam::reply::Value>(*nothing).value, std::nullopt);
}

}  // namespace
}  // namespace psnam::test
