// Tables of extents for tests: one in memory, whose transactions can be thrown away, and a wrapper that counts calls
// and fails at a chosen one.
#pragma once

#include <map>
#include <set>
#include <tuple>
#include <vector>

#include "segments/extents.hpp"

namespace psnam::test {

using segments::Extent;
using segments::ExtentTable;

/// Rows in maps. What is changed after begin() is undone by abort().
class MapTable final : public ExtentTable {
 public:
  Result<std::optional<Extent>> at(std::uint64_t parent, std::uint64_t offset) override {
    auto found = rows_.upper_bound({parent, offset});
    if (found == rows_.begin() || (--found)->first.first != parent) return std::optional<Extent>{};
    return std::optional{found->second};
  }
  Result<std::optional<Extent>> next_free(std::uint64_t parent, std::uint64_t size, std::uint64_t offset) override {
    const auto found = free_.lower_bound({parent, size, offset});
    if (found == free_.end() || std::get<0>(*found) != parent) return std::optional<Extent>{};
    return std::optional{Extent{.offset_bytes = std::get<2>(*found), .size_bytes = std::get<1>(*found)}};
  }
  Result<std::optional<Extent>> largest_free(std::uint64_t parent) override {
    auto found = free_.lower_bound({parent + 1, 0, 0});
    if (found == free_.begin() || std::get<0>(*--found) != parent) return std::optional<Extent>{};
    return std::optional{Extent{.offset_bytes = std::get<2>(*found), .size_bytes = std::get<1>(*found)}};
  }
  Status put(std::uint64_t parent, const Extent& extent) override {
    if (!add(parent, extent)) return Error{Code::corrupt, "a row is put where there is one"};
    undo_.push_back({parent, extent, true});
    return {};
  }
  Status erase(std::uint64_t parent, const Extent& extent) override {
    if (!remove(parent, extent)) return Error{Code::corrupt, "a row is erased that is not there"};
    undo_.push_back({parent, extent, false});
    return {};
  }

  void begin() { undo_.clear(); }
  void abort() {
    for (auto step = undo_.rbegin(); step != undo_.rend(); ++step)
      step->added ? remove(step->parent, step->extent) : add(step->parent, step->extent);
    undo_.clear();
  }
  [[nodiscard]] std::size_t rows() const { return rows_.size(); }
  [[nodiscard]] std::size_t free_rows() const { return free_.size(); }

 private:
  struct Step {
    std::uint64_t parent;
    Extent extent;
    bool added;
  };
  bool add(std::uint64_t parent, const Extent& extent) {
    if (extent.free() && !free_.emplace(parent, extent.size_bytes, extent.offset_bytes).second) return false;
    return rows_.emplace(std::pair{parent, extent.offset_bytes}, extent).second;
  }
  bool remove(std::uint64_t parent, const Extent& extent) {
    const auto found = rows_.find({parent, extent.offset_bytes});
    if (found == rows_.end() || found->second != extent) return false;
    rows_.erase(found);
    return !extent.free() || free_.erase({parent, extent.size_bytes, extent.offset_bytes}) == 1;
  }

  std::map<std::pair<std::uint64_t, std::uint64_t>, Extent> rows_;
  std::set<std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>> free_;
  std::vector<Step> undo_;
};

/// Counts the calls of a table, and fails at the one after `healthy_changes` changes.
class WatchedTable final : public ExtentTable {
 public:
  explicit WatchedTable(ExtentTable& table, int healthy_changes = -1) noexcept
      : table_{table}, healthy_changes_{healthy_changes} {}

  Result<std::optional<Extent>> at(std::uint64_t parent, std::uint64_t offset) override {
    ++calls_;
    return table_.at(parent, offset);
  }
  Result<std::optional<Extent>> next_free(std::uint64_t parent, std::uint64_t size, std::uint64_t offset) override {
    ++calls_;
    return table_.next_free(parent, size, offset);
  }
  Result<std::optional<Extent>> largest_free(std::uint64_t parent) override {
    ++calls_;
    return table_.largest_free(parent);
  }
  Status put(std::uint64_t parent, const Extent& extent) override {
    PSNAM_CHECK(change());
    return table_.put(parent, extent);
  }
  Status erase(std::uint64_t parent, const Extent& extent) override {
    PSNAM_CHECK(change());
    return table_.erase(parent, extent);
  }
  [[nodiscard]] int calls() const noexcept { return calls_; }
  [[nodiscard]] bool crashed() const noexcept { return crashed_; }

 private:
  Status change() {
    ++calls_;
    if (healthy_changes_ < 0 || healthy_changes_-- > 0) return {};
    crashed_ = true;
    return Error{Code::system, "a crash"};
  }

  ExtentTable& table_;
  int healthy_changes_;
  int calls_ = 0;
  bool crashed_ = false;
};

}  // namespace psnam::test
