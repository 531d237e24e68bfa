#include "checkpoint/pulled.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "checkpoint/uses.hpp"

namespace psnam::checkpoint {

parity::Attempt pulled_attempt(std::uint64_t version) {
  return {.number = std::max<std::uint64_t>(format::random_challenge(), 1), .version = version, .slot = 0};
}

namespace {

/// What a killed job had begun at the same parity may still be under way: the service may be connecting to a member
/// that is dead. There is one job at a time, so it is waited for.
Result<nam::ParityDone> combine(AreaMemory& memory, const nam::ParityPart& part, parity::Deadline deadline) {
  return when_let_go([&] { return memory.service().combine(part, deadline); }, deadline);
}

}  // namespace

Status encode_pulled(AreaMemory& memory, const parity::Attempt& attempt, const parity::Note& note,
                     const parity::MemberData& data, std::span<const std::uint32_t> checksums,
                     parity::Deadline deadline) {
  auto* const bytes = const_cast<std::byte*>(data.bytes.data());
  PSNAM_TRY(const nam::ParityDone done, combine(memory,
                                                {.allocation_id = memory.record().id,
                                                 .attempt = attempt.number,
                                                 .work = nam::ParityWork::encode,
                                                 .version = attempt.version,
                                                 .note = note,
                                                 .member = data.member,
                                                 .bytes = {bytes, data.bytes.size()},
                                                 .lost = false,
                                                 .checksums = checksums},
                                                deadline));
  if (data.member == 0)
    log::debug("version {}: the service has read {} bytes; of {} stripes {} are as before", done.version,
               done.bytes_read, done.stripes, done.stripes_kept);
  return {};
}

Status rebuild_pulled(AreaMemory& memory, const parity::Attempt& attempt, const parity::MemberBuffer& data,
                      parity::Deadline deadline, parity::RebuildReport& report) {
  PSNAM_TRY(nam::ParityDone done, combine(memory,
                                          {.allocation_id = memory.record().id,
                                           .attempt = attempt.number,
                                           .work = nam::ParityWork::rebuild,
                                           .version = attempt.version,
                                           .member = data.member,
                                           .bytes = data.bytes,
                                           .lost = data.lost,
                                           .checksums = {}},
                                          deadline));
  report.version = done.version;
  report.rebuilt = std::move(done.rebuilt);
  if (data.member == 0) report.repaired = std::move(done.repaired);
  return {};
}

}  // namespace psnam::checkpoint
