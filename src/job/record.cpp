#include "job/record.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/log.hpp"
#include "job/names.hpp"

namespace psnam::job {
namespace {

using format::JobRequest;
using format::JobState;

Result<nam::Memory> open_memory(nam::Service& nam, const format::AllocationRecord& record, Protection protection) {
  return nam.open_range(record.root_id, record.root_offset_bytes, record.size_bytes, protection);
}

/// For somebody who is not of the job. A mapping stays when the use that gave the right to it has ended, and so nobody
/// who looks is counted as one of the job for longer than that takes.
Result<Control> look_into(nam::Service& nam, const format::AllocationRecord& record, nam::AccessRight right) {
  PSNAM_TRY(const auto me, nam.user(0));
  PSNAM_TRY(const nam::AllocationUse use, nam.open_allocation(record.id, std::nullopt, right, {&me, 1}));
  auto memory =
      open_memory(nam, record, right == nam::AccessRight::read_only ? Protection::read_only : Protection::read_write);
  Status closed = nam.close(use.use_id);
  if (!memory) return memory.take_error();
  PSNAM_CHECK(std::move(closed));
  if (memory->remote)
    return Error{Code::unsupported, fmt::format("the control record \"{}\" is not mapped here: ask on the host of the "
                                                "manager, by its Unix socket",
                                                record.name)};
  return Control::over(std::move(*memory));
}

/// Processes that live and use the record. Somebody who looks into it has it in use for a moment.
Result<std::uint64_t> settled_users(nam::Service& nam, std::uint64_t id) {
  constexpr int kLooks = 20;
  constexpr int kPauseMs = 50;
  for (int look = 1;; ++look) {
    PSNAM_TRY(const std::uint64_t users, nam.count_users(id));
    if (users == 0 || look == kLooks) return users;
    ::poll(nullptr, 0, kPauseMs);
  }
}

Status put_record(const nam::Memory& memory, const JobFacts& facts) {
  if (!memory.remote) {
    prepare(memory.mapping.data(), facts);
    return {};
  }
  const std::uint64_t bytes = format::job_page_bytes(facts.ranks);
  const std::unique_ptr<std::byte[], void (*)(std::byte*)> copy{
      new (std::align_val_t{64}) std::byte[bytes](),
      [](std::byte* at) { ::operator delete[](at, std::align_val_t{64}); }};
  prepare(copy.get(), facts);
  const std::array piece{backends::Piece{0, copy.get(), bytes}};
  PSNAM_CHECK(memory.remote->write(piece));
  return memory.remote->flush();
}

/// Only a request to leave that was carried out counts.
Result<std::vector<Departure>> departures_of(nam::Service& nam, const format::AllocationRecord& record) {
  PSNAM_TRY(const Control control, look_into(nam, record, nam::AccessRight::read_only));
  PSNAM_TRY(const format::JobControl last, control.word());
  std::vector<Departure> departures;
  if (last.request != JobRequest::migrate) return departures;
  if (last.state != JobState::terminating && last.state != JobState::ended) return departures;
  PSNAM_TRY(const auto seats, control.seats());
  for (const SeatFacts& seat : seats)
    departures.push_back({.leaves = seat.leaving == format::kJobLeaves ? 1U : 0U, .node = seat.node});
  return departures;
}

/// What a job of that name has left goes, unless it runs.
Result<std::vector<Departure>> take_over(nam::Service& nam, const std::string& job) {
  const auto found = nam.find_allocation(record_name(::geteuid(), job));
  if (!found) {
    if (found.error().code == Code::name_not_found) return std::vector<Departure>{};
    return Error{found.error()};
  }
  PSNAM_TRY(const std::uint64_t living, settled_users(nam, found->id));
  if (living != 0)
    return Error{Code::busy, fmt::format("a job \"{}\" runs already: {} of its processes live", job, living)};
  auto departures = departures_of(nam, *found);
  // A record that cannot be read says nothing; it is in the way all the same.
  if (!departures) log::warn("what the job \"{}\" before has left: {}", job, departures.error().message);
  auto gone = nam.free_allocation(found->id, false);
  if (!gone && gone.error().code != Code::name_not_found) return gone.take_error();
  return departures ? std::move(*departures) : std::vector<Departure>{};
}

/// One that is made, and not taken away again.
bool is_found(const format::AllocationRecord& record) {
  return job_of_record(record.name) && record.consistency == format::Consistency::persistent;
}

Result<FoundRecord> look_at(nam::Service& nam, format::AllocationRecord record, nam::AccessRight right) {
  const auto job = job_of_record(record.name);
  PSNAM_TRY(const std::uint64_t living, nam.count_users(record.id));
  PSNAM_TRY(Control control, look_into(nam, record, right));
  return FoundRecord{.allocation = std::move(record), .job = *job, .living = living, .control = std::move(control)};
}

}  // namespace

Result<std::unique_ptr<Record>> Record::create(ServicePointer nam, const JobFacts& facts, std::uint32_t mode,
                                               std::vector<Departure>& departures) {
  PSNAM_CHECK(check_job_name(facts.name));
  PSNAM_TRY(departures, take_over(*nam, facts.name));
  nam::AllocationRequest request;
  request.size_bytes = format::job_page_bytes(facts.ranks);
  request.mode = mode;
  request.name = record_name(::geteuid(), facts.name);
  PSNAM_TRY(const auto me, nam->user(0));
  PSNAM_TRY(nam::AllocationUse use, nam->allocate(request, {&me, 1}));
  auto made = [&]() -> Result<std::unique_ptr<Record>> {
    PSNAM_TRY(nam::Memory memory, open_memory(*nam, use.allocation, Protection::read_write));
    PSNAM_CHECK(put_record(memory, facts));
    PSNAM_TRY(Control control, Control::over(std::move(memory)));
    return std::unique_ptr<Record>{new Record{nam, use, std::move(control)}};
  }();
  if (made) return made;
  if (const Status closed = nam->close(use.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use.allocation.id, closed.error().message);
  return made.take_error();
}

Result<std::unique_ptr<Record>> Record::connect(ServicePointer nam, const RecordTicket& ticket, std::uint32_t rank) {
  PSNAM_TRY(const auto me, nam->user(rank));
  PSNAM_TRY(nam::AllocationUse use,
            nam->open_allocation(ticket.allocation_id, ticket.challenge, nam::AccessRight::read_write, {&me, 1}));
  auto made = [&]() -> Result<std::unique_ptr<Record>> {
    PSNAM_TRY(nam::Memory memory, open_memory(*nam, use.allocation, Protection::read_write));
    PSNAM_TRY(Control control, Control::over(std::move(memory)));
    return std::unique_ptr<Record>{new Record{nam, use, std::move(control)}};
  }();
  if (made) return made;
  if (const Status closed = nam->close(use.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use.allocation.id, closed.error().message);
  return made.take_error();
}

Record::~Record() {
  if (const Status closed = nam_->close(use_.use_id); !closed)
    log::warn("allocation {} stays in use: {}", use_.allocation.id, closed.error().message);
}

Status Record::keep() { return nam_->set_allocation_consistency(use_.allocation.id, format::Consistency::persistent); }

Status Record::remove() {
  auto gone = nam_->free_allocation(use_.allocation.id, false);
  if (!gone && gone.error().code != Code::name_not_found) return gone.take_error();
  return {};
}

Result<std::vector<FoundRecord>> find_records(nam::Service& nam) {
  PSNAM_TRY(auto reports, nam.allocations());
  std::vector<FoundRecord> found;
  for (auto& report : reports) {
    if (!is_found(report.allocation)) continue;
    auto one = look_at(nam, std::move(report.allocation), nam::AccessRight::read_only);
    // A job that ends at this moment takes its record along. Who administers a store is told of records that he may not
    // look into.
    if (!one && (one.error().code == Code::name_not_found || one.error().code == Code::access)) continue;
    if (!one && (one.error().code == Code::corrupt || one.error().code == Code::incompatible)) {
      log::warn("{}", one.error().message);
      continue;
    }
    if (!one) return one.take_error();
    found.push_back(std::move(*one));
  }
  std::ranges::sort(found, {}, [](const FoundRecord& one) { return std::pair{one.job, one.allocation.uid}; });
  return found;
}

Result<FoundRecord> find_record(nam::Service& nam, const std::string& job, nam::AccessRight right) {
  PSNAM_CHECK(check_job_name(job));
  const std::uint32_t me = ::geteuid();
  auto record = nam.find_allocation(record_name(me, job));
  if (!record && record.error().code != Code::name_not_found) return record.take_error();
  if (!record) {
    PSNAM_TRY(auto reports, nam.allocations());
    const auto other = std::ranges::find_if(reports, [&](const auto& report) {
      return is_found(report.allocation) && job_of_record(report.allocation.name) == job;
    });
    if (other == reports.end())
      return Error{Code::name_not_found, fmt::format("there is no job \"{}\" that user {} may see", job, me)};
    record = std::move(other->allocation);
  }
  return look_at(nam, std::move(*record), right);
}

}  // namespace psnam::job
