// namctl checkpoint on sets of libNAM, and on what is damaged beyond being a series. What jobs save with
// psnam_checkpoint.h is looked at in tests/jobs/checkpoint_view.py.
#include <fstream>

#include "checkpoint/area_memory.hpp"
#include "namctl_fixture.hpp"
#include "parity/encode.hpp"

namespace psnam::checkpoint {
namespace {

using psnam::test::Json;

class NamctlCheckpoints : public psnam::test::Namctl {
 protected:
  /// A set of 3 members with two versions, as a job leaves it.
  std::uint64_t make_set(const std::string& name) {
    const auto made = AreaMemory::allocate(
        {&store(), [](nam::Service*) {}},
        {.members = 3, .parities = 2, .capacity_bytes = 100'000, .id = {5}, .name = name}, "libnam-set.x.100000.3.0-2");
    if (!made) {
      ADD_FAILURE() << made.error().message;
      return 0;
    }
    std::vector<std::byte> one(100'000, std::byte{3}), two(70'000, std::byte{4}), none;
    parity::Buffers buffers{{one, two, none}};
    for (const std::uint64_t version : {1U, 2U}) {
      const auto done = parity::encode_all((*made)->area(), version, buffers.sizes(), buffers);
      EXPECT_TRUE(done) << done.error().message;
    }
    EXPECT_TRUE((*made)->keep());
    return (*made)->record().id;
  }
};

TEST_F(NamctlCheckpoints, ASetOfLibnamIsListedShownVerifiedAndRemoved) {
  expect_has(must({"checkpoint", "list"}), "no checkpoints in ");
  const std::string id = std::to_string(make_set("mine"));
  expect_has(must({"checkpoint", "list"}), "mine  libnam");
  const Json listed = json_of(must({"checkpoint", "list", "--json"}));
  EXPECT_EQ(listed.at("checkpoints.0.kind"), "libnam");
  EXPECT_EQ(listed.at("checkpoints.0.ranks"), "3");
  EXPECT_EQ(listed.at("checkpoints.0.parities"), "2");
  EXPECT_EQ(listed.at("checkpoints.0.newest.number"), "2");
  EXPECT_EQ(listed.at("checkpoints.0.older.number"), "1");
  expect_has(must({"checkpoint", "show", "mine"}), "allocation   " + id + " in " + folder().string());
  const Json shown = json_of(must({"checkpoint", "show", id, "--json"}));
  EXPECT_EQ(shown.at("versions.0.member_bytes.1"), "70000");
  expect_has(must({"checkpoint", "verify", id}), "no damage");
  const auto refused = namctl({"checkpoint", "export", "mine", (folder() / "out").string()});
  EXPECT_EQ(refused.status, 1);
  expect_has(refused.err, "its data are in the job, and only their parity is here");
  EXPECT_EQ(must({"checkpoint", "rm", "mine"}), "mine removed\n");
  expect_has(must({"checkpoint", "list"}), "no checkpoints in ");
  expect_empty();
}

TEST_F(NamctlCheckpoints, DamagedParityOfASetIsNamed) {
  const std::uint64_t id = make_set("");
  const auto path = folder() / "memory" / nam::file_name(id);
  const format::ParityShape shape{3, 2, parity::kDefaultBlockBytes, 100'000};
  std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
  // Version 2 is in slot 1.
  file.seekp(static_cast<std::streamoff>(shape.slots_offset() + shape.slot_bytes() + shape.parity_offset() +
                                         shape.parity_bytes() + shape.block_bytes + 5));
  file.put('\x77');
  file.close();
  const auto found = namctl({"checkpoint", "verify", std::to_string(id), "--version", "2"});
  EXPECT_EQ(found.status, 1) << found.out;
  expect_has(found.out, "parity 1: block 1 not as it was written");
  must({"checkpoint", "verify", std::to_string(id), "--version", "1"});
  EXPECT_EQ(namctl({"checkpoint", "verify", std::to_string(id), "--version", "3"}).status, 1);
}

TEST_F(NamctlCheckpoints, WhatIsOnlyCalledACheckpointIsToldAndCanBeRemoved) {
  for (const char* const name :
       {"psnam-checkpoint:0:broken", "psnam-checkpoint-copy:0123456789abcdef0123456789abcdef:4:1"}) {
    const auto made = store().allocate({.size_bytes = 8192,
                                        .consistency = format::Consistency::persistent,
                                        .kind = format::AllocationKind::checkpoint,
                                        .name = name},
                                       {});
    ASSERT_TRUE(made) << made.error().message;
  }
  const std::string listed = must({"checkpoint", "list"});
  expect_has(listed, "broken: the page of a series of checkpoints: it begins with 0x00000000");
  expect_has(listed, "0123456789abcdef0123456789abcdef: the page of the series is not here");
  EXPECT_EQ(namctl({"checkpoint", "show", "broken"}).status, 1);
  EXPECT_EQ(namctl({"checkpoint", "verify", "broken"}).status, 1);
  must({"checkpoint", "rm", "broken"});
  must({"checkpoint", "rm", "0123456789abcdef0123456789abcdef"});
  expect_empty();
}

TEST_F(NamctlCheckpoints, WrongCommandLinesAreUsageErrors) {
  for (const std::vector<std::string>& wrong : {std::vector<std::string>{"checkpoint"},
                                                {"checkpoint", "show"},
                                                {"checkpoint", "export", "x"},
                                                {"checkpoint", "verify", "x", "--version", "y"},
                                                {"checkpoint", "keep", "x"}})
    EXPECT_EQ(namctl(wrong).status, 2) << wrong.back();
}

}  // namespace
}  // namespace psnam::checkpoint
