#include "nam/parity_job.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <new>

#include "parity/encode.hpp"

namespace psnam::nam {
namespace {

/// What is being read ahead: enough to keep a network busy, and a bound on what a job takes.
constexpr std::size_t kWindowBytes = std::size_t{4} << 20;

std::size_t blocks_ahead(std::uint32_t block_bytes) {
  return std::clamp<std::size_t>(kWindowBytes / block_bytes, 2, 128);
}

}  // namespace

ParityJob::ParityJob(std::shared_ptr<RootMapping> mapping, std::span<std::byte> memory,
                     const format::ParityShape& shape, const request::JoinParity& first)
    : attempt_{first.attempt},
      work_{first.work},
      version_{first.version},
      shape_{shape},
      mapping_{std::move(mapping)},
      memory_{memory},
      members_(shape.members) {}

Result<std::shared_ptr<ParityJob>> ParityJob::open(std::shared_ptr<RootMapping> mapping, std::span<std::byte> memory,
                                                   const request::JoinParity& first) {
  if (first.attempt == 0 || first.version == 0)
    return Error{Code::invalid_argument,
                 fmt::format("attempt {} at version {}: both are above 0", first.attempt, first.version)};
  PSNAM_TRY(const parity::Area area, parity::Area::open(memory));
  return std::shared_ptr<ParityJob>{new ParityJob{std::move(mapping), memory, area.shape(), first}};
}

Status ParityJob::check(const request::JoinParity& member) const {
  if (member.work != work_ || member.version != version_)
    return Error{Code::invalid_argument, fmt::format("member {} is at version {} of another work than the others, who "
                                                     "are at version {}",
                                                     member.member, member.version, version_)};
  if (member.member >= shape_.members)
    return Error{Code::rank, fmt::format("member {} of a set of {}", member.member, shape_.members)};
  if (member.data.bytes > shape_.capacity_bytes)
    return Error{Code::size, fmt::format("member {} has {} bytes, the parity area was made for {} a member",
                                         member.member, member.data.bytes, shape_.capacity_bytes)};
  if (members_[member.member])
    return Error{Code::invalid_argument, fmt::format("member {} has come already", member.member)};
  if (member.lost && work_ == ParityWork::encode)
    return Error{Code::invalid_argument, fmt::format("member {} has lost what is to be encoded", member.member)};
  return {};
}

Result<bool> ParityJob::join(std::uint64_t session, const request::JoinParity& member, Connect connect) {
  const std::lock_guard lock{mutex_};
  if (state_ == State::over && failure_) return Error{failure_->code, failure_->message, failure_->detail};
  PSNAM_CHECK(check(member));
  members_[member.member] = Member{.session = session, .part = member, .connect = std::move(connect)};
  if (++come_ < members_.size()) return false;
  state_ = State::running;
  return true;
}

void ParityJob::run() {
  auto result = [&]() -> Result<ParityDone> {
    try {
      return work();
    } catch (const std::bad_alloc&) {
      return Error{Code::no_memory, "the server has no memory left for the work on parity"};
    }
  }();
  end(std::move(result));
}

Result<std::vector<MemberMemory>> ParityJob::connect_all() {
  std::vector<MemberMemory> memories;
  for (const auto& member : members_) {
    MemberMemory memory{.link = nullptr, .data = member->part.data, .checksums = member->part.checksums};
    if (memory.data.bytes != 0) {
      auto link = member->connect(stops_connecting_.get_token());
      if (!link)
        return Error{link.error().code, fmt::format("member {}: {}", member->part.member, link.error().message),
                     link.error().detail};
      memory.link = std::move(*link);
      const std::lock_guard lock{mutex_};
      links_.push_back(memory.link);
    }
    memories.push_back(std::move(memory));
    // After it stands among the links: whoever stops this from now on finds it there.
    PSNAM_CHECK(still_on());
  }
  return memories;
}

Result<ParityDone> ParityJob::work() {
  PSNAM_TRY(parity::Area area, parity::Area::open(memory_));
  if (area.shape() != shape_)
    return Error{Code::corrupt, fmt::format("the parity area '{}' has become another one", area.name())};
  PSNAM_TRY(const auto members, connect_all());
  return work_ == ParityWork::encode ? encode(area, members) : rebuild(area, members);
}

Result<ParityDone> ParityJob::encode(parity::Area& area, std::span<const MemberMemory> members) {
  std::vector<std::uint64_t> sizes;
  for (const MemberMemory& member : members) sizes.push_back(member.data.bytes);
  PSNAM_TRY(MemberChecksums checksums, MemberChecksums::read(members, shape_.block_bytes));
  MemberSource source{members, [this] { return still_on(); }};
  PSNAM_TRY(const parity::EncodeReport report, parity::encode_all(area, version_, sizes, source,
                                                                  {.note = members_.front()->part.note,
                                                                   .changes = checksums.any() ? &checksums : nullptr,
                                                                   .read_ahead = blocks_ahead(shape_.block_bytes)}));
  return ParityDone{.version = report.version,
                    .stripes = report.stripes,
                    .stripes_kept = report.stripes_kept,
                    .bytes_read = report.bytes_read,
                    .rebuilt = {},
                    .repaired = {}};
}

Result<ParityDone> ParityJob::rebuild(parity::Area& area, std::span<const MemberMemory> members) {
  PSNAM_TRY(const parity::Version version, area.version(version_));
  std::vector<std::uint32_t> lost;
  for (std::uint32_t member = 0; member < members.size(); ++member) {
    if (members[member].data.bytes != version.sizes[member])
      return Error{Code::size, fmt::format("member {} has {} bytes; in version {} it had {}", member,
                                           members[member].data.bytes, version_, version.sizes[member])};
    if (members_[member]->part.lost) lost.push_back(member);
  }
  MemberSource memory{members, [this] { return still_on(); }};
  parity::RebuildReport report;
  PSNAM_CHECK(parity::rebuild_all(area, version, lost, memory, memory, report));
  if (report.repaired.size() > ParityDone::kMostRepaired) report.repaired.resize(ParityDone::kMostRepaired);
  return ParityDone{.version = report.version,
                    .stripes = shape_.blocks_of(version.longest_bytes),
                    .stripes_kept = 0,
                    .bytes_read = 0,
                    .rebuilt = std::move(report.rebuilt),
                    .repaired = std::move(report.repaired)};
}

Status ParityJob::still_on() const {
  const std::lock_guard lock{mutex_};
  if (stop_) return Error{stop_->code, stop_->message, stop_->detail};
  return {};
}

void ParityJob::end(Result<ParityDone> result) {
  const std::lock_guard lock{mutex_};
  if (result)
    done_ = std::move(*result);
  else
    failure_ = stop_ ? std::move(*stop_) : result.take_error();
  // The members let go of their endpoints after a failure.
  if (failure_)
    for (const auto& link : links_) link->abandon(failure_->message);
  links_.clear();
  finish();
}

/// With the mutex held.
void ParityJob::finish() {
  state_ = State::over;
  ended_at_ = Clock::now();
  for (auto& member : members_)
    if (member) member->connect = nullptr;
  mapping_.reset();
  ended_.notify_all();
}

void ParityJob::abandon(Error reason) {
  const std::lock_guard lock{mutex_};
  if (state_ == State::over || stop_) return;
  if (state_ == State::running) {
    // Whoever waits for a member's memory comes back at once.
    for (const auto& link : links_) link->abandon(reason.message);
    stops_connecting_.request_stop();
    stop_ = std::move(reason);
    return;
  }
  failure_ = std::move(reason);
  finish();
}

void ParityJob::leave(std::uint64_t session, std::string_view reason) {
  std::optional<std::uint32_t> left;
  {
    const std::lock_guard lock{mutex_};
    for (auto& member : members_) {
      if (!member || member->session != session || member->heard) continue;
      member->heard = true;
      left = member->part.member;
    }
  }
  if (left) abandon({Code::peer_lost, fmt::format("member {} {}", *left, reason)});
}

Result<std::optional<ParityDone>> ParityJob::await(std::uint64_t session, Clock::time_point deadline) {
  std::unique_lock lock{mutex_};
  const auto is_of_session = [&](const auto& member) { return member && member->session == session; };
  if (std::ranges::none_of(members_, is_of_session))
    return Error{Code::name_not_found, fmt::format("this session has no member in the attempt {}", attempt_)};
  if (!ended_.wait_until(lock, deadline, [this] { return state_ == State::over; })) return std::optional<ParityDone>{};
  for (auto& member : members_)
    if (is_of_session(member)) member->heard = true;
  if (failure_) return Error{failure_->code, failure_->message, failure_->detail};
  return std::optional{done_};
}

bool ParityJob::over() const {
  const std::lock_guard lock{mutex_};
  return state_ == State::over;
}

bool ParityJob::running() const {
  const std::lock_guard lock{mutex_};
  return state_ == State::running;
}

bool ParityJob::forgotten() const {
  const std::lock_guard lock{mutex_};
  if (state_ != State::over) return false;
  return std::ranges::all_of(members_, [](const auto& one) { return one && one->heard; }) ||
         Clock::now() - ended_at_ > kRemembered;
}

std::string ParityJob::standing() const {
  const std::lock_guard lock{mutex_};
  if (state_ == State::over) return "the work is over";
  if (state_ == State::running) return "the work is under way";
  std::vector<std::size_t> missing;
  for (std::size_t member = 0; member < members_.size(); ++member)
    if (!members_[member]) missing.push_back(member);
  return fmt::format("members {} have not come", fmt::join(missing, ", "));
}

}  // namespace psnam::nam
