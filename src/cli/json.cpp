#include "cli/json.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <utility>

namespace psnam::cli {
namespace {

/// The bytes of the UTF-8 character that `text` begins with; 0 if it begins with none.
std::size_t character_bytes(std::string_view text) noexcept {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t bytes = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < bytes) return 0;
  for (std::size_t at = 1; at < bytes; ++at)
    if ((byte(at) & 0xC0) != 0x80) return 0;
  // Longer forms than needed, surrogates, and what is beyond the last character.
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F)) return 0;
  if ((first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F)) return 0;
  return bytes;
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string quoted{'"'};
  while (!text.empty()) {
    const std::size_t bytes = character_bytes(text);
    const char first = text.front();
    if (bytes == 0)
      quoted += "\\ufffd";
    else if (first == '"' || first == '\\')
      quoted.append({'\\', first});
    else if (static_cast<unsigned char>(first) < 0x20 || first == '\x7f')
      fmt::format_to(std::back_inserter(quoted), "\\u{:04x}", static_cast<unsigned char>(first));
    else
      quoted += text.substr(0, bytes);
    text.remove_prefix(bytes == 0 ? 1 : bytes);
  }
  quoted += '"';
  return quoted;
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  text_ += json_string(name);
  text_ += ": ";
  after_key_ = true;
  return *this;
}

std::string JsonWriter::take() {
  text_ += '\n';
  return std::move(text_);
}

JsonWriter& JsonWriter::begin(char bracket) {
  separate();
  text_ += bracket;
  filled_.push_back(false);
  return *this;
}

JsonWriter& JsonWriter::end(char bracket) {
  const bool filled = filled_.back();
  filled_.pop_back();
  if (filled) text_.append("\n").append(2 * filled_.size(), ' ');
  text_ += bracket;
  return *this;
}

JsonWriter& JsonWriter::raw(std::string_view text) {
  separate();
  text_ += text;
  return *this;
}

void JsonWriter::separate() {
  if (std::exchange(after_key_, false) || filled_.empty()) return;
  if (filled_.back()) text_ += ',';
  filled_.back() = true;
  text_.append("\n").append(2 * filled_.size(), ' ');
}

}  // namespace psnam::cli
