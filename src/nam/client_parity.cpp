// Parity that the server makes: what a member does for it is to export its memory and to wait.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "nam/client.hpp"
#include "nam/member_exports.hpp"

namespace psnam::nam {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t step_until(Clock::time_point deadline) {
  constexpr std::chrono::microseconds kLongestStep{100'000};
  const auto rest = std::chrono::duration_cast<std::chrono::microseconds>(deadline - Clock::now());
  return static_cast<std::uint64_t>(std::clamp(rest, std::chrono::microseconds{0}, kLongestStep).count());
}

Error too_late(ClientLink& link, const ParityPart& part) {
  const auto standing = link.ask<reply::Text>(request::LeaveParity{part.allocation_id, part.attempt});
  return {Code::peer_lost, fmt::format("version {} was not complete in time for member {}: {}", part.version,
                                       part.member, standing ? standing->text : standing.error().message)};
}

/// What the server says of work that another session of this process had joined is no answer.
Error explained(ClientLink& link, const ParityPart& part, std::uint64_t session, Error error) {
  const auto now = link.session();
  if (now && *now == session) return error;
  return {Code::peer_lost,
          fmt::format("version {}: the server was lost while it made parity: {}", part.version, error.message)};
}

Result<ParityDone> wait(ClientLink& link, const ParityPart& part, std::uint64_t session, Clock::time_point deadline) {
  for (;;) {
    auto answer = link.ask<reply::Parity>(request::AwaitParity{part.allocation_id, part.attempt, step_until(deadline)});
    if (!answer) return explained(link, part, session, answer.take_error());
    if (answer->done) return std::move(*answer->done);
    if (Clock::now() >= deadline) return too_late(link, part);
  }
}

}  // namespace

Result<ParityDone> Client::combine(const ParityPart& part, Clock::time_point deadline) {
  PSNAM_CHECK(link_->require_there(part.allocation_id));
  PSNAM_TRY(const std::uint64_t session, link_->session());
  PSNAM_TRY(const std::string local_ip, link_->local_ip());
  PSNAM_TRY(MemberExport exported, link_->exports().open(local_ip));
  request::JoinParity join{.allocation_id = part.allocation_id,
                           .attempt = part.attempt,
                           .work = part.work,
                           .version = part.version,
                           .note = part.note,
                           .member = part.member,
                           .lost = part.lost,
                           .provider = link_->exports().provider(),
                           .address = exported.address(),
                           .data = {},
                           .checksums = {}};
  PSNAM_TRY(join.data, exported.add(part.bytes,
                                    part.work == ParityWork::rebuild ? Protection::read_write : Protection::read_only));
  const std::span told{const_cast<std::uint32_t*>(part.checksums.data()), part.checksums.size()};
  PSNAM_TRY(join.checksums, exported.add(std::as_writable_bytes(told), Protection::read_only));
  PSNAM_CHECK(link_->ask<reply::Done>(join).status());
  auto done = wait(*link_, part, session, deadline);
  if (done) exported.done();
  return done;
}

}  // namespace psnam::nam
