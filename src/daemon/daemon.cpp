#include "daemon/daemon.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/log.hpp"
#include "daemon/host_options.hpp"
#include "daemon/metrics.hpp"
#include "daemon/notify.hpp"
#include "psnam_version.hpp"

namespace psnam::daemon {
namespace {

/// A client costs descriptors, and so does an allocation: as many as the system lets us have.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warn("the limit of open files stays as it is: errno {}", errno);
}

/// Readable every `interval`; no descriptor where none was asked for.
Result<Fd> make_timer(std::optional<std::chrono::microseconds> interval) {
  if (!interval) return Fd{};
  Fd timer{::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC)};
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*interval);
  timespec each{};
  each.tv_sec = seconds.count();
  each.tv_nsec = std::chrono::nanoseconds{*interval - seconds}.count();
  const itimerspec setting{.it_interval = each, .it_value = each};
  if (!timer.valid() || ::timerfd_settime(timer.get(), 0, &setting, nullptr) != 0)
    return system_error("a timer for the service manager cannot be had", errno);
  return timer;
}

void take_number(int descriptor) {
  std::uint64_t number = 0;
  [[maybe_unused]] const auto bytes = ::read(descriptor, &number, sizeof number);
}

void add_number(int descriptor) {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto bytes = ::write(descriptor, &one, sizeof one);
}

std::string limit_text(std::uint64_t limit, std::string_view unit) {
  return limit == kNoLimit ? "none" : fmt::format("{}{}", limit, unit);
}

}  // namespace

Daemon::Daemon(CommandLine command_line, Loaded loaded, Signals signals) noexcept
    : command_line_{std::move(command_line)}, loaded_{std::move(loaded)}, signals_{std::move(signals)} {}

Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(CommandLine command_line, Loaded loaded) {
  log::set_level(loaded.settings.log_level);
  PSNAM_TRY(auto signals, Signals::take());
  raise_descriptor_limit();
  std::unique_ptr<Daemon> daemon{new Daemon{std::move(command_line), std::move(loaded), std::move(signals)}};
  PSNAM_CHECK(daemon->open());
  return daemon;
}

Status Daemon::open() {
  ended_ = Fd{::eventfd(0, EFD_CLOEXEC)};
  if (!ended_.valid()) return system_error("eventfd", errno);
  PSNAM_TRY(auto options, host_options(loaded_.settings));
  PSNAM_TRY(host_, nam::NamHost::start(std::move(options)));
  nam::Limits first = limits(loaded_.settings);
  first.capacity_bytes = loaded_.settings.capacity_bytes;
  PSNAM_CHECK(host_->set_limits(std::move(first)));
  if (loaded_.settings.metrics) {
    PSNAM_TRY(metrics_, MetricsServer::start(*loaded_.settings.metrics, [this] { return metrics(); }));
  }
  return {};
}

std::string Daemon::metrics() {
  const auto statistics = host_->statistics();
  if (!statistics) {
    log::warn("no metrics: {}", statistics.error().message);
    return {};
  }
  return metrics_text(*statistics);
}

std::string Daemon::description() const {
  std::string addresses;
  for (const auto& address : host_->listening())
    addresses += fmt::format("{}{}", addresses.empty() ? "" : ", ", address.text());
  return fmt::format("serving {} at {}", loaded_.settings.store.string(), addresses);
}

Status Daemon::run() {
  Status served;
  std::thread server{[&] {
    served = host_->run();
    add_number(ended_.get());
  }};
  const auto summary = host_->store().summary();
  const auto released = host_->store().released_at_open();
  log::info(
      "namd {} {}: {} of {} bytes reserved, {} windows, {} allocations; fabric {}; metrics {}; released {} windows, "
      "{} allocations, {} bytes of an earlier run",
      kVersion, description(), summary ? summary->reserved_bytes : 0, summary ? summary->capacity_bytes : 0,
      summary ? summary->windows : 0, summary ? summary->allocations : 0,
      loaded_.settings.provider.empty() ? "chosen when needed" : loaded_.settings.provider,
      metrics_ ? metrics_->listening() : "off", released.windows, released.allocations, released.bytes);
  notify_ready(description());
  Status waited = wait_for_the_end();
  notify_stopping();
  // Before the host: the thread of the metrics asks it.
  metrics_.reset();
  host_->stop();
  server.join();
  PSNAM_CHECK(std::move(waited));
  PSNAM_CHECK(std::move(served));
  log::info("namd ended; {} is as it was left", loaded_.settings.store.string());
  return {};
}

Status Daemon::wait_for_the_end() {
  const auto interval = alive_interval();
  PSNAM_TRY(const Fd timer, make_timer(interval));
  for (;;) {
    std::array<pollfd, 3> waiting{
        {{signals_.descriptor(), POLLIN, 0}, {ended_.get(), POLLIN, 0}, {timer.get(), POLLIN, 0}}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return system_error("poll", errno);
    if ((waiting[1].revents & POLLIN) != 0) return {};
    if ((waiting[2].revents & POLLIN) != 0) {
      take_number(timer.get());
      notify_alive();
    }
    if ((waiting[0].revents & POLLIN) == 0) continue;
    PSNAM_TRY(const Wish wish, signals_.read());
    if (wish == Wish::end) return {};
    reread();
  }
}

void Daemon::reread() {
  notify_reloading();
  auto loaded = load_settings(command_line_);
  const Status taken = loaded ? host_->set_limits(limits(loaded->settings)) : std::move(loaded).status();
  if (!taken) {
    log::error("the settings are not taken over, the old ones stay: {}", taken.error().message);
  } else {
    log::set_level(loaded->settings.log_level);
    // With what runs, not with the reading before this one.
    const auto waiting = waiting_for_restart(loaded_.file, loaded->file);
    if (!waiting.empty()) log::warn("changed, but counts only after a restart: {}", fmt::join(waiting, ", "));
    log::info(
        "settings read again: quota {}, quota-objects {}, max-objects {}, catalog {} bytes, {} users with their own",
        limit_text(loaded->settings.quota_bytes, " bytes"), limit_text(loaded->settings.quota_objects, ""),
        limit_text(loaded->settings.max_objects, ""), loaded->settings.catalog_bytes, loaded->settings.users.size());
  }
  notify_ready(description());
}

}  // namespace psnam::daemon
