// The allocator of extents against a model that is too simple to be wrong: for each byte of each parent the segment
// that has it. Random cuts and releases, in segments of segments too, some of them crashing half-way.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "support/extent_tables.hpp"

namespace psnam::test {

/// `Tables` gives transactions: begin(), table(), commit(), abort().
template <class Tables>
class ExtentModel {
 public:
  static constexpr std::uint64_t kRootBytes = 8192;
  static constexpr std::size_t kMostNodes = 160;

  ExtentModel(Tables& tables, unsigned seed) : tables_{tables}, random_{seed} {
    for (int root = 0; root < 2; ++root)
      add({.id = next_id_++, .size = kRootBytes - 100 * static_cast<unsigned>(root)});
  }

  void step() {
    const bool many = nodes_.size() > kMostNodes;
    if (below(100) < (many ? 80U : 40U))
      release_one();
    else
      cut_one();
  }

  /// Compares every parent, byte by byte.
  void expect_equal() {
    tables_.begin();
    for (const auto& [id, node] : nodes_) expect_equal(node);
    tables_.abort();
  }

  void release_all() {
    while (!leaves_.empty() && !::testing::Test::HasFailure()) release(leaves_.back(), -1);
  }
  [[nodiscard]] std::uint64_t crashes() const noexcept { return crashes_; }
  [[nodiscard]] std::uint64_t refusals() const noexcept { return refusals_; }
  [[nodiscard]] std::uint64_t cuts() const noexcept { return cuts_; }
  [[nodiscard]] int most_calls() const noexcept { return most_calls_; }

 private:
  struct Node {
    std::uint64_t id = 0;
    std::uint64_t parent = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t root_offset = 0;
    std::size_t children = 0;
    std::vector<std::uint64_t> owners = {};  ///< of each byte
  };
  struct Run {
    std::uint64_t offset;
    std::uint64_t size;
    bool operator<(const Run& other) const { return std::tie(size, offset) < std::tie(other.size, other.offset); }
  };

  std::uint64_t below(std::uint64_t end) { return std::uniform_int_distribution<std::uint64_t>{0, end - 1}(random_); }

  void add(Node node) {
    node.owners.assign(node.size, segments::kFree);
    order_.push_back(node.id);
    if (node.parent != 0) leaves_.push_back(node.id);
    nodes_.emplace(node.id, std::move(node));
  }
  static void drop(std::vector<std::uint64_t>& ids, std::uint64_t id) {
    const auto found = std::find(ids.begin(), ids.end(), id);
    *found = ids.back();
    ids.pop_back();
  }
  static segments::Parent as_parent(const Node& node) {
    return {.id = node.id, .size_bytes = node.size, .root_offset_bytes = node.root_offset};
  }
  /// Some of the operations crash.
  int healthy_changes() { return below(30) == 0 ? static_cast<int>(below(6)) : -1; }

  void cut_one() {
    const Node& parent = nodes_.at(order_[below(order_.size())]);
    segments::Request request;
    const std::uint64_t largest = below(8) == 0 ? parent.size + 20 : below(2) == 0 ? 40 : 400;
    request.size_bytes = 1 + below(largest);
    request.alignment_bytes = std::uint64_t{1} << (below(3) == 0 ? below(13) : below(7));
    if (below(10) < 3) request.offset_bytes = below(parent.size + 10);
    cut(parent.id, request, healthy_changes());
  }

  void cut(std::uint64_t parent_id, const segments::Request& request, int healthy) {
    Node& parent = nodes_.at(parent_id);
    tables_.begin();
    WatchedTable table{tables_.table(), healthy};
    const std::uint64_t id = next_id_++;
    const auto offset = segments::cut(table, as_parent(parent), request, id);
    if (table.crashed()) {
      tables_.abort();
      ++crashes_;
      return;
    }
    if (!offset) {
      tables_.abort();
      ++refusals_;
      expect_refused_rightly(parent, request, offset.error());
      return;
    }
    tables_.commit();
    ++cuts_;
    expect_fits(parent, request, *offset);
    if (::testing::Test::HasFailure()) return;
    if (!request.offset_bytes && below(16) == 0) expect_best(parent, request, *offset);
    std::fill_n(parent.owners.begin() + static_cast<std::ptrdiff_t>(*offset), request.size_bytes, id);
    if (parent.children++ == 0 && parent.parent != 0) drop(leaves_, parent_id);
    add({.id = id,
         .parent = parent_id,
         .offset = *offset,
         .size = request.size_bytes,
         .root_offset = parent.root_offset + *offset});
  }

  void release_one() {
    if (!leaves_.empty()) release(leaves_[below(leaves_.size())], healthy_changes());
  }

