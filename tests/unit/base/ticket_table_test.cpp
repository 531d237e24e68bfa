#include "base/ticket_table.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>

namespace psnam {
namespace {

using Table = TicketTable<int>;

TEST(TicketTable, ATicketLeadsToItsObject) {
  Table table;
  const auto one = table.insert(std::make_shared<int>(1));
  const auto two = table.insert(std::make_shared<int>(2));
  EXPECT_NE(one, two);
  EXPECT_EQ(*table.find(one), 1);
  EXPECT_EQ(*table.find(two), 2);
  EXPECT_EQ(table.all().size(), 2U);
}

TEST(TicketTable, NumbersThatAreNoTicketsLeadNowhere) {
  Table table;
  for (const std::uint64_t number : {0UL, 1UL, 0xffffffffUL, 0x100000000UL, 0x7ffd12345678UL, ~0UL})
    EXPECT_EQ(table.find(number), nullptr) << number;
  const auto ticket = table.insert(std::make_shared<int>(1));
  EXPECT_GT(ticket, 0xffffffffUL);
  for (const std::uint64_t number : {0UL, 1UL, ticket + 1, ticket + (1UL << 32), ~0UL}) {
    EXPECT_EQ(table.find(number), nullptr) << number;
    EXPECT_EQ(table.erase(number), nullptr) << number;
  }
  EXPECT_NE(table.find(ticket), nullptr);
}

TEST(TicketTable, ATicketIsGivenBackOnce) {
  Table table;
  const auto ticket = table.insert(std::make_shared<int>(7));
  EXPECT_EQ(*table.erase(ticket), 7);
  EXPECT_EQ(table.erase(ticket), nullptr);
  EXPECT_EQ(table.find(ticket), nullptr);
  const auto next = table.insert(std::make_shared<int>(8));
  EXPECT_NE(next, ticket);
  EXPECT_EQ(table.find(ticket), nullptr);
  EXPECT_EQ(*table.find(next), 8);
}

TEST(TicketTable, SlotsAreUsedAgain) {
  Table table;
  std::set<Table::Ticket> seen;
  for (int i = 0; i < 1000; ++i) {
    const auto ticket = table.insert(std::make_shared<int>(i));
    EXPECT_EQ(static_cast<std::uint32_t>(ticket), 0U);
    EXPECT_TRUE(seen.insert(ticket).second);
    EXPECT_EQ(*table.erase(ticket), i);
  }
}

TEST(TicketTable, AnObjectThatWasFoundOutlivesItsTicket) {
  Table table;
  const auto ticket = table.insert(std::make_shared<int>(5));
  const auto object = table.find(ticket);
  table.erase(ticket);
  EXPECT_EQ(*object, 5);
}

TEST(TicketTable, ThreadsDoNotMeetInOneSlot) {
  Table table;
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int thread = 0; thread < 3; ++thread)
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 2000; ++i) {
        const auto ticket = table.insert(std::make_shared<int>(thread * 10000 + i));
        const auto found = table.find(ticket);
        if (found == nullptr || *found != thread * 10000 + i || table.erase(ticket) != found) ++wrong;
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(), 0);
  EXPECT_TRUE(table.all().empty());
}

}  // namespace
}  // namespace psnam
