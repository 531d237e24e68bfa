#include "parity/code.hpp"

#include "unit/parity/parity_fixture.hpp"

namespace psnam::parity {
namespace {

using namespace test;

TEST(ParityCode, ChecksumIsThatOfTheStandard) {
  const std::string digits = "123456789";
  const auto bytes = std::as_bytes(std::span{digits});
  EXPECT_EQ(checksum(bytes), 0xe3069283U);
  EXPECT_EQ(checksum(bytes.subspan(4), checksum(bytes.first(4))), 0xe3069283U);
  EXPECT_EQ(checksum({}), 0U);
}

TEST(ParityCode, TooManyPiecesAreRefusedNamingTheLimit) {
  EXPECT_TRUE(Code::make(254, 1));
  EXPECT_TRUE(Code::make(1, 254));
  for (const auto& [members, parities] : {std::pair{255U, 1U}, {200U, 56U}, {~0U, 2U}, {2U, ~0U}}) {
    const auto code = Code::make(members, parities);
    ASSERT_FALSE(code);
    EXPECT_EQ(code.error().code, psnam::Code::invalid_argument);
    EXPECT_NE(code.error().message.find("at most 255"), std::string::npos) << code.error().message;
  }
  EXPECT_FALSE(Code::make(0, 1));
  EXPECT_FALSE(Code::make(1, 0));
}

TEST(ParityCode, OneParityIsTheExclusiveOr) {
  const Code code = *Code::make(5, 1);
  for (std::uint32_t member = 0; member < 5; ++member) EXPECT_EQ(code.encoding().at(0, member), 1);
}

/// Every choice of `lost` among the pieces, as bits.
template <class Function>
void for_each_choice(std::uint32_t pieces, std::uint32_t lost, Function function) {
  for (std::uint32_t bits = 0; bits < 1U << pieces; ++bits) {
    if (static_cast<std::uint32_t>(std::popcount(bits)) != lost) continue;
    std::vector<std::uint32_t> chosen;
    for (std::uint32_t piece = 0; piece < pieces; ++piece)
      if ((bits >> piece & 1) != 0) chosen.push_back(piece);
    function(chosen);
  }
}

std::vector<Bytes> all_pieces(const Code& code, std::size_t bytes) {
  std::vector<std::uint64_t> sizes(code.members(), bytes);
  std::vector<Bytes> pieces = random_members(sizes, code.members());
  std::vector<const std::byte*> inputs;
  for (const Bytes& piece : pieces) inputs.push_back(piece.data());
  std::vector<Bytes> parities(code.parities(), Bytes(bytes));
  std::vector<std::byte*> outputs;
  for (Bytes& parity : parities) outputs.push_back(parity.data());
  code.encoding().combine(bytes, inputs, outputs);
  for (std::uint32_t parity = 0; parity < code.parities(); ++parity)
    for (std::size_t at = 0; at < bytes; ++at)
      EXPECT_EQ(parities[parity][at], slow_parity(code, pieces, parity, at)) << parity << " " << at;
  pieces.insert(pieces.end(), parities.begin(), parities.end());
  return pieces;
}

void expect_recovered(const Code& code, const std::vector<Bytes>& pieces, const std::vector<std::uint32_t>& lost) {
  const auto recovery = code.recovery(lost);
  ASSERT_TRUE(recovery) << recovery.error().message;
  std::vector<Bytes> made(lost.size(), Bytes(pieces[0].size()));
  std::vector<std::byte*> outputs;
  for (Bytes& piece : made) outputs.push_back(piece.data());
  for (std::uint32_t input = 0; input < recovery->sources.size(); ++input) {
    const Bytes& source = pieces[recovery->sources[input]];
    if (input == 0)
      recovery->factors.assign(source.size(), input, source.data(), outputs);
    else
      recovery->factors.add(source.size(), input, source.data(), outputs);
  }
  for (std::size_t index = 0; index < lost.size(); ++index) EXPECT_EQ(made[index], pieces[lost[index]]) << lost[index];
}

TEST(ParityCode, AnyLossesUpToTheParitiesAreComputedAgain) {
  for (const std::uint32_t parities : {1U, 2U, 3U, 4U})
    for (const std::uint32_t members : {1U, 2U, 3U, 5U, 8U}) {
      const Code code = *Code::make(members, parities);
      const auto pieces = all_pieces(code, 200);
      for (std::uint32_t lost = 1; lost <= parities; ++lost)
        for_each_choice(code.pieces(), lost,
                        [&](const std::vector<std::uint32_t>& chosen) { expect_recovered(code, pieces, chosen); });
    }
}

TEST(ParityCode, LargeSetsAreComputedAgainToo) {
  for (const auto& [members, parities] : {std::pair{64U, 3U}, {251U, 4U}, {128U, 2U}, {254U, 1U}}) {
    const Code code = *Code::make(members, parities);
    const auto pieces = all_pieces(code, 100);
    std::mt19937 random{members};
    for (int turn = 0; turn < 20; ++turn) {
      std::vector<std::uint32_t> all(code.pieces());
      std::iota(all.begin(), all.end(), 0U);
      std::ranges::shuffle(all, random);
      all.resize(parities);
      expect_recovered(code, pieces, all);
    }
  }
}

TEST(ParityCode, EveryLengthIsRightToTheLastByte) {
  const Code code = *Code::make(3, 2);
  for (std::size_t bytes = 1; bytes < 300; ++bytes) {
    const auto pieces = all_pieces(code, bytes);
    expect_recovered(code, pieces, {0, 2});
  }
}

TEST(ParityCode, OneLossMoreThanParitiesIsRefusedByName) {
  const Code code = *Code::make(4, 2);
  const std::vector<std::uint32_t> lost{1, 3, 4};
  const auto refused = code.recovery(lost);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, psnam::Code::peer_lost);
  EXPECT_EQ(refused.error().message,
            "3 of 6 pieces are lost (member 1, member 3, parity 0); 2 parities can rebuild at most 2");
}

}  // namespace
}  // namespace psnam::parity
