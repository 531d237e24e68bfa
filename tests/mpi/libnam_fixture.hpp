// What programs over libNAM begin with: a home folder of the test, for the records of sets, and the library's end.
#pragma once

#include <gtest/gtest.h>
#include <nam_ext.h>
#include <stdlib.h>

#include <filesystem>

#include "mpi/mpi_test.hpp"

namespace psnam::test {

class LibnamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* const store = ::getenv("PSNAM_STORE");
    ASSERT_NE(store, nullptr);
    home_ = std::filesystem::path{store}.parent_path() / "home";
    std::filesystem::create_directories(home_);
    ::setenv("HOME", home_.c_str(), 1);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  void TearDown() override {
    MPI_Barrier(MPI_COMM_WORLD);
    EXPECT_EQ(nam_finalize(), 0) << nam_strerror();
  }
  [[nodiscard]] const std::filesystem::path& home() const { return home_; }

  const int rank_ = world_rank();
  const int ranks_ = world_size();

 private:
  std::filesystem::path home_;
};

}  // namespace psnam::test
