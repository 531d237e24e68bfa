// What it costs that a server reads its clients' memory and makes the parity: against plain reads of the same memory
// over the fabric, and for the members, who compute meanwhile. Members are processes, the server is this one; all over
// the loopback device. One round does each thing once; prints medians, in GB/s of members' data.
//
//   pull_bench MODULE [MIB [ROUNDS [MEMBERS]]]    libpsnam-fabric.so; data of all members together, 256; 7; 2
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "backends/fabric.hpp"
#include "nam/client.hpp"
#include "nam/host.hpp"
#include "parity/encode.hpp"

namespace {

using namespace psnam;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBlock = parity::kDefaultBlockBytes;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "pull_bench: %s\n", what.c_str());
  std::exit(1);
}

template <class T>
T need(Result<T> result) {
  if (!result) fail(result.error().message);
  return std::move(*result);
}

void need(const Status& status) {
  if (!status) fail(status.error().message);
}

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

enum class Kind : std::uint32_t { connect, encode, encode_known, compute, compute_memory, end };

/// To a member, over a pipe.
struct Order {
  Kind kind = Kind::end;
  std::uint32_t pulls = 0;  ///< of a computation: whether versions are made meanwhile
  std::uint64_t attempt = 0;
  std::uint64_t version = 0;
  std::uint64_t allocation_id = 0;
  std::uint64_t challenge = 0;
  std::uint16_t port = 0;
};

/// Back from it.
struct Report {
  double seconds = 0;
  double work = 0;
  std::uint64_t key = 0;
  std::uint64_t base = 0;
  std::uint64_t pulls = 0;
  std::uint32_t address_bytes = 0;
  char address[300] = {};
  char provider[16] = {};
};

void send(int fd, const void* what, std::size_t bytes) {
  if (::write(fd, what, bytes) != static_cast<ssize_t>(bytes)) fail("a pipe is broken");
}

void receive(int fd, void* what, std::size_t bytes) {
  auto* to = static_cast<char*>(what);
  while (bytes > 0) {
    const ssize_t got = ::read(fd, to, bytes);
    if (got <= 0) fail("a process has ended");
    to += got;
    bytes -= static_cast<std::size_t>(got);
  }
}

class Member {
 public:
  Member(std::string module, std::uint32_t index, std::size_t bytes)
      : module_{std::move(module)}, index_{index}, data_(bytes), other_(bytes) {
    for (std::size_t i = 0; i < bytes; ++i) data_[i] = static_cast<std::byte>(i * 31 + i / 257 + index);
  }

  void serve(int orders, int reports) {
    for (Order order;;) {
      receive(orders, &order, sizeof order);
      if (order.kind == Kind::end) return;
      const Report report = carry_out(order);
      send(reports, &report, sizeof report);
    }
  }

 private:
  Report carry_out(const Order& order) {
    switch (order.kind) {
      case Kind::connect:
        return connect(order);
      case Kind::compute:
      case Kind::compute_memory:
        return compute(order);
      default:
        return encode(order, order.kind == Kind::encode_known);
    }
  }

  Report connect(const Order& order) {
    nam::ClientOptions options{.address = {.path = {}, .host = "127.0.0.1", .port = order.port}};
    options.path = Path::fabric;
    options.fabric_module = module_;
    client_ = need(nam::Client::connect(std::move(options)));
    const std::vector users{need(client_->user(0))};
    need(client_->open_allocation(order.allocation_id, order.challenge, nam::AccessRight::read_write, users));
    fabric_ = need(backends::load_fabric(module_));
    server_ = need(fabric_->open_server({}));
    endpoint_ = need(server_->make_endpoint());
    registration_ = need(endpoint_->register_memory(data_, Protection::read_only));
    Report report{.key = registration_->key(), .base = registration_->base()};
    report.address_bytes = static_cast<std::uint32_t>(endpoint_->address().size());
    endpoint_->address().copy(report.address, sizeof report.address);
    server_->provider().copy(report.provider, sizeof report.provider - 1);
    return report;
  }

  Report encode(const Order& order, bool known) {
    const auto began = Clock::now();
    std::vector<std::uint32_t> sums;
    if (known) sums = parity::copy_member({.member = index_, .bytes = data_}, kBlock);
    need(client_->combine({.allocation_id = order.allocation_id,
                           .attempt = order.attempt,
                           .version = order.version,
                           .member = index_,
                           .bytes = data_,
                           .checksums = sums},
                          began + 120s));
    return {.seconds = seconds_since(began)};
  }

