// namctl and the allocations that stand free of windows: made, shown with their segments, given back.
#include <sys/stat.h>

#include <ctime>

#include "namctl_fixture.hpp"

namespace psnam::nam {
namespace {

using test::Json;
using test::me;

constexpr std::uint64_t kBytes = 1 << 20;

class NamctlAllocations : public test::Namctl {
 protected:
  /// The id of an allocation that namctl made.
  std::uint64_t alloc(std::vector<std::string> arguments = {}) {
    arguments.insert(arguments.begin(), {"alloc", std::to_string(kBytes)});
    return std::stoull(must(std::move(arguments)));
  }
  /// A window whose regions are segments of `parent`, as large as `sizes` says.
  WindowUse make_in(std::uint64_t parent, const std::string& name, const std::vector<std::uint64_t>& sizes) {
    const std::vector<AllocationSource> sources(
        sizes.size(), {.kind = AllocationSource::Kind::segment, .id = parent, .offset_bytes = {}});
    return created(test::draft_of(name, sizes), sources);
  }
  WindowUse make_over(std::uint64_t allocation, const std::string& name, std::uint64_t size) {
    const std::vector<AllocationSource> sources{
        {.kind = AllocationSource::Kind::existing, .id = allocation, .offset_bytes = {}}};
    return created(test::draft_of(name, {size}), sources);
  }
  void keep(const WindowUse& use) {
    auto kept = store().set_consistency(use.window.id, format::Consistency::persistent, false);
    ASSERT_TRUE(kept) << kept.error().message;
    ASSERT_TRUE(store().close(use.use_id));
  }
  /// One called "old" that expired long ago.
  std::uint64_t make_expired(std::uint64_t bytes) {
    auto made = store().allocate({.size_bytes = bytes,
                                  .consistency = format::Consistency::persistent,
                                  .uid = {},
                                  .name = "old",
                                  .expires_unix_seconds = 1700000000},
                                 {});
    if (!made) {
      ADD_FAILURE() << made.error().message;
      return 0;
    }
    return made->allocation.id;
  }
  struct ::stat file_of(std::uint64_t id) {
    struct ::stat status {};
    EXPECT_EQ(::stat((folder() / "memory" / file_name(id)).c_str(), &status), 0) << id;
    return status;
  }
  std::vector<format::AllocationRecord> kept() {
    std::vector<format::AllocationRecord> records;
    auto reports = store().allocations();
    EXPECT_TRUE(reports);
    if (reports)
      for (auto& report : *reports) records.push_back(std::move(report.allocation));
    return records;
  }

