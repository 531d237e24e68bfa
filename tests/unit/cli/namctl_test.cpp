// namctl as its users meet it: the program itself, run on a store of the test.
#include <sys/stat.h>

#include <fstream>

#include "namctl_fixture.hpp"

namespace psnam::nam {
namespace {

using test::Json;
using test::Namctl;

TEST_F(Namctl, ListIsATableOfTheWindows) {
  make_persistent("field", {1024, 512});
  make("", {1});
  const auto result = namctl({"list"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.err, "");
  expect_has(result.out, "NAME");
  expect_has(result.out, "field  1.5 KiB      2  managed_distributed  persistent      1  0600");
  expect_has(result.out, "-          1 B      1  managed_distributed  volatile");
}

TEST_F(Namctl, ListAsJsonHasEverything) {
  const auto made = make_persistent("field", {1024, 512});
  ASSERT_TRUE(store().publish("a \"quoted\" \\ service \xff", "field"));
  const auto result = namctl({"list", "--json"});
  EXPECT_EQ(result.status, 0) << result.err;
  const Json json = json_of(result);
  EXPECT_EQ(json.at("store"), folder().string());
  EXPECT_EQ(json.at("windows"), "1");
  EXPECT_EQ(json.at("windows.0.name"), "field");
  EXPECT_EQ(json.at("windows.0.bytes"), "1536");
  EXPECT_EQ(json.at("windows.0.ranks"), "2");
  EXPECT_EQ(json.at("windows.0.structure"), "psnam_structure_managed_distributed");
  EXPECT_EQ(json.at("windows.0.consistency"), "psnam_consistency_persistent");
  EXPECT_EQ(json.at("windows.0.mode"), "0600");
  EXPECT_EQ(json.at("windows.0.uuid"), format::to_string(made.window.uuid));
  EXPECT_EQ(json.at("windows.0.uses"), "1");
  EXPECT_EQ(json.at("windows.0.services.0"), "a \"quoted\" \\ service \xef\xbf\xbd");
}

TEST_F(Namctl, ListIsTheSameForAnEmptyStoreAndForNone) {
  const auto empty = namctl({"list"});
  EXPECT_EQ(empty.status, 0);
  EXPECT_EQ(empty.out, "no windows in " + folder().string() + "\n");
  const auto json = namctl({"list", "--json"});
  const test::TemporaryFolder parent;
  const auto none = namctl({"--store", parent.path() / "none", "list", "--json"});
  EXPECT_EQ(none.status, 0) << none.err;
  EXPECT_EQ(json_of(none).at("windows"), "0");
  EXPECT_EQ(json_of(json).at("windows"), "0");
  EXPECT_TRUE(std::filesystem::is_empty(parent.path())) << "a tool that looks makes no store";
}

TEST_F(Namctl, ShowTellsRegionsJobsAndServices) {
  const auto made = make_persistent("field", {1024, 512});
  ASSERT_TRUE(store().publish("service", "field"));
  const auto text = namctl({"show", "field"});
  EXPECT_EQ(text.status, 0) << text.err;
  expect_has(text.out, "1.5 KiB (1536 bytes)");
  expect_has(text.out, "services     service");
  expect_has(text.out, "rank 0 pid " + std::to_string(::getpid()));
  expect_has(text.out, "memory/" + file_name(made.window.regions[1].allocation_id) + " at 0");
  const Json json = json_of(namctl({"show", "field", "--json"}));
  EXPECT_EQ(json.at("name"), "field");
  EXPECT_EQ(json.at("regions"), "2");
  EXPECT_EQ(json.at("regions.1.bytes"), "512");
  EXPECT_EQ(json.at("regions.1.manifestation"), "psnam_manifestation_libnam");
  EXPECT_EQ(json.at("nodes.0.host"), "here");
  EXPECT_EQ(json.at("jobs.0.processes.0.pid"), std::to_string(::getpid()));
  EXPECT_EQ(json.at("jobs.0.processes.0.alive"), "true");
}

TEST_F(Namctl, ShowOfAnUnknownNameSaysWhichAreClose) {
  make_persistent("heat-field", {1});
  const auto result = namctl({"show", "heat-feild"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "");
  EXPECT_EQ(result.err,
            "namctl: no window is called \"heat-feild\" in " + folder().string() + "; did you mean heat-field?\n");
}

TEST_F(Namctl, RmTakesSeveralNames) {
  for (const char* name : {"a", "b", "c"}) ASSERT_TRUE(store().close(make_persistent(name, {1}).use_id));
  const auto result = namctl({"rm", "a", "c"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "a removed\nc removed\n");
  EXPECT_FALSE(store().find("a"));
  EXPECT_TRUE(store().find("b"));
  EXPECT_FALSE(store().find("c"));
}

TEST_F(Namctl, RmOfAnUnknownNameFailsAndTakesTheOthers) {
  ASSERT_TRUE(store().close(make_persistent("known", {1}).use_id));
  ASSERT_TRUE(store().close(make_persistent("other", {1}).use_id));
  const auto result = namctl({"rm", "known", "othr", "a b"});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "known removed\n");
  expect_has(result.err, "no window is called \"othr\"");
  expect_has(result.err, "did you mean other?");
  expect_has(result.err, "no window is called \"a b\"");
  const auto json = namctl({"rm", "--json", "nothing", "other"});
  EXPECT_EQ(json.status, 1);
  EXPECT_EQ(json_of(json).at("removed.0.name"), "other");
  EXPECT_EQ(json_of(json).at("removed.0.gone"), "true");
  EXPECT_EQ(json_of(json).at("errors"), "1");
}

TEST_F(Namctl, RmOfAWindowInUseSaysWhenItsMemoryGoes) {
  make_persistent("busy", {1});
  const auto result = namctl({"rm", "busy"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "busy removed; its memory goes when the job that uses it has ended\n");
  const auto again = namctl({"rm", "busy"});
  EXPECT_EQ(again.status, 1);
  expect_has(again.err, "is volatile");
}

TEST_F(Namctl, GcSaysWhatItReleased) {
  make("", {2048}, test::nobody());
  const auto result = namctl({"gc"});
  EXPECT_EQ(result.status, 0) << result.err;
  EXPECT_EQ(result.out, "released 1 window of 1 ended job, 2.0 KiB\n");
  const Json json = json_of(namctl({"gc", "--json"}));
  EXPECT_EQ(json.at("windows"), "0");
  EXPECT_EQ(json.at("bytes"), "0");
}

TEST_F(Namctl, CapacityIsShownAndSetAndHolds) {
  const auto set = namctl({"capacity", "8K"});
  EXPECT_EQ(set.status, 0) << set.err;
  expect_has(set.out, "0 B of 8.0 KiB reserved");
  EXPECT_EQ(json_of(namctl({"capacity", "--json"})).at("capacity_bytes"), "8192");
  auto too_much = store().create(test::draft_of("", {8193}), {}, test::me());
  ASSERT_FALSE(too_much);
  EXPECT_EQ(too_much.error().code, Code::no_memory);
  for (const char* wrong : {"0", "12X", "999999T"}) {
    const auto refused = namctl({"capacity", wrong});
    EXPECT_EQ(refused.status, 1) << wrong;
    expect_has(refused.err, "capacity");
  }
  EXPECT_EQ(json_of(namctl({"capacity", "--json"})).at("capacity_bytes"), "8192");
}

TEST_F(Namctl, EnvShowsValueDefaultAndSource) {
  const auto text = namctl({"env"}, {{"PSNAM_LOG", "debug"}});
  EXPECT_EQ(text.status, 0) << text.err;
  expect_has(text.out, "PSNAM_LOG");
  const Json json = json_of(namctl({"env", "--json"}, {{"PSNAM_LOG", "debug"}, {"PSP_MSA_MODULE_ID", "7"}}));
  std::map<std::string, std::string> path_of;
  for (int row = 0; row < std::stoi(json.at("variables")); ++row) {
    const std::string path = "variables." + std::to_string(row);
    path_of[json.at(path + ".name")] = path;
  }
  EXPECT_EQ(json.at(path_of["PSNAM_LOG"] + ".value"), "debug");
  EXPECT_EQ(json.at(path_of["PSNAM_LOG"] + ".default"), "warn");
  EXPECT_EQ(json.at(path_of["PSNAM_LOG"] + ".source"), "environment");
  EXPECT_EQ(json.at(path_of["PSNAM_PATH"] + ".source"), "default");
  EXPECT_EQ(json.at(path_of["PSNAM_PATH"] + ".error"), "null");
  EXPECT_EQ(json.at(path_of["PSNAM_STORE"] + ".value"), folder().string());
  EXPECT_EQ(json.at(path_of["PSNAM_MODULE_ID"] + ".value"), "7");
  EXPECT_EQ(json.at(path_of["PSNAM_MODULE_ID"] + ".source"), "PSP_MSA_MODULE_ID");
}

TEST_F(Namctl, EnvNamesAValueThatIsRefused) {
  const auto result = namctl({"env"}, {{"PSNAM_PATH", "fast"}});
  EXPECT_EQ(result.status, 1);
  expect_has(result.out, "fast");
  EXPECT_EQ(result.err, "namctl: PSNAM_PATH = \"fast\" is unknown; known values: auto, mapped, fabric\n");
}

TEST_F(Namctl, ABadValueOfAnotherVariableDoesNotStopTheRest) {
  make_persistent("field", {1});
  const auto result = namctl({"list"}, {{"PSNAM_PATH", "fast"}});
  EXPECT_EQ(result.status, 0) << result.err;
  expect_has(result.out, "field");
}

TEST_F(Namctl, AManagerThatDoesNotAnswerIsNamedUnlessAStoreIsMeant) {
  const std::string nowhere = (folder() / "none.sock").string();
  const auto result = namctl({"list"}, {{"PSNAM_MANAGER", nowhere}});
  EXPECT_EQ(result.status, 1);
  EXPECT_EQ(result.out, "");
  expect_has(result.err, nowhere);
  EXPECT_EQ(namctl({"list", "--manager", nowhere}).status, 1);
  EXPECT_EQ(namctl({"list", "--store", folder()}, {{"PSNAM_MANAGER", nowhere}}).status, 0);
  EXPECT_EQ(namctl({"list", "--store", folder(), "--manager", nowhere}).status, 2) << "both cannot be meant";
}

TEST_F(Namctl, WhatOnlyAManagerHasIsRefusedForTheEmbeddedStore) {
  for (const char* command : {"top", "sessions", "nams"}) {
    const auto result = namctl({command});
    EXPECT_EQ(result.status, 1) << command;
    expect_has(result.err, "no manager serves it");
    expect_has(result.err, folder().string());
  }
}

TEST_F(Namctl, DoctorFindsNothingWrongHere) {
  make_persistent("field", {1});
  const auto result = namctl({"doctor"});
  EXPECT_EQ(result.status, 0) << result.out << result.err;
  expect_has(result.out, "MPICH");
  expect_has(result.out, "libpsnam.so");
  expect_has(result.out, folder().string());
  expect_has(result.out, "1 window, used by 1 job");
  expect_has(result.out, "catalog and files agree");
  expect_has(result.out, "nothing is wrong");
  const auto json = namctl({"doctor", "--json"});
  EXPECT_EQ(json.status, 0);
  EXPECT_EQ(json_of(json).at("healthy"), "true");
}

TEST_F(Namctl, DoctorTellsOfLeftoversAndReleasesThem) {
  make("", {2048}, test::nobody());
  const auto result = namctl({"doctor"});
  EXPECT_EQ(result.status, 0) << result.out;
  expect_has(result.out, "1 window and 2.0 KiB of jobs that ended without freeing were left");
}

TEST_F(Namctl, DoctorFindsWhatIsWrongWithTheStore) {
  const auto made = make_persistent("field", {100});
  std::filesystem::remove(folder() / "memory" / file_name(made.window.regions[0].allocation_id));
  const auto result = namctl({"doctor"});
  EXPECT_EQ(result.status, 1);
  expect_has(result.out, "memory of \"field\", is missing");
  expect_has(result.out, "-> namctl gc");
  const auto json = namctl({"doctor", "--json"});
  EXPECT_EQ(json.status, 1);
  EXPECT_EQ(json_of(json).at("healthy"), "false");
}

TEST_F(Namctl, DoctorSaysWhyAStoreCannotBeUsed) {
  ASSERT_EQ(::chmod(folder().c_str(), 0755), 0);
  const auto result = namctl({"doctor"});
  EXPECT_EQ(result.status, 1);
  expect_has(result.out, "0755");
  expect_has(result.out, "chmod");
  ASSERT_EQ(::chmod(folder().c_str(), 0700), 0);
}

TEST_F(Namctl, DoctorMakesNoStore) {
  const test::TemporaryFolder parent;
  const auto result = namctl({"doctor", "--store", parent.path() / "none"});
  EXPECT_EQ(result.status, 0) << result.out;
  expect_has(result.out, "not made yet");
  EXPECT_TRUE(std::filesystem::is_empty(parent.path()));
}

TEST_F(Namctl, DoctorMissesMpiexecThatIsNotOnThePath) {
  const test::TemporaryFolder empty;
  const auto result = namctl({"doctor"}, {{"PATH", empty.path().string()}});
  EXPECT_EQ(result.status, 1);
  expect_has(result.out, "wrong  mpiexec");
}

TEST_F(Namctl, DoctorKnowsAnMpiexecThatIsNotMpichs) {
  const test::TemporaryFolder other;
  std::ofstream{other.path() / "mpiexec"} << "#!/bin/sh\necho 'mpiexec (OpenRTE) 4.1.4'\n";
  ASSERT_EQ(::chmod((other.path() / "mpiexec").c_str(), 0755), 0);
  const auto result = namctl({"doctor"}, {{"PATH", other.path().string()}});
  EXPECT_EQ(result.status, 1);
  expect_has(result.out, "is not MPICH's");
}

TEST_F(Namctl, DoctorNamesAVariableThatCannotBeUnderstood) {
  const auto result = namctl({"doctor"}, {{"PSNAM_LOG", "loud"}});
  EXPECT_EQ(result.status, 1);
  expect_has(result.out, "PSNAM_LOG = \"loud\"");
}

TEST_F(Namctl, UsageErrorsHaveStatusTwo) {
  for (const std::vector<std::string>& arguments : {std::vector<std::string>{},
                                                    {"frobnicate"},
                                                    {"rm"},
                                                    {"show"},
                                                    {"show", "a", "b"},
                                                    {"list", "--wrong"},
                                                    {"--store"}}) {
    const auto result = namctl(arguments);
    EXPECT_EQ(result.status, 2) << (arguments.empty() ? "" : arguments[0]);
    EXPECT_EQ(result.out, "");
    EXPECT_NE(result.err, "");
  }
}

TEST_F(Namctl, HelpAndVersionSucceed) {
  EXPECT_EQ(namctl({"--help"}).status, 0);
  EXPECT_EQ(namctl({"rm", "--help"}).status, 0);
  const auto version = namctl({"--version"});
  EXPECT_EQ(version.status, 0);
  expect_has(version.out, "namctl (psnam) ");
}

TEST_F(Namctl, OutputThatCannotBeWrittenIsAFailure) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "there is no /dev/full";
  const auto result = test::run_program(
      {"/bin/sh", "-c", std::string{PSNAM_NAMCTL} + " list --store " + folder().string() + " >/dev/full"});
  EXPECT_EQ(result.status, 1);
  expect_has(result.err, "cannot be written");
}

}  // namespace
}  // namespace psnam::nam
