// The memory files that a server itself has mapped, each once, for the sessions that reach them over the fabric and for
// what it carries out on request.
//
// A write of a client may still be on its way when the memory under it is released. So a mapping that a client has had
// a key for stays where it is until the client's endpoint is gone, and when the memory is released, pages of nobody
// take the place of its file: the file's memory goes back to the system, and what still arrives harms
// nobody. Clients of this host may have the same file, and cut it short: the mapping is guarded against that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "base/system.hpp"
#include "nam/sigbus_guard.hpp"

namespace psnam::nam {

/// One file. Thread-safe.
class RootMapping {
 public:
  static Result<std::shared_ptr<RootMapping>> of(const Fd& file, std::uint64_t root_id);
  ~RootMapping();
  RootMapping(const RootMapping&) = delete;
  RootMapping& operator=(const RootMapping&) = delete;

  /// All of it, from the beginning of the file on.
  [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {data_, bytes_}; }
  /// Code::range if the file has no such part.
  [[nodiscard]] Result<std::span<std::byte>> part(std::uint64_t offset_bytes, std::uint64_t bytes) const;

  /// Puts nobody's pages in its place. Who uses it meanwhile finds zeros.
  void retire() noexcept;
  [[nodiscard]] bool retired() const;

 private:
  RootMapping(std::byte* data, std::size_t bytes, std::uint64_t root_id) noexcept
      : data_{data}, bytes_{bytes}, root_id_{root_id} {}

  std::byte* data_;
  std::size_t bytes_;
  std::uint64_t root_id_;
  mutable std::mutex mutex_;
  bool retired_ = false;
  GuardedRange guard_;
};

/// By the root's id, as long as anybody holds one. Thread-safe.
class MemoryTable {
 public:
  /// The mapping of `root_id`, made of `open()` if there is none.
  template <class Open>
  Result<std::shared_ptr<RootMapping>> get(std::uint64_t root_id, Open open) {
    const std::lock_guard lock{mutex_};
    if (auto known = find(root_id)) return known;
    PSNAM_TRY(const Fd file, open());
    PSNAM_TRY(auto mapping, RootMapping::of(file, root_id));
    roots_[root_id] = mapping;
    return mapping;
  }

  /// Those that anybody holds.
  [[nodiscard]] std::vector<std::uint64_t> roots();
  [[nodiscard]] bool holds(std::uint64_t root_id);
  /// For a root that was released. Its id is never given again.
  void retire(std::uint64_t root_id);
  /// Bytes that are kept from others until the endpoints that had a key for them are gone.
  [[nodiscard]] std::uint64_t quarantined_bytes();

 private:
  [[nodiscard]] std::shared_ptr<RootMapping> find(std::uint64_t root_id);

  std::mutex mutex_;
  std::unordered_map<std::uint64_t, std::weak_ptr<RootMapping>> roots_;
  std::vector<std::weak_ptr<RootMapping>> retired_;
};

}  // namespace psnam::nam
