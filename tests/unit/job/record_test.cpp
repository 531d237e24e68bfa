// Control records in a store: whose they are, who may ask, and who takes them over.
#include "job/record.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "job/requests.hpp"
#include "support/store_fixture.hpp"

namespace psnam::job {
namespace {

using format::JobRequest;
using format::JobState;
using nam::AccessRight;

class RecordOfAJob : public test::StoreTest {
 protected:
  ServicePointer service() {
    return ServicePointer{&store(), [](nam::Service*) {}};
  }
  std::unique_ptr<Record> create(std::uint32_t mode = 0600) {
    auto made = Record::create(service(), {.name = "work", .ranks = 3, .abilities = format::kJobSaves}, mode, before_);
    if (!made) {
      ADD_FAILURE() << made.error().message;
      return nullptr;
    }
    EXPECT_TRUE((*made)->keep());
    return std::move(*made);
  }
  /// The store as another user sees it.
  std::unique_ptr<nam::Store> stranger() { return store().as({.uid = ::geteuid() + 1, .gids = {}}); }

  std::vector<Departure> before_;
};

TEST_F(RecordOfAJob, IsFoundAsLongAsTheJobHasIt) {
  auto record = create();
  ASSERT_NE(record, nullptr);
  auto second = Record::connect(service(), record->ticket(), 1);
  ASSERT_TRUE(second) << second.error().message;
  const auto found = find_record(store(), "work", AccessRight::read_write);
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->job, "work");
  EXPECT_EQ(found->living, 1U) << "this process";
  EXPECT_TRUE(found->control.mapped());
  const auto all = find_records(store());
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->size(), 1U);
  EXPECT_EQ(*record->living(), 1U) << "who looks is none of the job";
  EXPECT_TRUE(record->remove());
  EXPECT_FALSE(find_record(store(), "work", AccessRight::read_only));
  record.reset();
  second->reset();
  expect_empty();
}

TEST_F(RecordOfAJob, OthersMayAskOnlyWhereTheModeLetsThem) {
  for (const auto& [mode, may_look, may_ask] :
       {std::tuple{0600U, false, false}, std::tuple{0644U, true, false}, std::tuple{0666U, true, true}}) {
    auto record = create(mode);
    ASSERT_NE(record, nullptr);
    const auto other = stranger();
    const auto all = find_records(*other);
    ASSERT_TRUE(all) << all.error().message;
    EXPECT_EQ(!all->empty(), may_look) << mode;
    EXPECT_EQ(find_record(*other, "work", AccessRight::read_only).ok(), may_look) << mode;
    const auto asked = find_record(*other, "work", AccessRight::read_write);
    EXPECT_EQ(asked.ok(), may_ask) << mode;
    if (!may_ask) {
      ASSERT_FALSE(asked);
      EXPECT_EQ(asked.error().code, Code::access) << asked.error().message;
    }
    EXPECT_TRUE(record->remove());
  }
}

TEST_F(RecordOfAJob, OneThatMayNotBeReadHidesNoOther) {
  auto record = create();
  ASSERT_NE(record, nullptr);
  const std::shared_ptr<nam::Store> other = stranger();
  auto hidden = Record::create(other, {.name = "hidden", .ranks = 1}, 0600, before_);
  ASSERT_TRUE(hidden) << hidden.error().message;
  ASSERT_TRUE((*hidden)->keep());
  // Whose the store is is told of all records, and may look into his own.
  const auto all = find_records(store());
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->size(), ::geteuid() == 0 ? 2U : 1U);
  EXPECT_EQ(all->back().job, "work");
  EXPECT_TRUE((*hidden)->remove());
  EXPECT_TRUE(record->remove());
}

TEST_F(RecordOfAJob, ASecondJobOfTheNameIsRefused) {
  const auto record = create();
  ASSERT_NE(record, nullptr);
  const auto second = Record::create(service(), {.name = "work", .ranks = 1}, 0600, before_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_TRUE(record->remove());
}

TEST_F(RecordOfAJob, WhatAMigrationLeftIsReadByTheNextJobAndByNoOther) {
  struct Case {
    JobRequest request;
    JobState state;
    bool counts;
  };
  for (const Case& one :
       {Case{JobRequest::migrate, JobState::ended, true}, Case{JobRequest::migrate, JobState::pending, false},
        Case{JobRequest::checkpoint, JobState::terminating, false}}) {
    auto record = create();
    ASSERT_NE(record, nullptr);
    ASSERT_TRUE(record->control().set_seat(1, {{5}}, 1, format::kJobLeaves));
    ASSERT_TRUE(record->control().say({.asked = true, .state = one.state, .request = one.request}));
    record.reset();  // as it is left: nobody uses it
    record = create();
    ASSERT_NE(record, nullptr);
    ASSERT_EQ(before_.size(), one.counts ? 3U : 0U);
    if (one.counts) {
      EXPECT_EQ(before_[0].leaves, 0U);
      EXPECT_EQ(before_[1].leaves, 1U);
      EXPECT_EQ(before_[1].node, (format::Uuid{{5}}));
    }
    EXPECT_EQ(record->control().word()->state, JobState::none) << "it is a new one";
    EXPECT_TRUE(record->remove());
    record.reset();
    expect_empty();
  }
}

}  // namespace
}  // namespace psnam::job
