// A million random operations of the allocator, some crashing half-way, against a map of bytes.
#include <iostream>

#include "support/extent_model.hpp"

namespace psnam::test {
namespace {

class MapTables {
 public:
  void begin() { table_.begin(); }
  ExtentTable& table() { return table_; }
  void commit() {}
  void abort() { table_.abort(); }
  [[nodiscard]] const MapTable& map() const { return table_; }

 private:
  MapTable table_;
};

TEST(ExtentProperties, AMillionOperationsWithCrashesNeverOverlapAndLoseNoByte) {
  constexpr unsigned kSeeds = 10;
  constexpr int kSteps = 100000;
  for (unsigned seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    MapTables tables;
    ExtentModel model{tables, seed};
    for (int step = 0; step < kSteps && !HasFailure(); ++step) {
      model.step();
      if (step % 500 == 0) model.expect_equal();
    }
    model.expect_equal();
    // Each kind of thing has happened, often.
    EXPECT_GT(model.cuts(), 10000U);
    EXPECT_GT(model.refusals(), 1000U);
    EXPECT_GT(model.crashes(), 500U);
    EXPECT_LE(model.most_calls(), 7);
    model.release_all();
    EXPECT_EQ(tables.map().rows(), 0U) << "all is free, and nothing is left";
    EXPECT_EQ(tables.map().free_rows(), 0U);
    std::cout << "seed " << seed << ": " << model.cuts() << " cuts, " << model.refusals() << " refusals, "
              << model.crashes() << " crashes\n";
  }
}

}  // namespace
}  // namespace psnam::test
