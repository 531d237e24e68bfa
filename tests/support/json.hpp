// A strict reader of JSON for tests: what it accepts is well-formed. Values are found by paths such as
// "windows.0.name".
#pragma once

#include <cctype>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace psnam::test {

/// The scalars of a JSON text by their paths, strings unescaped (\u only below 0x80); arrays and objects as their
/// number of elements.
class Json {
 public:
  static std::optional<Json> parse(std::string_view text) {
    Json json;
    json.rest_ = text;
    if (!json.value("") || !json.at_end()) return std::nullopt;
    return json;
  }
  /// "?" if there is nothing at `path`.
  [[nodiscard]] std::string at(const std::string& path) const {
    const auto found = values_.find(path);
    return found == values_.end() ? "?" : found->second;
  }

 private:
  void blanks() {
    while (!rest_.empty() && (rest_[0] == ' ' || rest_[0] == '\n')) rest_.remove_prefix(1);
  }
  bool at_end() {
    blanks();
    return rest_.empty();
  }
  bool take(char c) {
    blanks();
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool value(const std::string& path) {
    blanks();
    if (rest_.empty()) return false;
    if (rest_[0] == '{') return members(path);
    if (rest_[0] == '[') return elements(path);
    if (rest_[0] == '"') {
      const auto text = string();
      if (text) values_[path] = *text;
      return text.has_value();
    }
    return word(path);
  }
  static std::string below(const std::string& path, const std::string& name) {
    return path.empty() ? name : path + "." + name;
  }
  bool members(const std::string& path) {
    std::size_t count = 0;
    if (!take('{')) return false;
    if (!take('}')) {
      do {
        blanks();
        const auto name = string();
        if (!name || !take(':') || values_.contains(below(path, *name)) || !value(below(path, *name))) return false;
        ++count;
      } while (take(','));
      if (!take('}')) return false;
    }
    values_[path] = std::to_string(count);
    return true;
  }
  bool elements(const std::string& path) {
    std::size_t count = 0;
    if (!take('[')) return false;
    if (!take(']')) {
      do {
        if (!value(below(path, std::to_string(count)))) return false;
        ++count;
      } while (take(','));
      if (!take(']')) return false;
    }
    values_[path] = std::to_string(count);
    return true;
  }
  bool word(const std::string& path) {
    std::size_t length = 0;
    while (length < rest_.size() && std::isalnum(static_cast<unsigned char>(rest_[length])) != 0) ++length;
    const std::string text{rest_.substr(0, length)};
    rest_.remove_prefix(length);
    const bool number =
        !text.empty() && text.find_first_not_of("0123456789") == std::string::npos && (text == "0" || text[0] != '0');
    values_[path] = text;
    return number || text == "true" || text == "false" || text == "null";
  }
  std::optional<std::string> string() {
    if (!take('"')) return std::nullopt;
    std::string text;
    while (!rest_.empty() && rest_[0] != '"') {
      if (static_cast<unsigned char>(rest_[0]) < 0x20) return std::nullopt;
      if (rest_[0] == '\\' && !escape(text)) return std::nullopt;
      if (rest_.empty() || rest_[0] == '"') break;
      if (rest_[0] == '\\') continue;
      text += rest_[0];
      rest_.remove_prefix(1);
    }
    if (rest_.empty()) return std::nullopt;
    rest_.remove_prefix(1);
    return text;
  }
  bool escape(std::string& text) {
    if (rest_.size() < 2) return false;
    const char c = rest_[1];
    if (c == '"' || c == '\\') {
      text += c;
      rest_.remove_prefix(2);
      return true;
    }
    if (c != 'u' || rest_.size() < 6) return false;
    unsigned code = 0;
    for (const char digit : rest_.substr(2, 4)) {
      if (std::isxdigit(static_cast<unsigned char>(digit)) == 0) return false;
      code = code * 16 + static_cast<unsigned>(std::isdigit(static_cast<unsigned char>(digit)) != 0
                                                   ? digit - '0'
                                                   : std::tolower(static_cast<unsigned char>(digit)) - 'a' + 10);
    }
    text += code < 0x80 ? std::string{static_cast<char>(code)} : std::string{"\xef\xbf\xbd"};
    rest_.remove_prefix(6);
    return true;
  }

  std::string_view rest_;
  std::map<std::string, std::string> values_;
};

}  // namespace psnam::test