  void release(std::uint64_t id, int healthy) {
    const Node node = nodes_.at(id);
    Node& parent = nodes_.at(node.parent);
    tables_.begin();
    WatchedTable table{tables_.table(), healthy};
    const Status released = segments::release(table, as_parent(parent),
                                              {.offset_bytes = node.offset, .size_bytes = node.size, .segment_id = id});
    if (table.crashed()) {
      tables_.abort();
      ++crashes_;
      return;
    }
    ASSERT_TRUE(released) << released.error().message;
    tables_.commit();
    most_calls_ = std::max(most_calls_, table.calls());
    std::fill_n(parent.owners.begin() + static_cast<std::ptrdiff_t>(node.offset), node.size, segments::kFree);
    drop(leaves_, id);
    drop(order_, id);
    nodes_.erase(id);
    if (--parent.children == 0 && parent.parent != 0) leaves_.push_back(parent.id);
  }

  static bool is_free(const Node& parent, std::uint64_t offset, std::uint64_t size) {
    const auto first = parent.owners.begin() + static_cast<std::ptrdiff_t>(offset);
    return std::all_of(first, first + static_cast<std::ptrdiff_t>(size), [](auto id) { return id == segments::kFree; });
  }

  void expect_fits(const Node& parent, const segments::Request& request, std::uint64_t offset) {
    ASSERT_LE(offset + request.size_bytes, parent.size);
    ASSERT_TRUE(is_free(parent, offset, request.size_bytes)) << "an overlap";
    if (request.offset_bytes) {
      ASSERT_EQ(offset, *request.offset_bytes);
    } else {
      ASSERT_EQ((parent.root_offset + offset) % request.alignment_bytes, 0U);
    }
  }

  static std::vector<Run> free_runs(const Node& parent) {
    std::vector<Run> runs;
    for (std::uint64_t at = 0; at < parent.size; ++at) {
      if (parent.owners[at] != segments::kFree) continue;
      if (at == 0 || parent.owners[at - 1] != segments::kFree) runs.push_back({at, 0});
      ++runs.back().size;
    }
    std::sort(runs.begin(), runs.end());
    return runs;
  }
  /// The lowest place in `run`, if there is one.
  static std::optional<std::uint64_t> place_in(const Run& run, const Node& parent, const segments::Request& request) {
    std::uint64_t offset = run.offset;
    while ((parent.root_offset + offset) % request.alignment_bytes != 0) ++offset;
    if (offset + request.size_bytes > run.offset + run.size) return std::nullopt;
    return offset;
  }

  void expect_refused_rightly(const Node& parent, const segments::Request& request, const Error& error) {
    if (request.offset_bytes) {
      ASSERT_EQ(error.code, Code::info_value) << error.message;
      const std::uint64_t offset = *request.offset_bytes;
      const bool inside = offset <= parent.size && request.size_bytes <= parent.size - offset;
      ASSERT_TRUE(!inside || !is_free(parent, offset, request.size_bytes)) << error.message;
      return;
    }
    ASSERT_EQ(error.code, Code::no_memory) << error.message;
    for (const Run& run : free_runs(parent)) ASSERT_FALSE(place_in(run, parent, request)) << error.message;
  }

  /// The smallest that holds it, the lowest of equal ones; or, where that was not among the first to be tried, the
  /// smallest that holds it wherever it begins.
  void expect_best(const Node& parent, const segments::Request& request, std::uint64_t offset) {
    int misfits = 0;
    for (const Run& run : free_runs(parent)) {
      if (run.size < request.size_bytes) continue;
      const auto place = place_in(run, parent, request);
      if (place == offset) return;
      if (!place) ++misfits;
      ASSERT_TRUE(!place ||
                  (misfits >= segments::kTries && run.size < request.size_bytes + request.alignment_bytes - 1))
          << "a better place is at " << *place << ", not at " << offset;
    }
    FAIL() << "the place at " << offset << " is not the lowest of a free part";
  }

  void expect_equal(const Node& node) {
    std::vector<Extent> extents;
    std::vector<std::uint64_t> owners;
    std::uint64_t largest = 0;
    for (auto extent = tables_.table().at(node.id, 0); extent && *extent;
         extent = tables_.table().at(node.id, owners.size())) {
      if (!extents.empty() && extents.back() == **extent) break;
      extents.push_back(**extent);
      owners.resize(owners.size() + (*extent)->size_bytes, (*extent)->segment_id);
      if ((*extent)->free()) largest = std::max(largest, (*extent)->size_bytes);
    }
    ASSERT_EQ(segments::check(as_parent(node), extents), std::vector<std::string>{});
    ASSERT_EQ(extents.empty(), node.children == 0);
    if (node.children != 0) {
      ASSERT_EQ(owners, node.owners);
    }
    const auto found = tables_.table().largest_free(node.id);
    ASSERT_TRUE(found);
    ASSERT_EQ(*found ? (*found)->size_bytes : 0, largest);
  }

  Tables& tables_;
  std::mt19937_64 random_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, Node> nodes_;
  std::vector<std::uint64_t> order_;
  std::vector<std::uint64_t> leaves_;  ///< segments without segments
  std::uint64_t crashes_ = 0;
  std::uint64_t refusals_ = 0;
  std::uint64_t cuts_ = 0;
  int most_calls_ = 0;  ///< of a release
};

}  // namespace psnam::test
