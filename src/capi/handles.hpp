// Which objects the handles of a program stand for. A handle is the address of a record; it is looked up before it is
// followed, so that a foreign or freed one is found out and never touched.
//
// A record of the library that is given back is kept for a while, emptied, before its address can come again: a program
// that uses it after that shortly gets an error, not the next allocation.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace psnam::capi {

/// Records with a field `private_data`, which is the address of the object. Thread-safe.
template <class Record, class Object>
class Handles {
 public:
  /// A record of the library's, at an address of its own.
  Record* add(Record record, std::shared_ptr<Object> object) {
    auto owned = std::make_unique<Record>(record);
    Record* const at = owned.get();
    at->private_data = object.get();
    const std::lock_guard lock{mutex_};
    entries_.insert_or_assign(at, Entry{std::move(object), std::move(owned)});
    return at;
  }

  /// The program's record `at`. Returns what it stood for before, if its memory was used again without being freed.
  std::shared_ptr<Object> add(Record* at, std::shared_ptr<Object> object) {
    at->private_data = object.get();
    const std::lock_guard lock{mutex_};
    auto& entry = entries_[at];
    std::swap(entry.object, object);
    return object;
  }

  /// Null for what is no handle.
  [[nodiscard]] std::shared_ptr<Object> find(const Record* at) const {
    const std::shared_lock lock{mutex_};
    const auto found = entries_.find(at);
    if (found == entries_.end() || at->private_data != found->second.object.get()) return nullptr;
    return found->second.object;
  }

  /// The handle ends, and its record becomes `last`. Null for what is no handle (any more).
  std::shared_ptr<Object> remove(Record* at, const Record& last) {
    const std::lock_guard lock{mutex_};
    const auto found = entries_.find(at);
    if (found == entries_.end() || at->private_data != found->second.object.get()) return nullptr;
    if (!found->second.owned) *at = last;
    return end(found, last);
  }

  /// All handles end.
  std::vector<std::shared_ptr<Object>> clear(const Record& last) {
    const std::lock_guard lock{mutex_};
    std::vector<std::shared_ptr<Object>> objects;
    while (!entries_.empty()) objects.push_back(end(entries_.begin(), last));
    return objects;
  }

 private:
  static constexpr std::size_t kKept = 1024;

  struct Entry {
    std::shared_ptr<Object> object;
    std::unique_ptr<Record> owned;  ///< null: the record is the program's
  };
  using Entries = std::unordered_map<const Record*, Entry>;

  std::shared_ptr<Object> end(typename Entries::iterator at, const Record& last) {
    auto object = std::move(at->second.object);
    // The program's own record is written by its own free alone: it may be gone with the function that had it.
    if (at->second.owned) {
      *at->second.owned = last;
      ended_.push_back(std::move(at->second.owned));
      if (ended_.size() > kKept) ended_.pop_front();
    }
    entries_.erase(at);
    return object;
  }

  mutable std::shared_mutex mutex_;
  Entries entries_;
  std::deque<std::unique_ptr<Record>> ended_;
};

}  // namespace psnam::capi
