#include "job/job.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/log.hpp"
#include "format/job_page.hpp"

namespace psnam::job {
namespace {

using checkpoint::locally;
using format::JobControl;
using format::JobState;

std::uint64_t now_seconds() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count());
}

/// What a rank says of itself when a job is opened. Plain bytes.
struct Arrival {
  format::Uuid nam;
  std::uint32_t saves = 0;
  std::array<char, format::kJobNameBytes> name{};
};

Status check(const std::vector<Arrival>& all) {
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    if (all[rank].name != all[0].name)
      return Error{Code::invalid_argument, fmt::format("the job is called \"{}\" on rank 0 and \"{}\" on rank {}",
                                                       all[0].name.data(), all[rank].name.data(), rank)};
    if (all[rank].saves != all[0].saves)
      return Error{Code::invalid_argument, fmt::format("the job is given checkpoints on rank {} and none on rank {}",
                                                       all[0].saves != 0 ? 0 : rank, all[0].saves != 0 ? rank : 0)};
    if (all[rank].nam != all[0].nam)
      return Error{Code::unreachable, fmt::format("the NAM of rank {} is not that of rank 0: a job on several nodes "
                                                  "needs a manager, which PSNAM_MANAGER names on all ranks",
                                                  rank)};
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<Job>> Job::open(const checkpoint::Team& team, ServicePointer nam, const format::Uuid& node,
                                       const JobOptions& options, std::unique_ptr<Versions> versions) {
  Arrival mine{.nam = nam->node().store, .saves = versions ? 1U : 0U, .name = {}};
  std::copy_n(options.name.begin(), std::min(options.name.size(), mine.name.size() - 1), mine.name.begin());
  PSNAM_TRY(const auto all, team.gather(mine));
  PSNAM_CHECK(check(all));
  std::unique_ptr<Job> made{new Job{team, std::move(versions)}};
  PSNAM_CHECK(made->open_record(nam, node, options));
  return made;
}

/// The record is found by its name when all ranks have it in use.
Status Job::open_record(const ServicePointer& nam, const format::Uuid& node, const JobOptions& options) {
  std::vector<Departure> departures;
  RecordTicket ticket;
  const JobFacts facts{.name = options.name,
                       .ranks = static_cast<std::uint32_t>(team_.size()),
                       .abilities = versions_ ? format::kJobSaves : 0,
                       .started_unix_seconds = now_seconds(),
                       .id = format::random_uuid()};
  const Status created = locally([&]() -> Status {
    if (!leads()) return {};
    PSNAM_TRY(record_, Record::create(nam, facts, options.mode, departures));
    ticket = record_->ticket();
    return {};
  });
  PSNAM_CHECK(team_.agree(created));
  PSNAM_CHECK(team_.broadcast(ticket, 0));
  const Status connected = locally([&]() -> Status {
    if (leads()) return {};
    PSNAM_TRY(record_, Record::connect(nam, ticket, rank()));
    return {};
  });
  PSNAM_CHECK(team_.agree(connected));
  PSNAM_CHECK(take_seat(node, std::move(departures)));
  const Status kept = leads() ? record_->keep() : Status{};
  return team_.agree(kept);
}

Status Job::take_seat(const format::Uuid& node, std::vector<Departure> departures) {
  departures.resize(static_cast<std::size_t>(team_.size()));
  Departure mine;
  for (std::size_t one = 0; one < departures.size(); ++one) {
    PSNAM_CHECK(team_.broadcast(departures[one], 0));
    if (one == rank()) mine = departures[one];
  }
  if (mine.leaves != 0) leaving_ = mine.node == node ? format::kJobStayed : format::kJobLeaves;
  if (leaving_ == format::kJobStayed)
    log::warn("rank {} was asked to leave its node, and is on the same node again", rank());
  const Status seated = locally([&] {
    return control().set_seat(rank(), node, static_cast<std::uint32_t>(::getpid()),
                              leaving_ == format::kJobStayed ? leaving_ : format::kJobStays);
  });
  PSNAM_CHECK(team_.agree(seated));
  PSNAM_TRY(const auto who_maps, team_.gather(control().mapped() ? 1 : 0));
  mapped_ = std::ranges::find(who_maps, 0) == who_maps.end();
  if (mapped_) {
    // A program that is compiled as C comes to safe points by plain words, as its compiler's atomics have them.
    count_ = reinterpret_cast<std::uint64_t*>(&control().seat(rank()).count);
    asked_ = reinterpret_cast<const std::uint64_t*>(&control().page().control);
  } else if (leads()) {
    log::info("the control record is not mapped by all ranks: requests are looked for by a broadcast now and then");
  }
  looked_ = Clock::now();
  return {};
}

Status Job::add_handler(Handler handler) {
  handlers_.push_back(std::move(handler));
  if (!leads()) return {};
  return control().set_abilities((versions_ ? format::kJobSaves : 0) | format::kJobHandles);
}

Result<Verdict> Job::act() {
  if (ended_) return Verdict::end;
  if (mapped_) {
    const Agreement agreement{control(), rank()};
    PSNAM_TRY(const bool here, agreement.act_here(requests_));
    if (!here) return Verdict::go_on;
  } else {
    PSNAM_TRY(const bool here, is_told_to_act());
    if (!here) return Verdict::go_on;
  }
  return serve();
}

/// At which safe point rank 0 looks again: about a fiftieth of a second from now, at the pace since it looked last.
std::uint64_t Job::next_look(Clock::time_point now) noexcept {
  constexpr std::chrono::milliseconds kPause{20};
  constexpr std::uint64_t kMost = 1 << 20;
  const std::uint64_t done = std::max<std::uint64_t>(own_count_ - looked_at_, 1);
  using Seconds = std::chrono::duration<double>;
  const double took = std::max(Seconds{now - looked_}.count(), 1e-9);
  const auto fitting = static_cast<std::uint64_t>(static_cast<double>(done) * (Seconds{kPause}.count() / took));
  looked_ = now;
  looked_at_ = own_count_;
  return own_count_ + std::clamp<std::uint64_t>(fitting, 1, std::min(2 * done, kMost));
}

/// Where the record is not mapped by all.
Result<bool> Job::is_told_to_act() {
  if (own_count_ < next_) return false;
  Order order;
  const Status looked = locally([&]() -> Status {
    if (!leads()) return {};
    PSNAM_TRY(const JobControl now, control().word());
    order.acts = now.asked && now.state == JobState::requested ? 1 : 0;
    order.next = next_look(Clock::now());
    return {};
  });
  // Whoever asks cannot be heard, and the program is not to suffer from it.
  if (!looked) {
    log::warn("the control record of the job cannot be read: {}", looked.error().message);
    order.next = next_look(Clock::now());
  }
  PSNAM_CHECK(team_.broadcast(order, 0));
  next_ = order.next;
  return order.acts != 0;
}

JobInfo Job::info() const noexcept {
  return {.mapped = mapped_,
          .leaving = leaving_,
          .safe_points = __atomic_load_n(count_, __ATOMIC_RELAXED),
          .requests = requests_};
}

Status Job::close() {
  PSNAM_CHECK(team_.agree({}));
  const Status closed = locally([&]() -> Status {
    if (!leads()) return {};
    PSNAM_TRY(JobControl last, control().word());
    last.asked = true;
    last.state = JobState::ended;
    PSNAM_CHECK(control().say(last));
    return keeps_record_ ? Status{} : record_->remove();
  });
  record_.reset();
  count_ = &own_count_;
  asked_ = &always_;
  return team_.agree(closed);
}

}  // namespace psnam::job
