#include "checkpoint/export.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "checkpoint/files.hpp"
#include "checkpoint/set_areas.hpp"
#include "format/checkpoint_page.hpp"
#include "parity/code.hpp"
#include "parity/stripe_reader.hpp"

namespace psnam::checkpoint {
namespace {

using format::CheckpointCopyShape;

/// A copy in memory of this process, as it will be in the file.
class CopyInMemory {
 public:
  CopyInMemory(const CopyOwner& owner, std::uint64_t payload_bytes, std::uint32_t block_bytes)
      : shape_{payload_bytes, block_bytes},
        memory_{static_cast<std::byte*>(::operator new[](size(), std::align_val_t{format::kCheckpointPage}))},
        view_{{memory_.get(), size()}, owner} {
    std::memset(memory_.get(), 0, shape_.payload_at());
  }

  [[nodiscard]] std::span<std::byte> payload() const noexcept {
    return view_.room(shape_.payload_bytes, shape_.block_bytes);
  }
  [[nodiscard]] const CopyView& commit(const VersionKey& key) const {
    const auto bytes = payload();
    std::vector<std::uint32_t> row;
    for (std::size_t at = 0; at < bytes.size(); at += shape_.block_bytes)
      row.push_back(parity::checksum(bytes.subspan(at, std::min<std::size_t>(shape_.block_bytes, bytes.size() - at))));
    view_.commit(key, shape_.payload_bytes, shape_.block_bytes, row.data());
    return view_;
  }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept {
      ::operator delete[](bytes, std::align_val_t{format::kCheckpointPage});
    }
  };
  [[nodiscard]] std::size_t size() const noexcept {
    return CheckpointCopyShape::to(format::kCheckpointPage, std::max(shape_.bytes(), 2 * format::kCheckpointPage));
  }

  CheckpointCopyShape shape_;
  std::unique_ptr<std::byte[], Free> memory_;
  CopyView view_;
};

class Export {
 public:
  Export(const SeenSeries& seen, const VersionKey& key, const std::filesystem::path& folder)
      : seen_{seen}, key_{key}, folder_{folder} {
    report_.version = key;
  }

  Result<ExportReport> run() {
    // Nothing is written before all of it is in hand.
    copies_.resize(seen_.series().ranks());
    for (std::uint32_t set = 0; set < seen_.series().sets; ++set) {
      const auto parity = seen_.parity_of(set, key_);
      PSNAM_CHECK(parity ? take_set(set, *parity) : take_copies(set));
    }
    for (std::uint32_t rank = 0; rank < copies_.size(); ++rank) {
      const CopyView& whole = copies_[rank]->commit(key_);
      PSNAM_CHECK(Files(folder_, seen_.series().name, seen_.series().ranks(), rank).add(whole));
      report_.bytes += whole.whole().size();
    }
    std::ranges::sort(report_.rebuilt);
    std::ranges::sort(report_.repaired);
    return std::move(report_);
  }

 private:
  void make_room(std::uint32_t rank, std::uint64_t payload_bytes) {
    copies_[rank] = std::make_unique<CopyInMemory>(CopyOwner{seen_.series().id, seen_.series().ranks(), rank},
                                                   payload_bytes, seen_.series().block_bytes);
  }

  Status take_copies(std::uint32_t set) {
    for (const std::uint32_t rank : seen_.series().ranks_of(set)) {
      const SeenCopy* const copy = seen_.copy_of(rank, key_);
      if (copy == nullptr) return fail(fmt::format("the copy of rank {} is not here, and its set has no parity", rank));
      PSNAM_CHECK(copy->memory.need_all());
      make_room(rank, copy->payload_bytes);
      // First the bytes, then the look: what is written to meanwhile is found.
      std::memcpy(copies_[rank]->payload().data(),
                  copy->view().room(copy->payload_bytes, seen_.series().block_bytes).data(), copy->payload_bytes);
      if (copy->view().count_damaged() != 0)
        return fail(fmt::format("the copy of rank {} is damaged, and its set has no parity", rank));
    }
    return {};
  }

  Status take_set(std::uint32_t set, const SeenParity& parity) {
    PSNAM_CHECK(parity.area->memory.need_all());
    const auto ranks = seen_.series().ranks_of(set);
    std::vector<std::span<const std::byte>> members;
    for (const std::uint32_t rank : ranks) {
      const SeenCopy* const copy = seen_.copy_of(rank, key_);
      if (copy != nullptr) PSNAM_CHECK(copy->memory.need_all());
      members.push_back(copy == nullptr ? std::span<std::byte>{} : copy->view().payload());
    }
    parity::StripeReader reader{parity.area->area, parity.version, members};
    for (const std::uint32_t member : reader.lost()) report_.rebuilt.push_back(ranks[member]);
    if (reader.lost().size() > seen_.series().parities)
      return fail(fmt::format("the copies of ranks {} are not here, and {} of a set can be made again at most",
                              fmt::join(report_.rebuilt, ", "), seen_.series().parities));
    for (std::uint32_t member = 0; member < ranks.size(); ++member)
      make_room(ranks[member], parity.version.sizes[member]);
    return take_stripes(set, ranks, reader);
  }

  Status take_stripes(std::uint32_t set, const std::vector<std::uint32_t>& ranks, parity::StripeReader& reader) {
    for (std::uint64_t block = 0; block < reader.blocks(); ++block) {
      if (const Status read = reader.read(block); !read)
        return fail(fmt::format("set {}: {}", set, read.error().message));
      for (std::uint32_t member = 0; member < ranks.size(); ++member)
        if (const auto bytes = reader.bytes(member); !bytes.empty())
          std::memcpy(copies_[ranks[member]]->payload().data() + block * seen_.series().block_bytes, bytes.data(),
                      bytes.size());
      for (const parity::BadBlock& bad : reader.damaged())
        if (bad.piece < ranks.size() && std::ranges::find(report_.repaired, ranks[bad.piece]) == report_.repaired.end())
          report_.repaired.push_back(ranks[bad.piece]);
    }
    return {};
  }

  [[nodiscard]] Status fail(const std::string& why) const {
    return Error{Code::corrupt, fmt::format("version {} of the checkpoints \"{}\" cannot be had from what is here: {}",
                                            key_.number, seen_.series().name, why)};
  }

  const SeenSeries& seen_;
  VersionKey key_;
  const std::filesystem::path& folder_;
  std::vector<std::unique_ptr<CopyInMemory>> copies_;
  ExportReport report_;
};

}  // namespace

Result<ExportReport> export_version(const SeenSeries& series, const VersionKey& key,
                                    const std::filesystem::path& folder) {
  return Export{series, key, folder}.run();
}

}  // namespace psnam::checkpoint
