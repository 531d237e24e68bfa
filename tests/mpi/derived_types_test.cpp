// Put and get by every constructor of datatypes on either or both sides, checked byte by byte against the model.
#include <algorithm>
#include <cstring>
#include <numeric>

#include "modelled_type.hpp"
#include "window.hpp"

namespace psnam::test {
namespace {

/// One of each constructor over MPI_INT, and some over one another. All data is of ints, so every type matches every
/// other.
std::vector<ModelledType> types_of_ints() {
  const ModelledType number = predefined("int", MPI_INT);
  std::vector<ModelledType> types;
  types.push_back(predefined("int", MPI_INT));
  types.push_back(contiguous(number, 3));
  types.push_back(vector(number, 3, 2, 4));
  types.push_back(vector(number, 3, 2, -3));
  types.push_back(vector(number, 4, 1, 20, true));
  types.push_back(indexed(number, {2, 0, 1, 3}, {5, 1, 0, 8}));
  types.push_back(indexed(number, {1, 2}, {24, -8}, true));
  types.push_back(indexed_block(number, 2, {7, 0, 3}));
  types.push_back(indexed_block(number, 1, {12, -4, 40}, true));
  types.push_back(subarray(number, {3, 4, 5}, {2, 2, 3}, {1, 1, 2}, MPI_ORDER_C));
  types.push_back(subarray(number, {3, 4, 5}, {2, 2, 3}, {1, 1, 2}, MPI_ORDER_FORTRAN));
  types.push_back(resized(number, -8, 20));
  types.push_back(duplicate(types[5]));
  types.push_back(distributed(number, 2, 5, 6, 2));
  types.push_back(distributed(number, 1, 6, 5, 1));
  const ModelledType pairs = vector(number, 2, 1, 2);
  const ModelledType odd = resized(pairs, -4, 13);
  types.push_back(structure("of three kinds", {{&number, 1, 60}, {&pairs, 2, 0}, {&odd, 1, 32}}));
  types.push_back(vector(odd, 2, 2, 4));
  types.push_back(contiguous(vector(contiguous(number, 2), 2, 1, 3), 2));
  types.push_back(subarray(odd, {2, 2, 2}, {1, 2, 1}, {1, 0, 1}, MPI_ORDER_FORTRAN));
  return types;
}

constexpr std::size_t kSlot = 4096;
constexpr std::ptrdiff_t kMiddle = 1024;  ///< room in front of a slot's first element, for negative offsets

/// A put of one type into another, in a slot of its own.
struct Case {
  const ModelledType& origin;
  const ModelledType& target;
  int origin_count;
  int target_count;

