#include "nam/memory_table.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/log.hpp"

namespace psnam::nam {

Result<std::shared_ptr<RootMapping>> RootMapping::of(const Fd& file, std::uint64_t root_id) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return system_error(fmt::format("the file of allocation {}", root_id), errno);
  const auto bytes = static_cast<std::size_t>(status.st_size);
  if (bytes == 0) return std::shared_ptr<RootMapping>{new RootMapping{nullptr, 0, root_id}};
  void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (data == MAP_FAILED)
    return system_error(fmt::format("mapping the {} bytes of allocation {}", bytes, root_id), errno);
  std::shared_ptr<RootMapping> mapping{new RootMapping{static_cast<std::byte*>(data), bytes, root_id}};
  PSNAM_TRY(mapping->guard_, GuardedRange::over(mapping->data_, bytes));
  return mapping;
}

RootMapping::~RootMapping() {
  guard_ = {};
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Result<std::span<std::byte>> RootMapping::part(std::uint64_t offset_bytes, std::uint64_t bytes) const {
  if (offset_bytes > bytes_ || bytes > bytes_ - offset_bytes)
    return Error{Code::range, fmt::format("the allocation {} has {} bytes, {} bytes at offset {} are wanted", root_id_,
                                          bytes_, bytes, offset_bytes)};
  return std::span<std::byte>{data_ + offset_bytes, bytes};
}

void RootMapping::retire() noexcept {
  const std::lock_guard lock{mutex_};
  if (retired_ || data_ == nullptr) return;
  retired_ = true;
  // In one step: there is no moment at which the addresses belong to nobody, or to somebody else.
  void* const there =
      ::mmap(data_, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  if (there == MAP_FAILED)
    log::warn("the memory of the released allocation {} stays until its clients have gone: {}", root_id_,
              system_error("mapping pages of nobody", errno).message);
}

bool RootMapping::retired() const {
  const std::lock_guard lock{mutex_};
  return retired_;
}

std::shared_ptr<RootMapping> MemoryTable::find(std::uint64_t root_id) {
  const auto found = roots_.find(root_id);
  if (found == roots_.end()) return nullptr;
  auto mapping = found->second.lock();
  if (!mapping) roots_.erase(found);
  return mapping;
}

std::vector<std::uint64_t> MemoryTable::roots() {
  const std::lock_guard lock{mutex_};
  std::erase_if(roots_, [](const auto& row) { return row.second.expired(); });
  std::vector<std::uint64_t> ids;
  for (const auto& row : roots_) ids.push_back(row.first);
  return ids;
}

bool MemoryTable::holds(std::uint64_t root_id) {
  const std::lock_guard lock{mutex_};
  return find(root_id) != nullptr;
}

void MemoryTable::retire(std::uint64_t root_id) {
  const std::lock_guard lock{mutex_};
  const auto mapping = find(root_id);
  if (!mapping) return;
  roots_.erase(root_id);
  mapping->retire();
  std::erase_if(retired_, [](const auto& one) { return one.expired(); });
  retired_.push_back(mapping);
}

std::uint64_t MemoryTable::quarantined_bytes() {
  const std::lock_guard lock{mutex_};
  std::uint64_t bytes = 0;
  for (const auto& one : retired_)
    if (const auto mapping = one.lock()) bytes += mapping->bytes().size();
  return bytes;
}

}  // namespace psnam::nam
