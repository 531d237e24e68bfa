// A control record in memory that is shared as that of a store is.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <optional>

#include "job/control.hpp"

namespace psnam::job {

class RecordMemory {
 public:
  explicit RecordMemory(const JobFacts& facts) {
    const Fd file{::memfd_create("job", MFD_CLOEXEC)};
    const std::uint64_t bytes = format::job_page_bytes(facts.ranks);
    EXPECT_EQ(::ftruncate(file.get(), static_cast<off_t>(bytes)), 0);
    auto mapping = Mapping::map(file.get(), bytes, Protection::read_write, "a record");
    EXPECT_TRUE(mapping);
    prepare(mapping->data(), facts);
    auto control = Control::over({.mapping = std::move(*mapping), .remote = nullptr});
    EXPECT_TRUE(control);
    control_.emplace(std::move(*control));
  }
  [[nodiscard]] const Control& control() const { return *control_; }

 private:
  std::optional<Control> control_;
};

}  // namespace psnam::job
