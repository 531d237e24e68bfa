// What tests of nam.h begin with: a store and a home folder of their own, and other processes.
#pragma once

#include <gtest/gtest.h>
#include <nam.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "support/child.hpp"
#include "support/nam_failure.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::test {

constexpr nam_allocation_t* kNoAllocation = nullptr;

class CapiTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ::setenv("PSNAM_STORE", (folder() / "store").c_str(), 1);
    ::setenv("HOME", folder().c_str(), 1);
    ::unsetenv("PSNAM_MANAGER");
  }
  void TearDown() override { EXPECT_EQ(nam_finalize(), 0) << nam_strerror(); }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] std::size_t memory_files() const {
    std::size_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator{folder() / "store" / "memory"})
      files += entry.is_regular_file() ? 1U : 0U;
    return files;
  }

 private:
  TemporaryFolder folder_;
};

/// A value from one process to another.
template <class Value>
class Pipe {
 public:
  Pipe() {
    if (::pipe(ends_) != 0) std::abort();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }
  void give(const Value& value) const {
    if (::write(ends_[1], &value, sizeof(value)) != static_cast<ssize_t>(sizeof(value))) std::abort();
  }
  [[nodiscard]] Value take() const {
    Value value;
    if (::read(ends_[0], &value, sizeof(value)) != static_cast<ssize_t>(sizeof(value))) std::abort();
    return value;
  }

 private:
  int ends_[2] = {-1, -1};
};

}  // namespace psnam::test
