// What tests of namctl begin with: the program itself, run on a store of the test.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "nam/folder.hpp"
#include "support/child.hpp"
#include "support/json.hpp"
#include "support/program.hpp"
#include "support/store_fixture.hpp"

namespace psnam::test {

class Namctl : public StoreTest {
 protected:
  using Environment = std::map<std::string, std::string>;

  ProgramResult namctl(std::vector<std::string> arguments, Environment environment = {}) {
    arguments.insert(arguments.begin(), PSNAM_NAMCTL);
    return run(arguments, std::move(environment));
  }
  /// A program in the environment of the test.
  ProgramResult run(const std::vector<std::string>& command, Environment environment = {}) {
    environment.try_emplace("PSNAM_STORE", folder().string());
    for (const char* name :
         {"PSNAM_MANAGER", "PSNAM_LOG", "PSNAM_PATH", "PSNAM_MODULE_ID", "PSP_MSA_MODULE_ID", "LD_PRELOAD"})
      environment.try_emplace(name, "");
    return run_program(command, environment);
  }
  /// namctl with a result that must be good; what it wrote.
  std::string must(std::vector<std::string> arguments, Environment environment = {}) {
    const std::string command = arguments.front();
    const auto result = namctl(std::move(arguments), std::move(environment));
    EXPECT_EQ(result.status, 0) << command << ": " << result.out << result.err;
    EXPECT_EQ(result.err, "") << command;
    return result.out;
  }
  Json json_of(const std::string& text) {
    const auto json = Json::parse(text);
    if (!json) ADD_FAILURE() << "not JSON: " << text;
    return json.value_or(Json{});
  }
  Json json_of(const ProgramResult& result) { return json_of(result.out); }
  static void expect_has(const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in:\n" << text;
  }
};

}  // namespace psnam::test
