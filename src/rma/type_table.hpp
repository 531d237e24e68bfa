// What the library knows of the datatypes in use, found by handle on every put and get.
//
// Predefined types have a table of their own, filled once in load() and only read afterwards: no ordering is needed
// beyond that load() happens before the first query.
//
// Derived types: why it works without a lock for readers. The table is a HandleTable (see there for the slots and for
// growth). Writers: the first find() of a type and forget(), under the mutex. Readers: any thread, any time. MPI
// forbids a program to use a handle that it is freeing, but not to free one of several references while another thread
// uses its own: MPI_Type_get_contents hands out further references with the same handle number. So forget() may hit a
// type in use, and a layout may only be deleted when nobody reads: a reader counts itself into readers_ before it
// looks, and out when its LayoutRef ends; forget() takes the layout out of the table first, then reads the counter. All
// are read-modify-writes of one atomic, hence in one order: a reader that forget() does not see counts itself in later,
// and then sees the table without the layout. What forget() cannot delete waits for the next forget(). A stale read
// costs nothing: the layout that a reader still finds is that of the type it holds a reference to; one it does not find
// any more is built again. A dead writer is a dead process: nothing here is shared.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "backends/layout.hpp"
#include "base/handle_table.hpp"
#include "base/result.hpp"
#include "rma/element.hpp"
#include "rma/real.hpp"

namespace psnam::rma {

using backends::Layout;

/// A layout that stays while this lives. Keep it for one transfer, not longer: it delays the release of all freed
/// types.
class LayoutRef {
 public:
  LayoutRef(LayoutRef&& other) noexcept
      : layout_{std::exchange(other.layout_, nullptr)}, readers_{std::exchange(other.readers_, nullptr)} {}
  LayoutRef& operator=(LayoutRef&&) = delete;
  LayoutRef(const LayoutRef&) = delete;
  LayoutRef& operator=(const LayoutRef&) = delete;
  ~LayoutRef() {
    if (readers_ != nullptr) readers_->fetch_sub(1, std::memory_order_acq_rel);
  }

  [[nodiscard]] const Layout* get() const noexcept { return layout_; }
  const Layout& operator*() const noexcept { return *layout_; }
  const Layout* operator->() const noexcept { return layout_; }

 private:
  friend class TypeTable;
  explicit LayoutRef(std::atomic<std::uint64_t>& readers) noexcept : readers_{&readers} {
    readers.fetch_add(1, std::memory_order_acq_rel);
  }

  const Layout* layout_ = nullptr;
  std::atomic<std::uint64_t>* readers_;
};

/// One for a process. Thread-safe after load(). No LayoutRef may outlive it.
class TypeTable {
 public:
  explicit TypeTable(const Real& real) noexcept : real_{&real} {}
  TypeTable(const TypeTable&) = delete;
  TypeTable& operator=(const TypeTable&) = delete;
  ~TypeTable();

  /// Learns the predefined types. Once, after MPI's initialization. `probe` is an internal communicator with
  /// MPI_ERRORS_RETURN that outlives the last find(): datatype arguments are checked by the MPI library on it, because
  /// an error without a communicator would end the program.
  [[nodiscard]] Status load(MPI_Comm probe);

  /// The bytes of a predefined type without a gap; 0 for every other handle.
  [[nodiscard]] std::size_t predefined_size(MPI_Datatype type) const noexcept {
    const Predefined& entry = predefined_[slot_of(type)];
    return entry.type == type ? entry.bytes : 0;
  }
  /// The element that a predefined type is, with a gap or without; of kind none for every other handle.
  [[nodiscard]] Element predefined_element(MPI_Datatype type) const noexcept {
    const Predefined& entry = predefined_[slot_of(type)];
    return entry.type == type ? entry.element : Element{};
  }

  /// The layout of any valid, committed type. Code::datatype for MPI_DATATYPE_NULL, an invalid or an uncommitted type;
  /// otherwise as flatten(). After the first time it takes no lock.
  [[nodiscard]] Result<LayoutRef> find(MPI_Datatype type);

  /// The program gives up one reference to `type`. To be called before the MPI library's own MPI_Type_free, since that
  /// one makes the handle number free for another thread's next type.
  void forget(MPI_Datatype type);

 private:
  static constexpr std::size_t kPredefined = 256;

  struct Predefined {
    MPI_Datatype type = 0;
    std::uint32_t bytes = 0;
    Element element{};
  };

  // MPICH's handles end in a number of their own; those of pair types, which it counts separately, have the uppermost
  // bit set.
  [[nodiscard]] static constexpr std::size_t slot_of(MPI_Datatype type) noexcept {
    const auto number = static_cast<std::uint32_t>(type);
    return (number & 0x7F) | (number >> 24 & 0x80);
  }

  [[nodiscard]] Status check_usable(MPI_Datatype type) const;
  [[nodiscard]] Status learn_predefined(MPI_Datatype type);
  [[nodiscard]] Result<const Layout*> insert(MPI_Datatype type);

  const Real* real_;
  MPI_Comm probe_ = MPI_COMM_NULL;
  std::array<Predefined, kPredefined> predefined_{};
  HandleTable<const Layout> layouts_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<const Layout>> retired_;
  alignas(64) std::atomic<std::uint64_t> readers_{0};
};

}  // namespace psnam::rma
