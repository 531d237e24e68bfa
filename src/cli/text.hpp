// How namctl shows values to people: tables, sizes, times, and names that are like another.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace psnam::cli {

/// Columns as wide as their widest cell; columns named in `right` are aligned right. The first row is the head.
class Table {
 public:
  explicit Table(std::vector<std::string> head, std::vector<std::size_t> right = {});
  void add(std::vector<std::string> row);
  [[nodiscard]] std::string text() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> right_;
};

/// "17 B", "4.0 KiB", "1.5 GiB".
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// Local time, "2026-11-21 00:10".
[[nodiscard]] std::string time_text(std::uint64_t unix_seconds);
/// "1 window", "2 windows".
[[nodiscard]] std::string count_text(std::uint64_t count, std::string_view thing);
/// Those of `known` that a person may have meant by `name`, nearest first, at most three.
[[nodiscard]] std::vector<std::string> similar(std::string_view name, const std::vector<std::string>& known);

}  // namespace psnam::cli
