// Transfers of libNAM to memory that is not mapped: each has its own outcome.
#include "capi/remote_transfers.hpp"

#include <gtest/gtest.h>

#include <array>

namespace psnam::capi {
namespace {

/// Memory whose next flush ends as it was told.
class Told final : public backends::RemoteMemory {
 public:
  Status write(std::span<const backends::Piece>) override { return start(); }
  Status read(std::span<const backends::Piece>) override { return start(); }
  Status flush() override {
    ++flushes;
    if (!fails) return {};
    fails = false;
    return Error{Code::unreachable, "cut"};
  }
  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return 100; }

  bool fails = false;
  bool refuses = false;
  int flushes = 0;

 private:
  Status start() const { return refuses ? Status{Error{Code::access, "read only"}} : Status{}; }
};

class Transfers : public ::testing::Test {
 protected:
  std::array<std::byte, 8> buffer_{};
  const backends::Piece piece_{0, buffer_.data(), buffer_.size()};
  std::shared_ptr<Told> memory_ = std::make_shared<Told>();
  RemoteTransfers transfers_{memory_};
};

TEST_F(Transfers, OneFlushCompletesAllThatWereStarted) {
  const auto first = transfers_.start_put(piece_);
  const auto second = transfers_.start_get(piece_);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(transfers_.finish(*second));
  EXPECT_TRUE(transfers_.finish(*first));
  EXPECT_EQ(memory_->flushes, 1);
}

TEST_F(Transfers, AFailureIsThatOfEachThatWasUnderWay) {
  const auto first = transfers_.start_put(piece_);
  const auto second = transfers_.start_put(piece_);
  memory_->fails = true;
  EXPECT_EQ(transfers_.finish(*first).error().code, Code::unreachable);
  const auto third = transfers_.start_put(piece_);
  EXPECT_TRUE(transfers_.finish(*third));
  EXPECT_EQ(transfers_.finish(*second).error().code, Code::unreachable);
  EXPECT_TRUE(transfers_.finish(*second)) << "it was told once";
}

TEST_F(Transfers, WhatCouldNotBeStartedIsNotWaitedFor) {
  memory_->refuses = true;
  EXPECT_EQ(transfers_.start_put(piece_).error().code, Code::access);
  transfers_.finish_all();
  EXPECT_EQ(memory_->flushes, 0);
}

TEST_F(Transfers, AfterTheEndOfAllEachStillHasItsOutcome) {
  const auto one = transfers_.start_put(piece_);
  memory_->fails = true;
  transfers_.finish_all();
  EXPECT_EQ(transfers_.finish(*one).error().code, Code::unreachable);
}

}  // namespace
}  // namespace psnam::capi