 private:
  WindowUse created(format::WindowRecord draft, const std::vector<AllocationSource>& sources) {
    auto use = store().create(std::move(draft), sources, me());
    if (!use) {
      ADD_FAILURE() << use.error().message;
      return {};
    }
    return std::move(*use);
  }
};

TEST_F(NamctlAllocations, AllocPrintsTheIdAndNothingElse) {
  const auto result = namctl({"alloc", "1M", "--name", "grant"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  const auto found = store().find_allocation("grant");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(result.out, std::to_string(found->id) + "\n");
  EXPECT_EQ(found->size_bytes, kBytes);
  EXPECT_EQ(found->consistency, format::Consistency::persistent);
  EXPECT_EQ(found->reserve, format::Reserve::full);
  EXPECT_EQ(found->expires_unix_seconds, 0U);
  EXPECT_EQ(found->mode, 0600U);
  const auto file = file_of(found->id);
  EXPECT_EQ(static_cast<std::uint64_t>(file.st_size), kBytes);
  EXPECT_GE(static_cast<std::uint64_t>(file.st_blocks) * 512, kBytes) << "its memory is taken";
  expect_clean();
}

TEST_F(NamctlAllocations, AllocForTheShellSetsTheVariableOfTheJob) {
  const auto line = must({"alloc", "4K", "--export"});
  const auto records = kept();
  ASSERT_EQ(records.size(), 1U);
  EXPECT_EQ(line, "export SLURM_NAM_ALLOC_ID=" + std::to_string(records[0].id) + "\n");
  EXPECT_EQ(namctl({"alloc", "4K", "--export", "--json"}).status, 2);
  EXPECT_EQ(kept().size(), 1U);
}

TEST_F(NamctlAllocations, AllocAsJsonTellsWhatWasMade) {
  const Json json = json_of(must({"alloc", "1M", "--name", "grant", "--mode", "640", "--lazy", "--json"}));
  const auto found = store().find_allocation("grant");
  ASSERT_TRUE(found);
  EXPECT_EQ(json.at("store"), folder().string());
  EXPECT_EQ(json.at("id"), std::to_string(found->id));
  EXPECT_EQ(json.at("name"), "grant");
  EXPECT_EQ(json.at("bytes"), "1048576");
  EXPECT_EQ(json.at("mode"), "0640");
  EXPECT_EQ(json.at("reserve"), "lazy");
  EXPECT_EQ(json.at("expires_unix_seconds"), "null");
  EXPECT_EQ(json.at("challenge"), "?") << "who may not read the catalog learns nothing from the output";
}

TEST_F(NamctlAllocations, ALazyAllocationTakesItsMemoryLater) {
  EXPECT_LT(static_cast<std::uint64_t>(file_of(alloc({"--lazy"})).st_blocks) * 512, kBytes);
}

TEST_F(NamctlAllocations, AllocMakesTheStoreWhereThereIsNone) {
  const test::TemporaryFolder parent;
  const std::string store = parent.path() / "new";
  const auto id = must({"alloc", "4K", "--store", store});
  EXPECT_EQ(json_of(must({"list", "--json", "--store", store})).at("allocations.0.id") + "\n", id);
}

TEST_F(NamctlAllocations, AnExpiryIsATimeFromNowOrSecondsOfTheClock) {
  const std::vector<std::pair<std::string, std::uint64_t>> durations{
      {"90", 90}, {"90s", 90}, {"5m", 300}, {"2h", 7200}, {"3d", 259200}};
  for (const auto& [text, seconds] : durations) {
    const auto before = static_cast<std::uint64_t>(std::time(nullptr));
    const auto found = store().find_allocation(alloc({"--expire", text}));
    const auto after = static_cast<std::uint64_t>(std::time(nullptr));
    ASSERT_TRUE(found);
    EXPECT_GE(found->expires_unix_seconds, before + seconds) << text;
    EXPECT_LE(found->expires_unix_seconds, after + seconds) << text;
  }
  const auto at = store().find_allocation(alloc({"--expire", "@4102444800"}));
  ASSERT_TRUE(at);
  EXPECT_EQ(at->expires_unix_seconds, 4102444800U);
}

TEST_F(NamctlAllocations, WhatCannotBeUnderstoodIsNamedAndMakesNothing) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases{
      {{"12X"}, "size = \"12X\" is not a number of bytes"},
      {{"-1"}, "-1"},
      {{"0"}, "at least 1 byte"},
      {{"1K", "--expire", "soon"}, "--expire soon is not a time"},
      {{"1K", "--expire", "1w"}, "--expire 1w is not a time"},
      {{"1K", "--expire", "s"}, "--expire s is not a time"},
      {{"1K", "--expire", "99999999999d"}, "--expire 99999999999d is not a time"},
      {{"1K", "--expire", "@"}, "--expire @ is not a time"},
      {{"1K", "--expire", "@99999999999999999999"}, "is not a time"},
      {{"1K", "--expire", "0"}, "--expire 0 is not in the future"},
      {{"1K", "--expire", "@1700000000"}, "--expire @1700000000 is not in the future"},
      {{"1K", "--mode", "1777"}, "--mode 1777 is not a mode"},
      {{"1K", "--mode", "rw"}, "--mode rw is not a mode"},
      {{"1K", "--name", "17"}, "would be taken for an id"},
      {{"1K", "--name", "a b"}, "a b"}};
  for (const auto& [arguments, part] : cases) {
    auto command = arguments;
    command.insert(command.begin(), "alloc");
    const auto result = namctl(command);
    EXPECT_NE(result.status, 0) << arguments.back();
    EXPECT_EQ(result.out, "") << arguments.back();
    expect_has(result.err, part);
  }
  EXPECT_EQ(namctl({"alloc"}).status, 2);
  EXPECT_EQ(kept().size(), 0U);
  expect_clean();
}

TEST_F(NamctlAllocations, WhatDoesNotFitAndANameThatIsTakenAreRefused) {
  alloc({"--name", "grant"});
  const auto again = namctl({"alloc", "4K", "--name", "grant"});
  EXPECT_EQ(again.status, 1);
  expect_has(again.err, "grant");
  const auto much = namctl({"alloc", std::to_string(test::kCapacity)});
  EXPECT_EQ(much.status, 1);
  EXPECT_EQ(much.out, "");
  EXPECT_EQ(kept().size(), 1U);
  expect_clean();
}

TEST_F(NamctlAllocations, FreeTakesIdsAndNames) {
  const auto first = std::to_string(alloc());
  alloc({"--name", "grant"});
  const auto third = alloc({"--name", "other"});
  EXPECT_EQ(must({"free", first, "grant"}), first + " freed\ngrant freed\n");
  const auto left = kept();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].id, third);
  const Json json = json_of(must({"free", "other", "--json"}));
  EXPECT_EQ(json.at("freed.0.id"), std::to_string(third));
  EXPECT_EQ(json.at("freed.0.given"), "other");
  EXPECT_EQ(json.at("freed.0.gone"), "true");
  EXPECT_EQ(json.at("errors"), "0");
  expect_empty();
}

TEST_F(NamctlAllocations, FreeOfWhatIsNotThereFailsAndTakesTheOthers) {
  alloc({"--name", "grant"});
  const auto other = std::to_string(alloc({"--name", "other"}));
  const auto result = namctl({"free", "4711", "99999999999999999999", "gant", other});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, other + " freed\n");
  expect_has(result.err, "no allocation has the id 4711 in " + folder().string());
  expect_has(result.err, "99999999999999999999");
  expect_has(result.err, "no allocation is called \"gant\" in " + folder().string() + "; did you mean grant?");
  const Json json = json_of(namctl({"free", "gant", "--json"}));
  EXPECT_EQ(json.at("errors"), "1");
  EXPECT_EQ(kept().size(), 1U);
}

