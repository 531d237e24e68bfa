// The copies and the parity of managed checkpoints in the memory files of a store, as a test loses and damages them:
// from outside.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "format/checkpoint_page.hpp"
#include "format/parity_page.hpp"

namespace psnam::test {

struct CopyFile {
  std::filesystem::path path;
  format::CheckpointCopyHeader header;
};

/// Whole copies of all ranks, or of one.
[[nodiscard]] inline std::vector<CopyFile> copy_files(const std::filesystem::path& store, int rank = -1) {
  std::vector<CopyFile> found;
  if (!std::filesystem::exists(store / "memory")) return found;
  for (const auto& entry : std::filesystem::directory_iterator{store / "memory"}) {
    CopyFile copy{entry.path(), {}};
    std::ifstream{copy.path, std::ios::binary}.read(reinterpret_cast<char*>(&copy.header), sizeof copy.header);
    if (copy.header.magic != format::kCheckpointCopyMagic) continue;
    if (rank == -1 || copy.header.rank == static_cast<std::uint32_t>(rank)) found.push_back(copy);
  }
  return found;
}

inline void change_byte(const std::filesystem::path& path, std::uint64_t offset) {
  std::fstream file{path, std::ios::binary | std::ios::in | std::ios::out};
  file.seekg(static_cast<std::streamoff>(offset));
  const int before = file.get();
  file.seekp(static_cast<std::streamoff>(offset));
  file.put(static_cast<char>(before ^ 0x10));
}

/// The copies of a rank are none any more; of `version` only, or of all.
inline void lose_copies(const std::filesystem::path& store, int rank, std::uint64_t version = 0) {
  for (const CopyFile& copy : copy_files(store, rank))
    if (version == 0 || copy.header.number == version) change_byte(copy.path, 0);
}

/// No parity area has a version any more.
inline void lose_parity(const std::filesystem::path& store) {
  for (const auto& entry : std::filesystem::directory_iterator{store / "memory"}) {
    format::ParityHeader header{};
    std::ifstream{entry.path(), std::ios::binary}.read(reinterpret_cast<char*>(&header), sizeof header);
    if (header.magic != format::kParityMagic) continue;
    const format::ParityShape shape{header.members, header.parities, header.block_bytes, header.capacity_bytes,
                                    std::max(header.slots, format::kParityMinSlots)};
    for (std::size_t slot = 0; slot < shape.slots; ++slot) {
      std::fstream file{entry.path(), std::ios::binary | std::ios::in | std::ios::out};
      file.seekp(static_cast<std::streamoff>(shape.slots_offset() + slot * shape.slot_bytes() +
                                             format::ParityShape::commit_offset()));
      const format::ParityCommit none{};
      file.write(reinterpret_cast<const char*>(&none), sizeof none);
    }
  }
}

/// A byte of the payload.
inline void damage_copy(const std::filesystem::path& store, int rank, std::uint64_t version, std::uint64_t at) {
  for (const CopyFile& copy : copy_files(store, rank))
    if (copy.header.number == version)
      change_byte(copy.path,
                  format::CheckpointCopyShape{copy.header.payload_bytes, copy.header.block_bytes}.payload_at() + at);
}

}  // namespace psnam::test
