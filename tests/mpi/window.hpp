// Windows as the tests make them: all kinds by one parameter, each rank's place in them, and epochs in one word.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "mpi_test.hpp"

namespace psnam::test {

/// A window that frees itself, which is collective. Errors of its calls are returned.
class Window {
 public:
  Window(MPI_Aint size, int unit, MPI_Info info, MPI_Comm comm = MPI_COMM_WORLD) {
    MPI_Win_allocate(size, unit, info, comm, &base_, &win_);
    MPI_Win_set_errhandler(win_, MPI_ERRORS_RETURN);
  }
  ~Window() {
    if (win_ != MPI_WIN_NULL) MPI_Win_free(&win_);
  }
  Window(Window&& other) noexcept
      : base_{std::exchange(other.base_, nullptr)}, win_{std::exchange(other.win_, MPI_WIN_NULL)} {}
  Window& operator=(Window&&) = delete;
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  operator MPI_Win() const noexcept { return win_; }
  [[nodiscard]] void* base() const noexcept { return base_; }
  void fence(int assertions = 0) const { EXPECT_EQ(MPI_Win_fence(assertions, win_), MPI_SUCCESS); }
  void free() { EXPECT_EQ(MPI_Win_free(&win_), MPI_SUCCESS); }

 private:
  void* base_ = nullptr;
  MPI_Win win_ = MPI_WIN_NULL;
};

/// Where bytes live and which rank's byte is where. A mixed window has libnam on even ranks, pershm on odd ones.
struct Kind {
  const char* manifestation;
  const char* structure;

  [[nodiscard]] bool flat() const { return std::string{structure} == "raw_and_flat"; }
  [[nodiscard]] std::string manifestation_of(int rank) const {
    if (std::string{manifestation} != "mixed") return std::string{"psnam_manifestation_"} + manifestation;
    return rank % 2 == 0 ? "psnam_manifestation_libnam" : "psnam_manifestation_pershm";
  }
  void set(Info& info, int rank) const {
    info.set("psnam_manifestation", manifestation_of(rank));
    info.set("psnam_structure", std::string{"psnam_structure_"} + structure);
  }
};

/// Whether this process maps the memory of a part of a window of `kind`: that of a NAM it reaches over the fabric if it
/// is told to, and that of a node's store it maps.
[[nodiscard]] inline bool is_mapped(const Kind& kind, int owner) {
  const char* const path = std::getenv("PSNAM_PATH");
  if (path == nullptr || std::string{path} != "fabric") return true;
  const int holder = std::string{kind.structure} == "managed_distributed" ? owner : 0;
  return kind.manifestation_of(holder) != "psnam_manifestation_libnam";
}

inline constexpr std::array<Kind, 9> kKinds{{
    {"libnam", "raw_and_flat"},
    {"libnam", "managed_contiguous"},
    {"libnam", "managed_distributed"},
    {"pershm", "raw_and_flat"},
    {"pershm", "managed_contiguous"},
    {"pershm", "managed_distributed"},
    {"mixed", "raw_and_flat"},
    {"mixed", "managed_contiguous"},
    {"mixed", "managed_distributed"},
}};

[[nodiscard]] inline std::string kind_name(const testing::TestParamInfo<Kind>& info) {
  return std::string{info.param.manifestation} + "_" + info.param.structure;
}

/// A byte that tells who wrote it where and when.
[[nodiscard]] inline std::byte pattern(int writer, int target, std::size_t index, int round = 0) {
  const std::size_t mixed = index * 131 + static_cast<std::size_t>(writer) * 29 +
                            static_cast<std::size_t>(target) * 71 + static_cast<std::size_t>(round) * 17 + 1;
  return static_cast<std::byte>((mixed ^ (mixed >> 8)) & 0xff);
}

/// Every rank has a part of the window, `part_bytes` long, in displacement units of `unit`: its region, or, in a flat
/// window, its share of rank 0's.
class PartedWindow {
 public:
  PartedWindow(const Kind& kind, std::size_t part_bytes, std::size_t unit = 1, MPI_Comm comm = MPI_COMM_WORLD,
               std::initializer_list<std::pair<const char*, std::string>> keys = {})
      : flat_{kind.flat()}, part_units_{part_bytes / unit}, window_{make(kind, part_bytes, unit, comm, keys)} {}

  operator MPI_Win() const noexcept { return window_; }
  [[nodiscard]] const Window& window() const noexcept { return window_; }
  void fence(int assertions = 0) const { window_.fence(assertions); }
  [[nodiscard]] int target(int owner) const noexcept { return flat_ ? 0 : owner; }
  [[nodiscard]] MPI_Aint displacement(int owner, std::size_t units = 0) const noexcept {
    return static_cast<MPI_Aint>((flat_ ? static_cast<std::size_t>(owner) * part_units_ : 0) + units);
  }
  /// The bytes of the part of `owner`; inside an epoch in which nobody writes there. They are there when the epoch has
  /// ended, or after a flush, and not before: the get may be under way, into the vector's memory.
  [[nodiscard]] std::vector<std::byte> read(int owner, std::size_t bytes) const {
    std::vector<std::byte> part(bytes, std::byte{0xEE});
    const int count = static_cast<int>(bytes);
    EXPECT_EQ(MPI_Get(part.data(), count, MPI_BYTE, target(owner), displacement(owner), count, MPI_BYTE, window_),
              MPI_SUCCESS);
    return part;
  }

 private:
  static Window make(const Kind& kind, std::size_t part_bytes, std::size_t unit, MPI_Comm comm,
                     std::initializer_list<std::pair<const char*, std::string>> keys) {
    Info info{keys};
    const int rank = rank_in(comm);
    kind.set(info, rank);
    const std::size_t parts = kind.flat() ? (rank == 0 ? static_cast<std::size_t>(size_of(comm)) : 0) : 1;
    return Window{static_cast<MPI_Aint>(parts * part_bytes), static_cast<int>(unit), info, comm};
  }

  bool flat_;
  std::size_t part_units_;
  Window window_;
};

/// The key that makes a plain window.
inline const std::pair<const char*, std::string> kPershm{"psnam_manifestation", "psnam_manifestation_pershm"};
inline const std::pair<const char*, std::string> kLibnam{"psnam_manifestation", "psnam_manifestation_libnam"};

}  // namespace psnam::test
