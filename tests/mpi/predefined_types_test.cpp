// Every predefined datatype, those of Fortran and the pairs with gaps included.
#include "modelled_type.hpp"
#include "window.hpp"

namespace psnam::test {
namespace {

struct Named {
  const char* name;
  MPI_Datatype type;
};

#define PSNAM_NAMED(type) \
  Named { #type, type }
const std::vector<Named> kWithoutGaps{PSNAM_NAMED(MPI_CHAR),
                                      PSNAM_NAMED(MPI_SIGNED_CHAR),
                                      PSNAM_NAMED(MPI_UNSIGNED_CHAR),
                                      PSNAM_NAMED(MPI_BYTE),
                                      PSNAM_NAMED(MPI_WCHAR),
                                      PSNAM_NAMED(MPI_SHORT),
                                      PSNAM_NAMED(MPI_UNSIGNED_SHORT),
                                      PSNAM_NAMED(MPI_INT),
                                      PSNAM_NAMED(MPI_UNSIGNED),
                                      PSNAM_NAMED(MPI_LONG),
                                      PSNAM_NAMED(MPI_UNSIGNED_LONG),
                                      PSNAM_NAMED(MPI_FLOAT),
                                      PSNAM_NAMED(MPI_DOUBLE),
                                      PSNAM_NAMED(MPI_LONG_DOUBLE),
                                      PSNAM_NAMED(MPI_LONG_LONG),
                                      PSNAM_NAMED(MPI_UNSIGNED_LONG_LONG),
                                      PSNAM_NAMED(MPI_PACKED),
                                      PSNAM_NAMED(MPI_2INT),
                                      PSNAM_NAMED(MPI_INT8_T),
                                      PSNAM_NAMED(MPI_INT16_T),
                                      PSNAM_NAMED(MPI_INT32_T),
                                      PSNAM_NAMED(MPI_INT64_T),
                                      PSNAM_NAMED(MPI_UINT8_T),
                                      PSNAM_NAMED(MPI_UINT16_T),
                                      PSNAM_NAMED(MPI_UINT32_T),
                                      PSNAM_NAMED(MPI_UINT64_T),
                                      PSNAM_NAMED(MPI_C_BOOL),
                                      PSNAM_NAMED(MPI_C_COMPLEX),
                                      PSNAM_NAMED(MPI_C_DOUBLE_COMPLEX),
                                      PSNAM_NAMED(MPI_C_LONG_DOUBLE_COMPLEX),
                                      PSNAM_NAMED(MPI_AINT),
                                      PSNAM_NAMED(MPI_OFFSET),
                                      PSNAM_NAMED(MPI_COUNT),
                                      PSNAM_NAMED(MPI_FLOAT_INT),
                                      PSNAM_NAMED(MPI_COMPLEX),
                                      PSNAM_NAMED(MPI_DOUBLE_COMPLEX),
                                      PSNAM_NAMED(MPI_LOGICAL),
                                      PSNAM_NAMED(MPI_REAL),
                                      PSNAM_NAMED(MPI_DOUBLE_PRECISION),
                                      PSNAM_NAMED(MPI_INTEGER),
                                      PSNAM_NAMED(MPI_2INTEGER),
                                      PSNAM_NAMED(MPI_2REAL),
                                      PSNAM_NAMED(MPI_2DOUBLE_PRECISION),
                                      PSNAM_NAMED(MPI_CHARACTER),
                                      PSNAM_NAMED(MPI_REAL4),
                                      PSNAM_NAMED(MPI_REAL8),
                                      PSNAM_NAMED(MPI_REAL16),
                                      PSNAM_NAMED(MPI_COMPLEX8),
                                      PSNAM_NAMED(MPI_COMPLEX16),
                                      PSNAM_NAMED(MPI_COMPLEX32),
                                      PSNAM_NAMED(MPI_INTEGER1),
                                      PSNAM_NAMED(MPI_INTEGER2),
                                      PSNAM_NAMED(MPI_INTEGER4),
                                      PSNAM_NAMED(MPI_INTEGER8),
                                      PSNAM_NAMED(MPI_INTEGER16),
                                      PSNAM_NAMED(MPI_CXX_BOOL),
                                      PSNAM_NAMED(MPI_CXX_FLOAT_COMPLEX),
                                      PSNAM_NAMED(MPI_CXX_DOUBLE_COMPLEX),
                                      PSNAM_NAMED(MPI_CXX_LONG_DOUBLE_COMPLEX)};

struct DoubleInt {
  double value;
  int index;
};
struct LongInt {
  long value;
  int index;
};
struct ShortInt {
  short value;
  int index;
};
struct LongDoubleInt {
  long double value;
  int index;
};

template <class Pair, class Value>
ModelledType pair_of(const char* name, MPI_Datatype type) {
  ModelledType::Offsets offsets;
  for (std::size_t i = 0; i < sizeof(Value); ++i) offsets.push_back(static_cast<std::ptrdiff_t>(i));
  for (std::size_t i = 0; i < sizeof(int); ++i)
    offsets.push_back(static_cast<std::ptrdiff_t>(offsetof(Pair, index) + i));
  return {name, type, std::move(offsets), true};
}

std::vector<ModelledType> all_predefined() {
  std::vector<ModelledType> types;
  for (const Named& named : kWithoutGaps)
    if (named.type != MPI_DATATYPE_NULL) types.push_back(predefined(named.name, named.type));
  types.push_back(pair_of<DoubleInt, double>("MPI_DOUBLE_INT", MPI_DOUBLE_INT));
  types.push_back(pair_of<LongInt, long>("MPI_LONG_INT", MPI_LONG_INT));
  types.push_back(pair_of<ShortInt, short>("MPI_SHORT_INT", MPI_SHORT_INT));
  types.push_back(pair_of<LongDoubleInt, long double>("MPI_LONG_DOUBLE_INT", MPI_LONG_DOUBLE_INT));
  return types;
}

constexpr int kElements = 3;
constexpr std::size_t kSlot = 128;

std::vector<std::byte> filled(std::size_t slots, int writer) {
  std::vector<std::byte> bytes(slots * kSlot);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = pattern(writer, 0, i);
  return bytes;
}

class PredefinedTypes : public testing::TestWithParam<Kind> {
 protected:
  std::vector<ModelledType> types_ = all_predefined();
  std::size_t bytes_ = types_.size() * kSlot;
};

INSTANTIATE_TEST_SUITE_P(Kinds, PredefinedTypes, testing::Values(kKinds[3], kKinds[1], kKinds[8]), kind_name);

TEST_P(PredefinedTypes, EachMovesItsBytesAndLeavesItsGaps) {
  const PartedWindow window{GetParam(), bytes_};
  const int me = world_rank();
  const int next = (me + 1) % world_size();
  const int previous = (me + world_size() - 1) % world_size();
  const auto sent = filled(types_.size(), me);
  window.fence();
  for (std::size_t n = 0; n < types_.size(); ++n)
    EXPECT_EQ(MPI_Put(&sent[n * kSlot], kElements, types_[n].get(), window.target(next),
                      window.displacement(next, n * kSlot), kElements, types_[n].get(), window),
              MPI_SUCCESS)
        << types_[n].name();
  window.fence();
  const auto from = filled(types_.size(), previous);
  const auto part = window.read(me, bytes_);
  std::vector<std::byte> received(bytes_);
  for (std::size_t n = 0; n < types_.size(); ++n)
    EXPECT_EQ(MPI_Get(&received[n * kSlot], kElements, types_[n].get(), window.target(me),
                      window.displacement(me, n * kSlot), kElements, types_[n].get(), window),
              MPI_SUCCESS)
        << types_[n].name();
  window.fence(MPI_MODE_NOSUCCEED);
  for (std::size_t n = 0; n < types_.size(); ++n) {
    std::vector<std::byte> expected(kSlot);
    for (std::size_t i = 0; i < kElements * types_[n].bytes(); ++i) {
      const auto offset = static_cast<std::size_t>(types_[n].offset(i));
      expected[offset] = from[n * kSlot + offset];
    }
    const auto begin = static_cast<std::ptrdiff_t>(n * kSlot);
    const auto end = begin + static_cast<std::ptrdiff_t>(kSlot);
    EXPECT_EQ(std::vector<std::byte>(part.begin() + begin, part.begin() + end), expected)
        << "put of " << types_[n].name();
    EXPECT_EQ(std::vector<std::byte>(received.begin() + begin, received.begin() + end), expected)
        << "get of " << types_[n].name();
  }
}

TEST_P(PredefinedTypes, AnElementThatLeavesTheRegionByOneByteIsARangeError) {
  const PartedWindow window{GetParam(), bytes_};
  window.fence();
  std::array<std::byte, kSlot> buffer{};
  const int last = world_size() - 1;
  for (const ModelledType& type : types_) {
    const auto end = static_cast<std::size_t>(type.offset(type.bytes() - 1)) + 1;
    EXPECT_EQ(MPI_Get(buffer.data(), 1, type.get(), window.target(last), window.displacement(last, bytes_ - end), 1,
                      type.get(), window),
              MPI_SUCCESS)
        << type.name();
    EXPECT_EQ(error_class(MPI_Get(buffer.data(), 1, type.get(), window.target(last),
                                  window.displacement(last, bytes_ - end + 1), 1, type.get(), window)),
              MPI_ERR_RMA_RANGE)
        << type.name();
  }
  window.fence(MPI_MODE_NOSUCCEED);
}

}  // namespace
}  // namespace psnam::test
