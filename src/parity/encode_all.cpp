// Encoding by one process for all members. For each stripe it is decided, ahead of the reading, what is cheapest:
//   keep     no member changed a byte: the parity of the version before is copied
//   update   some did, and their bytes of before are at hand: they are taken out of the parity, and the new ones put in
//   pull     everybody's bytes are read
// Nothing of the version before is used whose checksum does not hold; then the stripe is pulled.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "parity/block_pass.hpp"
#include "parity/encode.hpp"
#include "parity/finished_parity.hpp"
#include "parity/puller.hpp"
#include "parity/working_stripe.hpp"

namespace psnam::parity {
namespace {

struct Plan {
  enum class Kind { keep, update, pull } kind = Kind::pull;
  std::uint64_t block = 0;
  std::vector<std::uint32_t> changed;  ///< for update
  std::vector<Extent> reads;
};

class Pulling {
 public:
  Pulling(Area& area, std::optional<Version> base, std::span<const std::uint64_t> sizes, Source& source,
          const EncodeOptions& options)
      : area_{area},
        shape_{area.shape()},
        base_{std::move(base)},
        sizes_{sizes},
        changes_{options.changes},
        stripes_{shape_.blocks_of(std::ranges::max(sizes))},
        working_{shape_},
        puller_{source, shape_.block_bytes, options.read_ahead, [this] { return next_read(); }} {}

  Result<EncodeReport> run(const Attempt& attempt) {
    slot_ = attempt.slot;
    report_.version = attempt.version;
    report_.stripes = stripes_;
    for (std::uint64_t block = 0; block < stripes_; ++block) {
      while (plans_.empty()) plan_next();
      const Plan plan = std::move(plans_.front());
      plans_.pop_front();
      PSNAM_CHECK(carry_out(plan));
    }
    std::ranges::copy(sizes_, area_.sizes(slot_));
    area_.write_commit(attempt, sizes_);
    return report_;
  }

 private:
  std::optional<Extent> next_read() {
    while (reads_.empty() && planned_ < stripes_) plan_next();
    if (reads_.empty()) return std::nullopt;
    const Extent extent = reads_.front();
    reads_.pop_front();
    return extent;
  }

  void plan_next() {
    Plan plan = plan_of(planned_++);
    reads_.insert(reads_.end(), plan.reads.begin(), plan.reads.end());
    plans_.push_back(std::move(plan));
  }

  [[nodiscard]] Extent now(std::uint32_t member, std::uint64_t block) const {
    return extent_of(shape_, member, block, sizes_[member]);
  }
  [[nodiscard]] Extent before(std::uint32_t member, std::uint64_t block) const {
    return extent_of(shape_, member, block, base_->sizes[member]);
  }
  [[nodiscard]] std::uint32_t base_checksum(std::uint32_t piece, std::uint64_t block) const {
    return area_.checksums(base_->slot, piece)[block];
  }

  Plan plan_of(std::uint64_t block) {
    Plan plan{Plan::Kind::pull, block, {}, {}};
    std::size_t there = 0;
    for (std::uint32_t member = 0; member < shape_.members; ++member) {
      if (now(member, block).bytes != 0) ++there;
      if (changes_ != nullptr && base_ && has_changed(member, block)) plan.changed.push_back(member);
    }
    if (changes_ != nullptr && base_ && plan.changed.size() < there && parity_of_base_holds(block)) {
      if (plan.changed.empty())
        plan.kind = Plan::Kind::keep;
      else if (bytes_of_before_hold(plan))
        plan.kind = Plan::Kind::update;
    }
    for (std::uint32_t member = 0; member < shape_.members; ++member) {
      const bool is_read =
          plan.kind == Plan::Kind::pull || std::ranges::find(plan.changed, member) != plan.changed.end();
      if (const Extent extent = now(member, block); is_read && extent.bytes != 0) plan.reads.push_back(extent);
    }
    return plan;
  }

  bool has_changed(std::uint32_t member, std::uint64_t block) {
    const std::size_t bytes = now(member, block).bytes;
    if (bytes != before(member, block).bytes) return true;
    return bytes != 0 && changes_->checksum_now(member, block) != base_checksum(member, block);
  }

  bool parity_of_base_holds(std::uint64_t block) const {
    if (block >= shape_.blocks_of(base_->longest_bytes)) return false;
    for (std::uint32_t parity = 0; parity < shape_.parities; ++parity)
      if (checksum({area_.parity_block(base_->slot, parity, block), shape_.block_bytes}) !=
          base_checksum(shape_.members + parity, block))
        return false;
    return true;
  }

  bool bytes_of_before_hold(const Plan& plan) {
    return std::ranges::all_of(plan.changed, [&](std::uint32_t member) {
      const Extent extent = before(member, plan.block);
      if (extent.bytes == 0) return true;
      const std::byte* const bytes = changes_->before(extent, base_->number);
      return bytes != nullptr && checksum({bytes, extent.bytes}) == base_checksum(member, plan.block);
    });
  }

