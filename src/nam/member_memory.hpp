// Members' memory as the parity engine sees it, where the server reads and writes it over the fabric: reads are started
// ahead of their use, and only what is needed next is waited for.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "backends/fabric.hpp"
#include "nam/parity_service.hpp"
#include "parity/source.hpp"

namespace psnam::nam {

/// One member: how it is reached. No connection: it has no bytes.
struct MemberMemory {
  std::shared_ptr<backends::FabricClient> link;
  ExportedPart data;
  ExportedPart checksums;
};

/// Used by one thread.
class MemberSource final : public parity::Source, public parity::Sink {
 public:
  /// `still_on` is asked now and then; its error ends the work.
  MemberSource(std::span<const MemberMemory> members, std::function<Status()> still_on);

  [[nodiscard]] const std::byte* view(const parity::Extent&) override { return nullptr; }
  [[nodiscard]] Status start(const parity::Extent& extent, std::byte* into) override;
  [[nodiscard]] Status finish(const parity::Extent& extent) override;
  void drain() noexcept override;
  [[nodiscard]] Status put(const parity::Extent& extent, const std::byte* from) override;

 private:
  struct Member {
    std::shared_ptr<backends::FabricClient> link;
    std::shared_ptr<backends::RemoteMemory> memory;
    std::deque<std::uint64_t> started;  ///< how far the link was behind each read that is not finished
  };

  std::vector<Member> members_;
  std::function<Status()> still_on_;
};

/// What members say of their blocks, read before anything else.
class MemberChecksums final : public parity::Changes {
 public:
  /// Code::range for a table that is not of the blocks of the member's data.
  [[nodiscard]] static Result<MemberChecksums> read(std::span<const MemberMemory> members, std::uint32_t block_bytes);

  [[nodiscard]] bool any() const noexcept;
  [[nodiscard]] std::optional<std::uint32_t> checksum_now(std::uint32_t member, std::uint64_t block) override;
  /// They are with the member, which has only the new ones.
  [[nodiscard]] const std::byte* before(const parity::Extent&, std::uint64_t) override { return nullptr; }

 private:
  std::vector<std::vector<std::uint32_t>> tables_;  ///< of each member; empty: it has told nothing
};

}  // namespace psnam::nam
