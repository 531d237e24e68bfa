#include "backends/fabric_server.hpp"

#include <fmt/format.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <limits>
#include <mutex>
#include <thread>
#include <vector>

#include "backends/fabric_objects.hpp"
#include "backends/fabric_pace.hpp"
#include "base/log.hpp"
#include "format/fabric_address.hpp"

namespace psnam::backends {
namespace {

using Clock = std::chrono::steady_clock;

/// The thread and the domains, kept by the server and by everything it has made.
///
/// Over TCP a one-sided operation needs this side's processor: the thread reads the domains' completion queues, which
/// moves the bytes. A queue shows nothing of operations that come from outside, so after each wake it reads on for a
/// while, and then sleeps on the queues' descriptors again, which wake it at once if more has come.
class Core {
 public:
  explicit Core(FabricOptions options) : options_{std::move(options)} {}
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  ~Core() {
    stop_.store(true);
    wake();
    if (thread_.joinable()) thread_.join();
  }

  Status start() {
    sleep_on_ = Fd{::epoll_create1(EPOLL_CLOEXEC)};
    if (!sleep_on_.valid()) return system_error("making an epoll of the fabric", errno);
    wake_ = Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    if (!wake_.valid()) return system_error("making an event descriptor of the fabric", errno);
    PSNAM_CHECK(watch(wake_.get()));
    PSNAM_TRY(const Domain* const first, domain_of({}));
    provider_ = provider_name(*first->info);
    // Signals are for the other threads of the program.
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread{[this] { serve(); }};
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return {};
  }

  const std::string& provider() const noexcept { return provider_; }

  /// Runs `action` while the thread is in no function of libfabric. For what libfabric does not do safely beside it:
  /// ending endpoints, and (its providers over TCP, before version 1.19) registering memory and ending that, which
  /// change the table of keys that the thread reads.
  template <class Action>
  auto exclusively(Action action) {
    claims_.fetch_add(1);
    const std::lock_guard lock{progress_};
    claims_.fetch_sub(1);
    return action();
  }

  /// The domain for endpoints at `local_address`, made on first use. It stays.
  Result<Domain*> domain_of(std::string_view local_address) {
    const std::string address{local_address.empty() ? options_.local_address : local_address};
    const std::lock_guard lock{making_};
    for (const auto& place : places_)
      if (place->address == address) return &place->domain;
    PSNAM_TRY(Info info, find_provider(provider_.empty() ? options_.provider : provider_, address));
    PSNAM_TRY(Domain domain, Domain::open(std::move(info), address, Waiting::by_descriptor));
    if (domain.wait_fd >= 0) PSNAM_CHECK(watch(domain.wait_fd));
    auto place = std::make_unique<Place>(Place{address, std::move(domain)});
    Domain* const made = &place->domain;
    exclusively([&] { places_.push_back(std::move(place)); });
    wake();
    return made;
  }

 private:
  static constexpr std::chrono::microseconds kSpin{100};
  static constexpr int kBlindSleep_ms = 1;  // where a provider has no descriptor to sleep on

  struct Place {
    std::string address;
    Domain domain;
  };

