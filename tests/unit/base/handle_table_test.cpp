#include "base/handle_table.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>

namespace psnam {
namespace {

constexpr int kFirst = static_cast<int>(0xA0000000);  // as MPICH numbers windows

TEST(HandleTable, IsEmptyAtFirst) {
  HandleTable<int> table;
  EXPECT_EQ(table.find(kFirst), nullptr);
  EXPECT_EQ(table.find(1), nullptr);
  EXPECT_EQ(table.erase(kFirst), nullptr);
  table.for_each([](int, int*) { FAIL() << "an entry in an empty table"; });
}

TEST(HandleTable, FindsWhatWasInsertedAndNothingElse) {
  HandleTable<int> table;
  int value = 0;
  table.insert(kFirst, &value);
  EXPECT_EQ(table.find(kFirst), &value);
  EXPECT_EQ(table.find(kFirst + 1), nullptr);
  EXPECT_EQ(table.erase(kFirst), &value);
  EXPECT_EQ(table.find(kFirst), nullptr);
  EXPECT_EQ(table.erase(kFirst), nullptr);
}

TEST(HandleTable, AHandleThatComesBackLeadsToItsNewValue) {
  HandleTable<int> table;
  std::array<int, 1000> values{};
  for (int& value : values) {
    table.insert(kFirst, &value);
    EXPECT_EQ(table.find(kFirst), &value);
    EXPECT_EQ(table.erase(kFirst), &value);
  }
}

TEST(HandleTable, AnInsertReplaces) {
  HandleTable<int> table;
  int first = 0;
  int second = 0;
  table.insert(kFirst, &first);
  table.insert(kFirst, &second);
  EXPECT_EQ(table.find(kFirst), &second);
}

TEST(HandleTable, AgreesWithAMapThroughARandomHistory) {
  HandleTable<int> table;
  std::map<int, int*> model;
  std::vector<int> values(5000);
  std::mt19937 random{4711};
  for (std::size_t step = 0; step < values.size(); ++step) {
    // Handles that collide: small ones, ones with a prefix, and ones 64 apart.
    const int handle =
        (random() % 2 != 0 ? kFirst : 1) + static_cast<int>(random() % 300) * (random() % 2 != 0 ? 1 : 64);
    if (random() % 3 != 0) {
      table.insert(handle, &values[step]);
      model[handle] = &values[step];
    } else {
      const auto found = model.find(handle);
      EXPECT_EQ(table.erase(handle), found == model.end() ? nullptr : found->second);
      if (found != model.end()) model.erase(found);
    }
    const int other = kFirst + static_cast<int>(random() % 300);
    const auto found = model.find(other);
    ASSERT_EQ(table.find(other), found == model.end() ? nullptr : found->second) << "step " << step;
  }
  std::map<int, int*> seen;
  table.for_each([&](int handle, int* value) { seen[handle] = value; });
  EXPECT_EQ(seen, model);
}

TEST(HandleTable, ReadersFindLastingEntriesWhileOthersComeAndGo) {
  constexpr int kLasting = 50;
  HandleTable<int> table;
  std::vector<int> lasting(kLasting);
  for (int i = 0; i < kLasting; ++i) table.insert(kFirst + i, &lasting[static_cast<std::size_t>(i)]);
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r)
    readers.emplace_back([&] {
      do {
        for (int i = 0; i < kLasting; ++i)
          if (table.find(kFirst + i) != &lasting[static_cast<std::size_t>(i)]) ++wrong;
        if (table.find(7) != nullptr) ++wrong;
      } while (!stop.load());
    });
  std::vector<std::thread> writers;
  std::vector<int> passing(2);
  for (int w = 0; w < 2; ++w)
    writers.emplace_back([&, w] {
      // Enough handles for the table to grow several times.
      for (int i = 0; i < 3000; ++i) {
        const int handle = kFirst + 1000 + w * 100000 + i;
        table.insert(handle, &passing[static_cast<std::size_t>(w)]);
        if (table.find(handle) != &passing[static_cast<std::size_t>(w)]) ++wrong;
        if (i % 2 == 0 && table.erase(handle) != &passing[static_cast<std::size_t>(w)]) ++wrong;
      }
    });
  for (std::thread& writer : writers) writer.join();
  stop = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  int entries = 0;
  table.for_each([&](int, int*) { ++entries; });
  EXPECT_EQ(entries, kLasting + 2 * 1500);
}

}  // namespace
}  // namespace psnam