  Status carry_out(const Plan& plan) {
    StoredParity parity{area_, slot_, plan.block};
    if (plan.kind == Plan::Kind::pull) {
      PSNAM_CHECK(add_what_is_read(plan, parity.places()));
    } else {
      PSNAM_CHECK(take_over(plan));
      for (const std::uint32_t member : plan.changed) PSNAM_CHECK(take_out(member, plan.block));
      PSNAM_CHECK(add_what_is_read(plan, {}));
      // Nothing more comes: no block, and the sums are written.
      static_cast<void>(pass_over(
          {}, {.outputs = working_.blocks(), .output_bytes = shape_.block_bytes, .finished = parity.places()}));
      ++(plan.kind == Plan::Kind::keep ? report_.stripes_kept : report_.stripes_updated);
    }
    parity.keep_checksums();
    return {};
  }

  /// With `finished`, the sums begin with the first and are complete with the last.
  Status add_what_is_read(const Plan& plan, std::span<Finished> finished) {
    for (const Extent& extent : plan.reads) {
      PSNAM_TRY(const auto bytes, puller_.next());
      const bool first = &extent == &plan.reads.front(), last = &extent == &plan.reads.back();
      BlockUse use = use_of(extent.member);
      use.assign = first && !finished.empty();
      use.finished = last ? finished : std::span<Finished>{};
      use.next = puller_.peek();
      area_.checksums(slot_, extent.member)[plan.block] = pass_over(bytes, use);
      report_.bytes_read += extent.bytes;
    }
    return {};
  }

  [[nodiscard]] BlockUse use_of(std::uint32_t member) const {
    return {.factors = &area_.code().encoding(),
            .input = member,
            .outputs = working_.blocks(),
            .output_bytes = shape_.block_bytes};
  }

  /// Parity and checksums of the version before; those of changed members are written over later.
  Status take_over(const Plan& plan) {
    for (std::uint32_t parity = 0; parity < shape_.parities; ++parity) {
      std::byte* const block = working_.blocks()[parity];
      std::memcpy(block, area_.parity_block(base_->slot, parity, plan.block), shape_.block_bytes);
      if (checksum({block, shape_.block_bytes}) != base_checksum(shape_.members + parity, plan.block))
        return changed_meanwhile({shape_.members + parity, plan.block});
    }
    for (std::uint32_t member = 0; member < shape_.members; ++member)
      if (before(member, plan.block).bytes != 0)
        area_.checksums(slot_, member)[plan.block] = base_checksum(member, plan.block);
    return {};
  }

  Status take_out(std::uint32_t member, std::uint64_t block) {
    const Extent extent = before(member, block);
    if (extent.bytes == 0) return {};
    const std::byte* const bytes = changes_->before(extent, base_->number);
    if (bytes == nullptr || pass_over({bytes, extent.bytes}, use_of(member)) != base_checksum(member, block))
      return changed_meanwhile({member, block});
    return {};
  }

  [[nodiscard]] Error changed_meanwhile(const BadBlock& what) const {
    return Error{psnam::Code::corrupt, fmt::format("{} of version {} of parity area '{}' changed while it was used",
                                                   describe(what, shape_.members), base_->number, area_.name())};
  }

  Area& area_;
  const format::ParityShape& shape_;
  std::optional<Version> base_;
  std::span<const std::uint64_t> sizes_;
  Changes* changes_;
  std::uint64_t stripes_;
  std::size_t slot_ = 0;
  WorkingStripe working_;
  std::uint64_t planned_ = 0;
  std::deque<Plan> plans_;
  std::deque<Extent> reads_;
  EncodeReport report_;
  Puller puller_;  // last: it asks for reads
};

}  // namespace

Result<EncodeReport> encode_all(Area& area, std::uint64_t number, std::span<const std::uint64_t> sizes, Source& source,
                                const EncodeOptions& options) {
  if (sizes.size() != area.shape().members)
    return Error{psnam::Code::invalid_argument, fmt::format("sizes of {} members for parity area '{}' of {}",
                                                            sizes.size(), area.name(), area.shape().members)};
  for (std::uint32_t member = 0; member < sizes.size(); ++member)
    if (sizes[member] > area.shape().capacity_bytes)
      return Error{psnam::Code::size, fmt::format("member {} has {} bytes, parity area '{}' was made for {} a member",
                                                  member, sizes[member], area.name(), area.shape().capacity_bytes)};
  auto versions = area.versions();
  std::optional<Version> base;
  if (!versions.empty()) base = std::move(versions.front());
  PSNAM_TRY(const Attempt attempt, area.begin(number, options.note));
  return Pulling{area, std::move(base), sizes, source, options}.run(attempt);
}

}  // namespace psnam::parity