  /// Computes for half a second, alone or while versions are made one after the other.
  Report compute(const Order& order) {
    Report report;
    std::thread pulling;
    std::atomic<bool> over{false};
    if (order.pulls != 0)
      pulling = std::thread{[&] {
        Order next = order;
        for (std::uint32_t pull = 0; pull < order.pulls; ++pull, ++next.attempt, ++next.version) {
          encode(next, false);
          ++report.pulls;
        }
        over.store(true);
      }};
    const auto began = Clock::now();
    while (order.pulls != 0 ? !over.load() : seconds_since(began) < 0.5)
      report.work += order.kind == Kind::compute ? arithmetic() : memory_traffic();
    report.seconds = seconds_since(began);
    if (pulling.joinable()) pulling.join();
    return report;
  }

  double arithmetic() {
    for (int i = 0; i < 200'000; ++i) state_ = state_ * 0.999999 + 1e-6 * static_cast<double>(i & 7);
    return state_ < 1e9 ? 1 : 0;
  }
  double memory_traffic() {
    const std::size_t bytes = std::min<std::size_t>(other_.size(), std::size_t{4} << 20);
    place_ = place_ + bytes > other_.size() ? 0 : place_;
    std::memcpy(other_.data() + place_, data_.data() + place_, bytes);
    place_ += bytes;
    return 1;
  }

  std::string module_;
  std::uint32_t index_;
  std::vector<std::byte> data_, other_;
  double state_ = 1;
  std::size_t place_ = 0;
  std::unique_ptr<nam::Client> client_;
  std::shared_ptr<backends::Fabric> fabric_;
  std::unique_ptr<backends::FabricServer> server_;
  std::unique_ptr<backends::FabricEndpoint> endpoint_;
  std::unique_ptr<backends::FabricRegistration> registration_;
};

/// The members' processes.
class Members {
 public:
  Members(const std::string& module, std::uint32_t count, std::size_t bytes) {
    for (std::uint32_t index = 0; index < count; ++index) {
      int orders[2], reports[2];
      if (::pipe(orders) != 0 || ::pipe(reports) != 0) fail("no pipe");
      const pid_t pid = ::fork();
      if (pid == 0) {
        ::close(orders[1]);
        ::close(reports[0]);
        Member{module, index, bytes}.serve(orders[0], reports[1]);
        std::exit(0);
      }
      ::close(orders[0]);
      ::close(reports[1]);
      children_.push_back({pid, orders[1], reports[0]});
    }
  }
  ~Members() {
    const Order end;
    for (const Child& child : children_) {
      send(child.orders, &end, sizeof end);
      ::waitpid(child.pid, nullptr, 0);
    }
  }
  std::vector<Report> all(const Order& order) {
    for (const Child& child : children_) send(child.orders, &order, sizeof order);
    std::vector<Report> reports(children_.size());
    for (std::size_t i = 0; i < children_.size(); ++i) receive(children_[i].reports, &reports[i], sizeof(Report));
    return reports;
  }

 private:
  struct Child {
    pid_t pid;
    int orders;
    int reports;
  };
  std::vector<Child> children_;
};

struct Reader {
  std::shared_ptr<backends::FabricClient> link;
  std::shared_ptr<backends::RemoteMemory> memory;
};

/// As the server reads, in the same pieces, and nothing else.
double read_all(std::vector<Reader>& readers, std::size_t bytes) {
  constexpr std::size_t kAhead = 64;
  static std::vector<std::byte> window(kAhead * kBlock);
  const auto began = Clock::now();
  std::vector<std::pair<Reader*, std::uint64_t>> under_way;
  std::size_t next = 0;
  for (std::size_t offset = 0; offset < bytes; offset += kBlock)
    for (Reader& reader : readers) {
      if (under_way.size() >= kAhead) {
        auto& oldest = under_way[next % kAhead];
        need(oldest.first->link->finish(oldest.second));
      }
      const std::size_t now = std::min(kBlock, bytes - offset);
      const backends::Piece piece{offset, window.data() + next % kAhead * kBlock, now};
      need(reader.memory->read({&piece, 1}));
      if (under_way.size() < kAhead)
        under_way.emplace_back(&reader, reader.link->started());
      else
        under_way[next % kAhead] = {&reader, reader.link->started()};
      ++next;
    }
  for (Reader& reader : readers) need(reader.link->flush());
  return seconds_since(began);
}

double slowest(const std::vector<Report>& reports) { return std::ranges::max(reports, {}, &Report::seconds).seconds; }

double rate(const std::vector<Report>& reports) {
  double sum = 0;
  for (const Report& report : reports) sum += report.work / report.seconds;
  return sum;
}

/// The server, with a parity area for the members.
class Server {
 public:
  explicit Server(const std::string& module) : folder_{"/dev/shm/psnam-pull-bench-" + std::to_string(::getpid())} {
    nam::HostOptions options;
    options.store.folder = folder_;
    options.listen.push_back({.path = {}, .host = "127.0.0.1", .port = 0});
    options.fabric_module = module;
    host_ = need(nam::NamHost::start(std::move(options)));
    thread_ = std::thread{[this] { need(host_->run()); }};
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    host_->stop();
    thread_.join();
    host_.reset();
    std::filesystem::remove_all(folder_);
  }
  /// The first order of the members, which names the area.
  Order make_area(const parity::AreaSpec& spec) {
    Order order{.kind = Kind::connect};
    order.port = host_->listening().front().port;
    nam::ClientOptions options{.address = {.path = {}, .host = "127.0.0.1", .port = order.port}};
    options.path = Path::fabric;
    const auto client = need(nam::Client::connect(std::move(options)));
    nam::AllocationRequest request;
    request.size_bytes = need(parity::bytes_needed(spec.members, spec.capacity_bytes, spec.parities));
    request.consistency = format::Consistency::persistent;
    const std::vector users{need(client->user(0))};
    const auto use = need(client->allocate(request, users));
    const Fd file = need(host_->store().memory_descriptor(use.allocation.root_id, Protection::read_write));
    const Mapping area = need(Mapping::map(file.get(), request.size_bytes, Protection::read_write, "the area"));
    need(parity::Area::create({area.data(), area.bytes()}, spec));
    order.allocation_id = use.allocation.id;
    order.challenge = use.allocation.challenge;
    return order;
  }