  Status watch(int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(sleep_on_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      return system_error("watching a descriptor of the fabric", errno);
    return {};
  }

  void wake() noexcept {
    const std::uint64_t one = 1;
    if (wake_.valid()) [[maybe_unused]]
      const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

  void serve() {
    while (!stop_.load()) {
      for (auto end = Clock::now() + kSpin; Clock::now() < end && !stop_.load();) {
        if (progress())
          end = Clock::now() + kSpin;
        else
          ::sched_yield();  // a client on the same processor goes first: this thread waits for what that one does
      }
      block();
    }
  }

  /// True if bytes seem to have moved.
  bool progress() {
    // A mutex goes to whoever asks first, which would be this thread again and again.
    while (claims_.load() > 0) ::sched_yield();
    const std::lock_guard lock{progress_};
    bool moved = false;
    for (const auto& place : places_) {
      const auto begin = Clock::now();
      drain(place->domain);
      moved |= pace_.moved(Clock::now() - begin);
    }
    return moved;
  }

  /// Nothing is ever started on this side, so what is read says only that a client has gone.
  static void drain(const Domain& domain) {
    std::array<fi_cq_entry, 16> entries{};
    const auto count = fi_cq_read(domain.completions.get(), entries.data(), entries.size());
    if (count != -FI_EAVAIL) return;
    fi_cq_err_entry failure{};
    if (fi_cq_readerr(domain.completions.get(), &failure, 0) > 0)
      log::debug("fabric: an operation of a client failed: {}", fi_strerror(failure.err));
  }

  void block() {
    int limit_ms = -1;
    {
      while (claims_.load() > 0) ::sched_yield();
      const std::lock_guard lock{progress_};
      for (const auto& place : places_) {
        if (place->domain.wait_fd < 0)
          limit_ms = kBlindSleep_ms;
        else if (!place->domain.may_sleep())
          return;
      }
    }
    std::array<epoll_event, 8> events{};
    const int count = ::epoll_wait(sleep_on_.get(), events.data(), static_cast<int>(events.size()), limit_ms);
    for (int i = 0; i < count; ++i) {
      if (events[static_cast<std::size_t>(i)].data.fd != wake_.get()) continue;
      std::uint64_t wakes = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &wakes, sizeof wakes);
    }
  }

  FabricOptions options_;
  std::string provider_;
  Fd sleep_on_;
  Fd wake_;
  std::mutex making_;                           // of domains
  std::vector<std::unique_ptr<Place>> places_;  // changed under both mutexes
  std::mutex progress_;                         // held by whoever is in libfabric for the endpoints
  std::atomic<int> claims_ = 0;                 // threads that wait for progress_ beside the one that serves
  Pace pace_;                                   // of the thread that serves
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// A key that nobody guesses, as wide as the provider takes it.
Result<std::uint64_t> random_key(const fi_info& info) {
  std::uint64_t key = 0;
  if (::getrandom(&key, sizeof key, 0) != static_cast<ssize_t>(sizeof key))
    return system_error("drawing a key for the fabric", errno);
  const std::size_t bits = info.domain_attr->mr_key_size * 8;
  if (bits < std::numeric_limits<std::uint64_t>::digits) key &= (std::uint64_t{1} << bits) - 1;
  return key;
}

Result<Fid<fid_mr>> register_with(const Domain& domain, fid_ep* endpoint, std::span<std::byte> memory,
                                  Protection protection) {
  constexpr int kDraws = 16;  // the same key twice is unlikely with 64 bits, not with the few that some providers take
  const std::uint64_t rights = protection == Protection::read_only ? FI_REMOTE_READ : FI_REMOTE_READ | FI_REMOTE_WRITE;
  fid_mr* made = nullptr;
  int code = -FI_ENOKEY;
  for (int draw = 0; draw < kDraws && code == -FI_ENOKEY; ++draw) {
    std::uint64_t key = 0;
    if (!domain.needs(FI_MR_PROV_KEY)) {
      PSNAM_TRY(key, random_key(*domain.info));
    }
    code = fi_mr_reg(domain.domain.get(), memory.data(), memory.size(), rights, 0, key, 0, &made, nullptr);
  }
  if (code != 0) return fabric_error(fmt::format("registering {} bytes with the fabric", memory.size()), code);
  Fid<fid_mr> registration{made};
  if (domain.needs(FI_MR_ENDPOINT)) {
    code = fi_mr_bind(made, &endpoint->fid, 0);
    if (code == 0) code = fi_mr_enable(made);
    if (code != 0) return fabric_error("enabling memory registered with the fabric", code);
  }
  return registration;
}

class Registration final : public FabricRegistration {
 public:
  Registration(std::shared_ptr<Core> core, Fid<fid_mr> registration, std::uint64_t base) noexcept
      : core_{std::move(core)}, registration_{std::move(registration)}, base_{base} {}
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;
  ~Registration() override {
    core_->exclusively([&] { registration_.reset(); });
  }

  [[nodiscard]] std::uint64_t key() const noexcept override { return fi_mr_key(registration_.get()); }
  [[nodiscard]] std::uint64_t base() const noexcept override { return base_; }

 private:
  std::shared_ptr<Core> core_;  // before the registration, whose domain it keeps
  Fid<fid_mr> registration_;
  std::uint64_t base_;
};

class Endpoint final : public FabricEndpoint {
 public:
  Endpoint(std::shared_ptr<Core> core, const Domain& domain, Fid<fid_ep> endpoint) noexcept
      : core_{std::move(core)}, domain_{domain}, endpoint_{std::move(endpoint)} {}
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  ~Endpoint() override {
    hello_.reset();
    core_->exclusively([&] { endpoint_.reset(); });
  }

  /// Finds out the address, and registers what a client may read to see that the connection works.
  Status publish() {
    format::FabricAddress address;
    address.name.resize(kLongestName);
    std::size_t bytes = kLongestName;
    if (const int code = fi_getname(&endpoint_->fid, address.name.data(), &bytes); code != 0)
      return fabric_error("asking for the address of an endpoint of the fabric", code);
    address.name.resize(bytes);
    PSNAM_TRY(hello_, register_memory(std::as_writable_bytes(std::span{hello_word_}), Protection::read_only));
    address.key = hello_->key();
    address.base = hello_->base();
    address_ = format::encode(address);
    return {};
  }

  [[nodiscard]] const std::string& address() const noexcept override { return address_; }
  [[nodiscard]] Result<std::unique_ptr<FabricRegistration>> register_memory(std::span<std::byte> memory,
                                                                            Protection protection) override {
    if (memory.empty()) return Error{Code::invalid_argument, "no bytes to register with the fabric"};
    PSNAM_TRY(Fid<fid_mr> registration,
              core_->exclusively([&] { return register_with(domain_, endpoint_.get(), memory, protection); }));
    const auto base = domain_.needs(FI_MR_VIRT_ADDR) ? reinterpret_cast<std::uint64_t>(memory.data()) : 0;
    return std::unique_ptr<FabricRegistration>{std::make_unique<Registration>(core_, std::move(registration), base)};
  }

 private:
  static constexpr std::size_t kLongestName = 256;

  std::shared_ptr<Core> core_;
  const Domain& domain_;
  Fid<fid_ep> endpoint_;
  std::array<std::uint64_t, 1> hello_word_{};
  std::unique_ptr<FabricRegistration> hello_;
  std::string address_;
};

class Server final : public FabricServer {
 public:
  explicit Server(std::shared_ptr<Core> core) noexcept : core_{std::move(core)} {}

  [[nodiscard]] const std::string& provider() const noexcept override { return core_->provider(); }
  [[nodiscard]] Result<std::unique_ptr<FabricEndpoint>> make_endpoint(std::string_view local_address) override {
    PSNAM_TRY(const Domain* const domain, core_->domain_of(local_address));
    PSNAM_TRY(Fid<fid_ep> made, core_->exclusively([&] { return domain->make_endpoint(); }));
    auto endpoint = std::make_unique<Endpoint>(core_, *domain, std::move(made));
    PSNAM_CHECK(endpoint->publish());
    return std::unique_ptr<FabricEndpoint>{std::move(endpoint)};
  }

 private:
  std::shared_ptr<Core> core_;
};

}  // namespace

Result<std::unique_ptr<FabricServer>> open_fabric_server(const FabricOptions& options) {
  auto core = std::make_shared<Core>(options);
  PSNAM_CHECK(core->start());
  return std::unique_ptr<FabricServer>{std::make_unique<Server>(std::move(core))};
}

}  // namespace psnam::backends