  Case(const ModelledType& from, const ModelledType& to) : origin{from}, target{to} {
    const std::size_t bytes = std::lcm(from.bytes(), to.bytes());
    origin_count = static_cast<int>(bytes / from.bytes());
    target_count = static_cast<int>(bytes / to.bytes());
  }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(origin_count) * origin.bytes(); }
  [[nodiscard]] std::string name() const { return origin.name() + " -> " + target.name(); }
  /// Whether all bytes lie in a slot.
  [[nodiscard]] bool fits() const {
    for (std::size_t i = 0; i < bytes(); ++i)
      for (const std::ptrdiff_t offset : {origin.offset(i), target.offset(i)})
        if (offset < -kMiddle || offset >= static_cast<std::ptrdiff_t>(kSlot) - kMiddle) return false;
    return true;
  }
};

std::vector<Case> all_pairs(const std::vector<ModelledType>& types) {
  std::vector<Case> cases;
  for (const auto& origin : types)
    for (const auto& target : types) cases.emplace_back(origin, target);
  return cases;
}

std::vector<std::byte> filled(std::size_t cases, int writer, int round) {
  std::vector<std::byte> bytes(cases * kSlot);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern(writer, 0, i, round);
  return bytes;
}

std::byte* slot(std::vector<std::byte>& bytes, std::size_t nth) { return bytes.data() + nth * kSlot + kMiddle; }
MPI_Aint slot(std::size_t nth) { return static_cast<MPI_Aint>(nth * kSlot) + kMiddle; }

class DerivedTypes : public testing::TestWithParam<Kind> {
 protected:
  std::vector<ModelledType> types_ = types_of_ints();
  std::vector<Case> cases_ = all_pairs(types_);
  int me_ = world_rank();
  int next_ = (me_ + 1) % world_size();
  int previous_ = (me_ + world_size() - 1) % world_size();
};

INSTANTIATE_TEST_SUITE_P(Kinds, DerivedTypes, testing::Values(kKinds[0], kKinds[4], kKinds[8]), kind_name);

TEST_P(DerivedTypes, EveryPairOfTypesFitsItsSlot) {
  for (const Case& c : cases_) EXPECT_TRUE(c.fits()) << c.name();
}

TEST_P(DerivedTypes, APutWritesTheBytesOfTheTargetTypeAndNoOthers) {
  const PartedWindow window{GetParam(), cases_.size() * kSlot};
  auto sent = filled(cases_.size(), me_, 0);
  window.fence();
  for (std::size_t n = 0; n < cases_.size(); ++n) {
    const Case& c = cases_[n];
    EXPECT_EQ(MPI_Put(slot(sent, n), c.origin_count, c.origin.get(), window.target(next_),
                      window.displacement(next_) + slot(n), c.target_count, c.target.get(), window),
              MPI_SUCCESS)
        << c.name();
  }
  window.fence();
  EXPECT_EQ(sent, filled(cases_.size(), me_, 0)) << "a put changed its origin";
  auto from = filled(cases_.size(), previous_, 0);
  std::vector<std::byte> expected(from.size());
  for (std::size_t n = 0; n < cases_.size(); ++n)
    for (std::size_t i = 0; i < cases_[n].bytes(); ++i)
      slot(expected, n)[cases_[n].target.offset(i)] = slot(from, n)[cases_[n].origin.offset(i)];
  const auto part = window.read(me_, from.size());
  window.fence(MPI_MODE_NOSUCCEED);
  for (std::size_t n = 0; n < cases_.size(); ++n)
    EXPECT_TRUE(std::equal(part.begin() + static_cast<std::ptrdiff_t>(n * kSlot),
                           part.begin() + static_cast<std::ptrdiff_t>((n + 1) * kSlot),
                           expected.begin() + static_cast<std::ptrdiff_t>(n * kSlot)))
        << cases_[n].name();
}

TEST_P(DerivedTypes, AGetReadsTheBytesOfTheTargetTypeIntoThoseOfTheOriginType) {
  const PartedWindow window{GetParam(), cases_.size() * kSlot};
  const auto whole = filled(cases_.size(), me_, 1);
  const int bytes = static_cast<int>(whole.size());
  window.fence();
  EXPECT_EQ(
      MPI_Put(whole.data(), bytes, MPI_BYTE, window.target(me_), window.displacement(me_), bytes, MPI_BYTE, window),
      MPI_SUCCESS);
  window.fence();
  auto received = filled(cases_.size(), me_, 2);
  auto expected = received;
  for (std::size_t n = 0; n < cases_.size(); ++n) {
    const Case& c = cases_[n];
    EXPECT_EQ(MPI_Get_c(slot(received, n), c.origin_count, c.origin.get(), window.target(next_),
                        window.displacement(next_) + slot(n), c.target_count, c.target.get(), window),
              MPI_SUCCESS)
        << c.name();
  }
  window.fence(MPI_MODE_NOSUCCEED);
  auto there = filled(cases_.size(), next_, 1);
  for (std::size_t n = 0; n < cases_.size(); ++n)
    for (std::size_t i = 0; i < cases_[n].bytes(); ++i)
      slot(expected, n)[cases_[n].origin.offset(i)] = slot(there, n)[cases_[n].target.offset(i)];
  for (std::size_t n = 0; n < cases_.size(); ++n)
    EXPECT_TRUE(
        std::equal(slot(received, n) - kMiddle, slot(received, n) - kMiddle + kSlot, slot(expected, n) - kMiddle))
        << cases_[n].name();
}

TEST_P(DerivedTypes, AbsoluteAddressesFromMpiBottom) {
  const PartedWindow window{GetParam(), 64};
  std::array<int, 4> low{1 + me_, 2, 3, 4};
  std::array<double, 2> high{0.5 + me_, 8.25};
  const std::array<int, 2> lengths{2, 1};
  std::array<MPI_Aint, 2> addresses{};
  MPI_Get_address(&low[1], &addresses[0]);
  MPI_Get_address(&high[0], &addresses[1]);
  const std::array<MPI_Datatype, 2> members{MPI_INT, MPI_DOUBLE};
  MPI_Datatype absolute = MPI_DATATYPE_NULL;
  MPI_Type_create_struct(2, lengths.data(), addresses.data(), members.data(), &absolute);
  MPI_Type_commit(&absolute);
  window.fence();
  EXPECT_EQ(MPI_Put(MPI_BOTTOM, 1, absolute, window.target(next_), window.displacement(next_, 8), 16, MPI_BYTE, window),
            MPI_SUCCESS);
  window.fence();
  const auto part = window.read(me_, 64);
  window.fence();
  int number = 0;
  double fraction = 0;
  std::memcpy(&number, &part[8], sizeof number);
  std::memcpy(&fraction, &part[16], sizeof fraction);
  EXPECT_EQ(number, 2);
  EXPECT_EQ(fraction, 0.5 + previous_);
  low = {};
  high = {};
  EXPECT_EQ(MPI_Get(MPI_BOTTOM, 1, absolute, window.target(me_), window.displacement(me_, 8), 16, MPI_BYTE, window),
            MPI_SUCCESS);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(low, (std::array<int, 4>{0, 2, 3, 0}));
  EXPECT_EQ(high, (std::array<double, 2>{0.5 + previous_, 0}));
  MPI_Type_free(&absolute);
}

TEST_P(DerivedTypes, ATypeHandleThatComesBackIsTheNewType) {
  const PartedWindow window{GetParam(), 256, 1};
  window.fence();
  for (int round = 1; round <= 8; ++round) {
    MPI_Datatype type = MPI_DATATYPE_NULL;
    MPI_Type_vector(2, 1, round, MPI_INT, &type);
    MPI_Type_commit(&type);
    const std::array<int, 2> sent{round, -round};
    EXPECT_EQ(MPI_Put(sent.data(), 2, MPI_INT, window.target(next_), window.displacement(next_, 0), 1, type, window),
              MPI_SUCCESS);
    MPI_Type_free(&type);
    window.fence();
    const auto part = window.read(me_, 256);
    window.fence();
    int second = 0;
    std::memcpy(&second, &part[static_cast<std::size_t>(round) * sizeof(int)], sizeof second);
    EXPECT_EQ(second, -round) << "stride " << round;
  }
  window.fence(MPI_MODE_NOSUCCEED);
}

TEST_P(DerivedTypes, ATypeWithoutDataMovesNothing) {
  const PartedWindow window{GetParam(), 16};
  MPI_Datatype nothing = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(0, MPI_INT, &nothing);
  MPI_Type_commit(&nothing);
  int value = 7;
  window.fence();
  EXPECT_EQ(MPI_Put(&value, 3, nothing, window.target(me_), window.displacement(me_), 0, MPI_INT, window), MPI_SUCCESS);
  EXPECT_EQ(MPI_Get(&value, 5, nothing, window.target(me_), window.displacement(me_), 2, nothing, window), MPI_SUCCESS);
  window.fence();
  const auto part = window.read(me_, 16);
  window.fence(MPI_MODE_NOSUCCEED);
  EXPECT_EQ(part, std::vector<std::byte>(16));
  EXPECT_EQ(value, 7);
  MPI_Type_free(&nothing);
}

}  // namespace
}  // namespace psnam::test
