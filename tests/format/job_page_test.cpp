// Golden file of the control record of a job.
#include "format/job_page.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <string>

#include "unit/job/record_memory.hpp"

namespace psnam::format {
namespace {

TEST(JobFormat, TheRecordIsThatOfTheGoldenFile) {
  job::JobFacts facts{
      .name = "simulation", .ranks = 2, .abilities = kJobSaves, .started_unix_seconds = 1700000000, .id = {}};
  for (std::size_t i = 0; i < 16; ++i) facts.id.bytes[i] = static_cast<std::uint8_t>(0x20 + i);
  job::RecordMemory memory{facts};
  const job::Control& control = memory.control();
  ASSERT_TRUE(control.set_seat(1, {{7, 8, 9}}, 4711, kJobLeaves));
  control.seat(1).count.store(12);
  control.seat(1).announced.store(3);
  control.page().closing.store(3);
  control.page().target.store(JobTarget{3, 13}.encode());
  ASSERT_TRUE(control.publish({.sequence = 2, .failed = true, .version = 5, .safe_point = 9, .text = "why"}));
  const JobControl word{
      .asked = true, .state = JobState::pending, .request = JobRequest::migrate, .options = kJobTerm, .sequence = 3};
  ASSERT_TRUE(control.say(word));
  std::string written(reinterpret_cast<const char*>(&control.page()), job_page_bytes(2));
  // The mutex is as the C library has it.
  std::fill_n(written.begin() + offsetof(JobPage, mutex), sizeof(JobPage::mutex), '\0');
  const std::string path = std::string{PSNAM_GOLDEN_FOLDER} + "/job-page.v" + std::to_string(kJobVersion) + ".bin";
  if (std::getenv("PSNAM_WRITE_GOLDEN") != nullptr) std::ofstream{path, std::ios::binary} << written;
  std::ifstream file{path, std::ios::binary};
  ASSERT_TRUE(file) << path;
  const std::string golden{std::istreambuf_iterator<char>{file}, {}};
  EXPECT_TRUE(written == golden);
  EXPECT_EQ(JobControl::decode(word.encode()), word);
  EXPECT_EQ(*control.facts(), facts);
}

TEST(JobFormat, WordsThatNobodyKnowsAreNothingToDo) {
  const JobControl unknown = JobControl::decode(0xffff'ffff);
  EXPECT_EQ(unknown.state, JobState::ended);
  EXPECT_EQ(unknown.request, JobRequest::nothing);
  const JobTarget target{0xfffe, (std::uint64_t{1} << 48) - 1};
  EXPECT_EQ(JobTarget::decode(target.encode()).tag, target.tag);
  EXPECT_EQ(JobTarget::decode(target.encode()).number, target.number);
}

TEST(JobFormat, MemoryThatIsNoRecordIsRefused) {
  const auto over = [](auto change) {
    job::RecordMemory memory{{.name = "work", .ranks = 3}};
    change(memory.control().page());
    const Fd file{::memfd_create("job", MFD_CLOEXEC)};
    const std::uint64_t bytes = job_page_bytes(3);
    EXPECT_EQ(::write(file.get(), &memory.control().page(), bytes), static_cast<ssize_t>(bytes));
    auto mapping = Mapping::map(file.get(), bytes, Protection::read_write, "a record");
    const auto control = job::Control::over({.mapping = std::move(*mapping), .remote = nullptr});
    return control ? std::string{} : control.error().message;
  };
  EXPECT_EQ(over([](JobPage&) {}), "");
  EXPECT_NE(over([](JobPage& page) { page.magic = 1; }), "");
  EXPECT_NE(over([](JobPage& page) { page.version = 2; }).find("of format version 2, this library knows 1"),
            std::string::npos);
  EXPECT_NE(over([](JobPage& page) { page.ranks = 1000; }).find("1000 ranks in"), std::string::npos);
  EXPECT_NE(over([](JobPage& page) { page.ranks = 0; }), "");
}

}  // namespace
}  // namespace psnam::format
