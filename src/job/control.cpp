#include "job/control.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstring>
#include <new>

#include "nam/lock_page.hpp"

namespace psnam::job {
namespace {

using format::JobControl;
using format::JobOutcome;
using format::JobPage;
using format::JobSeat;

constexpr std::uint64_t seat_at(std::uint32_t rank) noexcept {
  return sizeof(JobPage) + std::uint64_t{rank} * sizeof(JobSeat);
}

constexpr std::uint64_t outcome_at(std::uint32_t sequence) noexcept {
  return offsetof(JobPage, outcomes) + sequence % format::kJobOutcomes * sizeof(JobOutcome);
}

/// Its bytes may be copied as long as nobody holds it, as the C library here has it.
void make_mutex(std::uint8_t* at) noexcept {
  pthread_mutexattr_t attributes;
  ::pthread_mutexattr_init(&attributes);
  ::pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  ::pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  ::pthread_mutex_init(reinterpret_cast<pthread_mutex_t*>(at), &attributes);
  ::pthread_mutexattr_destroy(&attributes);
}

/// The part of a record that does not change, and what of it is looked at first.
struct Head {
  std::uint32_t magic, version, ranks, abilities;
  std::uint8_t id[16];
  std::uint64_t started_unix_seconds;
  std::uint8_t reserved[24];
  char name[format::kJobNameBytes];
};
static_assert(sizeof(Head) == 192 && offsetof(Head, started_unix_seconds) == offsetof(JobPage, started_unix_seconds));

JobFacts facts_of(const Head& head) {
  JobFacts facts{.name = {head.name, ::strnlen(head.name, sizeof head.name)},
                 .ranks = head.ranks,
                 .abilities = head.abilities,
                 .started_unix_seconds = head.started_unix_seconds,
                 .id = {}};
  std::ranges::copy(head.id, facts.id.bytes.begin());
  return facts;
}

Error corrupt(std::string why) { return Error{Code::corrupt, "the control record of a job: " + std::move(why)}; }

}  // namespace

void prepare(std::byte* memory, const JobFacts& facts) {
  auto& page = *new (memory) JobPage;
  for (std::uint32_t rank = 0; rank < facts.ranks; ++rank) new (memory + seat_at(rank)) JobSeat{};
  page.magic = format::kJobMagic;
  page.version = format::kJobVersion;
  page.ranks = facts.ranks;
  page.abilities.store(facts.abilities);
  std::ranges::copy(facts.id.bytes, page.id);
  page.started_unix_seconds = facts.started_unix_seconds;
  std::ranges::copy(facts.name, page.name);
  make_mutex(page.mutex);
}

Result<Control> Control::over(nam::Memory memory) {
  const std::uint64_t bytes = memory.remote ? memory.remote->size_bytes() : memory.mapping.bytes();
  if (bytes < sizeof(JobPage)) return corrupt(fmt::format("it has {} bytes", bytes));
  Control control{std::move(memory)};
  Head head{};
  PSNAM_CHECK(control.read(0, &head, sizeof head));
  if (head.magic != format::kJobMagic) return corrupt(fmt::format("it begins with {:#010x}", head.magic));
  if (head.version != format::kJobVersion)
    return Error{Code::incompatible, fmt::format("the control record of a job is of format version {}, this library "
                                                 "knows {}",
                                                 head.version, format::kJobVersion)};
  if (head.ranks == 0 || format::job_page_bytes(head.ranks) > bytes)
    return corrupt(fmt::format("{} ranks in {} bytes", head.ranks, bytes));
  control.facts_ = facts_of(head);
  return control;
}

JobPage& Control::page() const noexcept { return *reinterpret_cast<JobPage*>(memory_.mapping.data()); }

JobSeat& Control::seat(std::uint32_t rank) const noexcept {
  return *reinterpret_cast<JobSeat*>(memory_.mapping.data() + seat_at(rank));
}

Status Control::read(std::uint64_t offset_bytes, void* to, std::size_t bytes) const {
  if (mapped()) {
    std::memcpy(to, memory_.mapping.data() + offset_bytes, bytes);
    return {};
  }
  const std::array piece{backends::Piece{offset_bytes, static_cast<std::byte*>(to), bytes}};
  PSNAM_CHECK(memory_.remote->read(piece));
  return memory_.remote->flush();
}

Status Control::write(std::uint64_t offset_bytes, const void* from, std::size_t bytes) const {
  if (mapped()) {
    std::memcpy(memory_.mapping.data() + offset_bytes, from, bytes);
    return {};
  }
  // What is written is only read at `local`.
  auto* const local = static_cast<std::byte*>(const_cast<void*>(from));
  const std::array piece{backends::Piece{offset_bytes, local, bytes}};
  PSNAM_CHECK(memory_.remote->write(piece));
  return memory_.remote->flush();
}

Result<JobFacts> Control::facts() const {
  Head head{};
  PSNAM_CHECK(read(0, &head, sizeof head));
  JobFacts facts = facts_of(head);
  facts.ranks = facts_.ranks;
  return facts;
}

Result<std::vector<SeatFacts>> Control::seats() const {
  std::vector<JobSeat> raw(ranks());
  PSNAM_CHECK(read(sizeof(JobPage), static_cast<void*>(raw.data()), raw.size() * sizeof(JobSeat)));
  std::vector<SeatFacts> seats;
  for (const JobSeat& one : raw) {
    SeatFacts seat{.count = one.count.load(), .leaving = one.leaving.load(), .node = {}, .pid = one.pid};
    std::ranges::copy(one.node, seat.node.bytes.begin());
    seats.push_back(seat);
  }
  return seats;
}

Result<JobControl> Control::word() const {
  if (mapped()) return JobControl::decode(page().control.load());
  std::uint64_t word = 0;
  PSNAM_CHECK(read(offsetof(JobPage, control), &word, sizeof word));
  return JobControl::decode(word);
}

Result<std::optional<Outcome>> Control::outcome(std::uint32_t sequence) const {
  JobOutcome raw{};
  PSNAM_CHECK(read(outcome_at(sequence), &raw, sizeof raw));
  if (sequence == 0 || raw.sequence != sequence) return std::optional<Outcome>{};
  return std::optional{Outcome{.sequence = raw.sequence,
                               .failed = raw.failed != 0,
                               .version = raw.version,
                               .safe_point = raw.safe_point,
                               .text = {raw.text, ::strnlen(raw.text, sizeof raw.text)}}};
}

Status Control::say(const JobControl& word) const {
  const std::uint64_t encoded = word.encode();
  if (mapped()) {
    page().control.store(encoded);
    ring();
    return {};
  }
  return write(offsetof(JobPage, control), &encoded, sizeof encoded);
}

void Control::ring() const noexcept {
  page().bell.fetch_add(1);
  nam::futex_wake(page().bell, INT_MAX);
}

Status Control::publish(const Outcome& outcome) const {
  JobOutcome raw{.sequence = outcome.sequence,
                 .failed = outcome.failed ? 1U : 0U,
                 .version = outcome.version,
                 .safe_point = outcome.safe_point,
                 .text = {}};
  std::memcpy(raw.text, outcome.text.data(), std::min(outcome.text.size(), sizeof raw.text - 1));
  return write(outcome_at(outcome.sequence), &raw, sizeof raw);
}

Status Control::set_abilities(std::uint32_t abilities) const {
  if (mapped()) {
    page().abilities.store(abilities);
    return {};
  }
  return write(offsetof(JobPage, abilities), &abilities, sizeof abilities);
}

Status Control::set_seat(std::uint32_t rank, const format::Uuid& node, std::uint32_t pid, std::uint32_t leaving) const {
  PSNAM_CHECK(write(seat_at(rank) + offsetof(JobSeat, node), node.bytes.data(), node.bytes.size()));
  PSNAM_CHECK(write(seat_at(rank) + offsetof(JobSeat, pid), &pid, sizeof pid));
  return set_leaving(rank, leaving);
}

Status Control::set_leaving(std::uint32_t rank, std::uint32_t leaving) const {
  if (mapped()) {
    seat(rank).leaving.store(leaving);
    return {};
  }
  return write(seat_at(rank) + offsetof(JobSeat, leaving), &leaving, sizeof leaving);
}

bool Control::exchange(const JobControl& from, const JobControl& to) const {
  std::uint64_t expected = from.encode();
  if (!page().control.compare_exchange_strong(expected, to.encode())) return false;
  ring();
  return true;
}

Result<JobControl> Control::await_other_than(const JobControl& seen, std::chrono::milliseconds limit) const {
  constexpr std::chrono::milliseconds kLook{20};
  if (!mapped()) {
    // Nobody rings here: what is on another host is looked at now and then.
    PSNAM_TRY(const JobControl now, word());
    if (now != seen || limit.count() <= 0) return now;
    ::poll(nullptr, 0, static_cast<int>(std::min(limit, kLook).count()));
    return word();
  }
  const std::uint32_t rung = page().bell.load();
  const JobControl now = JobControl::decode(page().control.load());
  if (now != seen || limit.count() <= 0) return now;
  nam::futex_wait(page().bell, rung, static_cast<long>(std::chrono::nanoseconds{limit}.count()));
  return JobControl::decode(page().control.load());
}

}  // namespace psnam::job