 private:
  std::filesystem::path folder_;
  std::unique_ptr<nam::NamHost> host_;
  std::thread thread_;
};

struct Measured {
  std::vector<double> raw, pulled, ratio, known, arithmetic, memory;
};

/// All contestants once. `gigabytes`: of the members' data.
class Round {
 public:
  Round(Members& members, Order order, std::vector<Reader>& readers, std::size_t bytes, double gigabytes)
      : members_{members}, order_{order}, readers_{readers}, bytes_{bytes}, gigabytes_{gigabytes} {}

  void run(Measured* into) {
    const double plain = gigabytes_ / read_all(readers_, bytes_);
    const double encoded = gigabytes_ / slowest(advance(Kind::encode, 0));
    const double unchanged = gigabytes_ / slowest(advance(Kind::encode_known, 0));
    const double arithmetic = meanwhile(Kind::compute);
    const double memory = meanwhile(Kind::compute_memory);
    if (into == nullptr) return;
    into->raw.push_back(plain);
    into->pulled.push_back(encoded);
    into->ratio.push_back(encoded / plain);
    into->known.push_back(unchanged);
    into->arithmetic.push_back(arithmetic);
    into->memory.push_back(memory);
  }

 private:
  static constexpr std::uint32_t kPulls = 3;

  double meanwhile(Kind kind) {
    const double alone = rate(advance(kind, 0));
    return rate(advance(kind, kPulls)) / alone;
  }
  std::vector<Report> advance(Kind kind, std::uint32_t pulls) {
    order_.kind = kind;
    order_.pulls = pulls;
    ++order_.attempt;
    ++order_.version;
    auto reports = members_.all(order_);
    order_.attempt += pulls;
    order_.version += pulls;
    return reports;
  }

  Members& members_;
  Order order_;
  std::vector<Reader>& readers_;
  std::size_t bytes_;
  double gigabytes_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) fail("usage: pull_bench MODULE [MIB [ROUNDS [MEMBERS]]]");
  const std::string module = argv[1];
  const std::size_t mib = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 256;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 7;
  const auto count = static_cast<std::uint32_t>(argc > 4 ? std::atoi(argv[4]) : 2);
  const std::size_t bytes = (mib << 20) / count / kBlock * kBlock;
  Members members{module, count, bytes};  // before any thread
  Server server{module};
  const Order order = server.make_area({.members = count, .parities = 1, .capacity_bytes = bytes, .name = "bench"});
  const auto fabric = need(backends::load_fabric(module));
  std::vector<Reader> readers;
  for (const Report& report : members.all(order)) {
    auto link = need(fabric->connect({}, report.provider, {report.address, report.address_bytes}));
    auto memory = link->open(report.key, report.base, bytes, Protection::read_only);
    readers.push_back({std::move(link), std::move(memory)});
  }
  Round round{members, order, readers, bytes, static_cast<double>(bytes) * count / 1e9};
  round.run(nullptr);  // memory is touched for the first time
  Measured measured;
  for (int i = 0; i < rounds; ++i) round.run(&measured);
  std::printf("%u members, %zu MiB together, 1 parity, %d rounds\n", count, mib, rounds);
  std::printf("reads over the fabric alone       %6.2f GB/s\n", median(measured.raw));
  std::printf("pulled and encoded                %6.2f GB/s   %.2f of the reads\n", median(measured.pulled),
              median(measured.ratio));
  std::printf("nothing changed, by checksums     %6.2f GB/s\n", median(measured.known));
  std::printf("members meanwhile: arithmetic     %6.2f of their speed alone\n", median(measured.arithmetic));
  std::printf("members meanwhile: copies         %6.2f of their speed alone\n", median(measured.memory));
  return 0;
}