TEST_F(NamctlAllocations, FreeIfExistsTakesAbsenceForSuccess) {
  EXPECT_EQ(must({"free", "--if-exists", "gone", "4711"}), "");
  const test::TemporaryFolder parent;
  EXPECT_EQ(must({"free", "--if-exists", "gone", "--store", parent.path() / "none"}), "");
  EXPECT_TRUE(std::filesystem::is_empty(parent.path())) << "a tool that gives back makes no store";
  EXPECT_EQ(namctl({"free", "gone", "--store", parent.path() / "none"}).status, 1);
}

TEST_F(NamctlAllocations, WindowsAreNotFreedAsAllocations) {
  const auto window = make_persistent("field", {64});
  const auto id = std::to_string(window.window.id);
  expect_has(namctl({"free", id}).err, id + " is no allocation but the window \"field\"");
  const auto memory = namctl({"free", std::to_string(window.window.regions[0].allocation_id), "--recursive"});
  EXPECT_EQ(memory.status, 1);
  EXPECT_TRUE(store().find("field"));
}

TEST_F(NamctlAllocations, FreeIsRefusedWhileAWindowLivesInIt) {
  const auto id = alloc({"--name", "grant"});
  keep(make_in(id, "field", {64}));
  const auto refused = namctl({"free", "grant"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_EQ(refused.out, "");
  expect_has(refused.err, "field");
  EXPECT_TRUE(store().find("field"));
  EXPECT_EQ(must({"free", "grant", "--recursive"}), "grant freed\n");
  EXPECT_FALSE(store().find("field"));
  expect_empty();
}

TEST_F(NamctlAllocations, FreeOfWhatIsInUseSaysWhenTheMemoryGoes) {
  const auto id = alloc({"--name", "grant"});
  const auto window = make_over(id, "field", 64);
  expect_has(namctl({"free", "grant"}).err, "grant");
  EXPECT_EQ(must({"free", "grant", "--recursive"}),
            "grant freed; its memory goes when the jobs that use it have ended\n");
  EXPECT_EQ(namctl({"free", "grant"}).status, 1) << "the name is gone";
  ASSERT_TRUE(store().close(window.use_id));
  expect_empty();
}

TEST_F(NamctlAllocations, ListHasASectionOfAllocations) {
  const auto id = alloc({"--name", "grant"});
  alloc({"--expire", "@4102444800"});
  make_in(id, "field", {65536, 65536});
  make_persistent("alone", {1});
  const auto text = must({"list"});
  expect_has(text, "\n\nALLOCATION  NAME       SIZE      TAKEN  LARGEST FREE  SEGMENTS  WINDOWS  JOBS");
  expect_has(text, "grant   1.0 MiB  128.0 KiB     896.0 KiB         2        1     0");
  expect_has(text, "never\n");
  expect_has(text, "2099-12-31");
  const Json json = json_of(must({"list", "--json"}));
  EXPECT_EQ(json.at("windows"), "2");
  EXPECT_EQ(json.at("allocations"), "2") << "neither segments nor the memory of windows";
  EXPECT_EQ(json.at("allocations.0.id"), std::to_string(id));
  EXPECT_EQ(json.at("allocations.0.name"), "grant");
  EXPECT_EQ(json.at("allocations.0.bytes"), "1048576");
  EXPECT_EQ(json.at("allocations.0.taken_bytes"), "131072");
  EXPECT_EQ(json.at("allocations.0.largest_free_bytes"), "917504");
  EXPECT_EQ(json.at("allocations.0.segments"), "2");
  EXPECT_EQ(json.at("allocations.0.windows"), "1");
  EXPECT_EQ(json.at("allocations.0.windows.0.window"), "field");
  EXPECT_EQ(json.at("allocations.0.consistency"), "psnam_consistency_persistent");
  EXPECT_EQ(json.at("allocations.0.parent_id"), "null");
  EXPECT_EQ(json.at("allocations.0.window_id"), "null");
  EXPECT_EQ(json.at("allocations.0.uses"), "0");
  EXPECT_EQ(json.at("allocations.0.expired"), "false");
  EXPECT_EQ(json.at("allocations.1.expires_unix_seconds"), "4102444800");
}

TEST_F(NamctlAllocations, ListWithoutWindowsStillHasTheAllocations) {
  const auto id = alloc();
  const auto text = must({"list"});
  expect_has(text, "no windows in " + folder().string() + "\n\n");
  expect_has(text, "\n" + std::string(10 - std::to_string(id).size(), ' ') + std::to_string(id) + "  -");
}

TEST_F(NamctlAllocations, ShowOfAnAllocationHasTheTreeOfItsSegments) {
  const auto id = alloc({"--name", "grant"});
  const auto outer = make_in(id, "outer", {65536, 4096});
  const auto segment = outer.window.regions[0].segment_id;
  const auto inner = make_in(segment, "inner", {256});
  for (const auto& name : {std::to_string(id), std::string{"grant"}}) {
    const auto text = must({"show", name});
    expect_has(text,
               "id           " + std::to_string(id) + "\nname         grant\nsize         1.0 MiB (1048576 bytes)\n");
    expect_has(text, "taken        68.0 KiB by 2 segments\n");
    expect_has(text, "free         956.0 KiB in one piece\n");
    expect_has(text, "expires      never\n");
    expect_has(text, "\n" + std::to_string(segment) + "             0  64.0 KiB  256 B  outer\n");
    expect_has(text,
               "\n  " + std::to_string(inner.window.regions[0].segment_id) + "           0     256 B    0 B  inner\n");
  }
  const Json json = json_of(must({"show", "grant", "--json"}));
  EXPECT_EQ(json.at("tree"), "3");
  EXPECT_EQ(json.at("tree.0.id"), std::to_string(segment));
  EXPECT_EQ(json.at("tree.0.depth"), "0");
  EXPECT_EQ(json.at("tree.0.parent_id"), std::to_string(id));
  EXPECT_EQ(json.at("tree.0.bytes"), "65536");
  EXPECT_EQ(json.at("tree.0.window"), "outer");
  EXPECT_EQ(json.at("tree.1.id"), std::to_string(inner.window.regions[0].segment_id));
  EXPECT_EQ(json.at("tree.1.depth"), "1");
  EXPECT_EQ(json.at("tree.1.parent_id"), std::to_string(segment));
  EXPECT_EQ(json.at("tree.1.window"), "inner");
  EXPECT_EQ(json.at("tree.2.offset_bytes"), "65536");
  EXPECT_EQ(json.at("windows"), "2");
  EXPECT_EQ(json.at("jobs"), "0");
  const auto part = must({"show", std::to_string(segment)});
  expect_has(part, "part of      " + std::to_string(id) + " at 0\n");
  expect_has(part, "window       outer\n");
}

TEST_F(NamctlAllocations, ShowOfAWindowOfSegmentsNamesTheirParentsAndOffsets) {
  const auto id = alloc({"--name", "grant"});
  make_in(id, "first", {4096});
  const auto outer = make_in(id, "outer", {4096, 0});
  const auto segment = std::to_string(outer.window.regions[0].segment_id);
  const auto inner = make_in(outer.window.regions[0].segment_id, "inner", {64, 64});
  const auto text = must({"show", "outer"});
  expect_has(text, "segment " + segment + " of " + std::to_string(id) + " at 4096\n");
  expect_has(text, "\nin " + segment + ":\nSEGMENT");
  const Json json = json_of(must({"show", "inner", "--json"}));
  EXPECT_EQ(json.at("regions.1.source"), "segment");
  EXPECT_EQ(json.at("regions.1.segment_id"), std::to_string(inner.window.regions[1].segment_id));
  EXPECT_EQ(json.at("regions.1.parent_id"), segment);
  EXPECT_EQ(json.at("regions.1.parent_offset_bytes"), "64");
  EXPECT_EQ(json.at("regions.1.allocation_id"), std::to_string(id));
  EXPECT_EQ(json.at("regions.1.offset_bytes"), "4160");
}

TEST_F(NamctlAllocations, ShowOfAWindowOverAnAllocationNamesIt) {
  const auto id = alloc({"--name", "grant"});
  make_over(id, "flat", 4096);
  expect_has(must({"show", "flat"}), "allocation " + std::to_string(id) + " at 0\n");
  expect_has(must({"show", "grant"}), "whole in     flat\n");
  const Json json = json_of(must({"show", "flat", "--json"}));
  EXPECT_EQ(json.at("regions.0.source"), "existing");
  EXPECT_EQ(json.at("regions.0.segment_id"), std::to_string(id));
  EXPECT_EQ(json.at("regions.0.parent_id"), "null");
}

TEST_F(NamctlAllocations, ShowOfANameMeansTheWindowFirst) {
  const auto id = alloc({"--name", "both"});
  make_persistent("both", {1});
  EXPECT_EQ(json_of(must({"show", "both", "--json"})).at("tree"), "?");
  EXPECT_EQ(json_of(must({"show", std::to_string(id), "--json"})).at("tree"), "0");
}

TEST_F(NamctlAllocations, ShowOfAnIdFindsWindowsToo) {
  const auto made = make("", {1});
  EXPECT_EQ(json_of(must({"show", std::to_string(made.window.id), "--json"})).at("uuid"),
            format::to_string(made.window.uuid));
  EXPECT_EQ(namctl({"show", "4711"}).status, 1);
}

TEST_F(NamctlAllocations, CapacityTellsWhatIsGrantedAndWhatOfItIsTaken) {
  make_in(alloc(), "field", {65536});
  expect_has(must({"capacity"}),
             "1.0 MiB of 64.0 MiB reserved; 1 free-standing allocation of 1.0 MiB, 64.0 KiB in segments\n");
  const Json json = json_of(must({"capacity", "--json"}));
  EXPECT_EQ(json.at("free_standing_allocations"), "1");
  EXPECT_EQ(json.at("free_standing_bytes"), "1048576");
  EXPECT_EQ(json.at("free_standing_taken_bytes"), "65536");
}

TEST_F(NamctlAllocations, GcReleasesWhatHasExpired) {
  alloc({"--name", "stays", "--expire", "1h"});
  make_expired(2048);
  expect_has(must({"gc"}), "released 0 windows and 1 allocation of 0 ended jobs, 2.0 KiB\n");
  const auto left = kept();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].name, "stays");
}

TEST_F(NamctlAllocations, DoctorCountsAllocationsAndNamesWhatHoldsAnExpiredOne) {
  const auto id = make_expired(kBytes);
  make_in(id, "field", {65536});
  const auto text = must({"doctor"});
  expect_has(text, "1 free-standing allocation of 1.0 MiB, 64.0 KiB in segments");
  expect_has(text, "the allocation " + std::to_string(id) + " \"old\" expired 2023-11-1");
  expect_has(text, "and is held by \"field\"");
  expect_has(text, "namctl free --recursive " + std::to_string(id));
  EXPECT_EQ(json_of(must({"list", "--json"})).at("allocations.0.expired"), "true");
}

}  // namespace
}  // namespace psnam::nam
