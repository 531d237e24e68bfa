#include "cli/json.hpp"

#include <gtest/gtest.h>

#include "support/json.hpp"

namespace psnam::cli {
namespace {

TEST(Json, StringsAreEscaped) {
  EXPECT_EQ(json_string("plain"), "\"plain\"");
  EXPECT_EQ(json_string("a\"b\\c"), "\"a\\\"b\\\\c\"");
  EXPECT_EQ(json_string("a\nb\x01"), "\"a\\u000ab\\u0001\"");
  EXPECT_EQ(json_string("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

TEST(Json, WhatIsNotUtf8IsReplaced) {
  for (const char* text : {"\xff", "\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80"}) {
    const std::string quoted = json_string(text);
    EXPECT_NE(quoted.find("\\ufffd"), std::string::npos) << quoted;
    EXPECT_EQ(quoted.find_first_of("\xc0\xc3\xe0\xed\xf4\xff"), std::string::npos) << quoted;
  }
}

TEST(Json, NestedValuesAreWellFormed) {
  JsonWriter json;
  json.begin_object().member("a", 1).key("b").begin_array().value("x").begin_object().end_object();
  json.begin_array().end_array().null().end_array().member("c", true).end_object();
  const auto text = json.take();
  const auto read = test::Json::parse(text);
  ASSERT_TRUE(read) << text;
  EXPECT_EQ(read->at("a"), "1");
  EXPECT_EQ(read->at("b"), "4");
  EXPECT_EQ(read->at("b.0"), "x");
  EXPECT_EQ(read->at("b.3"), "null");
  EXPECT_EQ(read->at("c"), "true");
}

TEST(JsonReader, RefusesWhatIsNotJson) {
  for (const char* text :
       {"", "{", "{\"a\":1,}", "[1 2]", "{\"a\" 1}", "\"a\nb\"", "{\"a\":1,\"a\":2}", "01", "nul", "{} {}"})
    EXPECT_FALSE(test::Json::parse(text)) << text;
}

}  // namespace
}  // namespace psnam::cli
