// What clients cost a server, and what they wait for it: a thousand connections from a few processes, a hundred
// thousand allocations made through them. Beside the rates through the server stand those of a store in this process,
// taken in the same rounds. Prints lines of "what figure...", one figure for each round.
//
//   clients_bench SOCKET PROCESS STORE [CLIENTS [ALLOCATIONS [ROUNDS]]]
//
// SOCKET is that of a server, PROCESS its number, STORE its folder; all are idle and empty. `served` starts one.
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "nam/client.hpp"
#include "nam/store.hpp"

namespace {

using namespace psnam;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kProcesses = 4;
constexpr std::uint64_t kBytes = 4096;
constexpr std::uint64_t kPairs = 1000;  // of each round, one after another
constexpr double kMostSecondsToLeave = 300;

enum class Memory { no, yes };

/// An allocation is made, mapped if that is wanted, and stays.
Result<nam::AllocationUse> make(nam::Service& service, const format::ProcessIdentity& user, Memory memory) {
  PSNAM_TRY(nam::AllocationUse use, service.allocate({.size_bytes = kBytes}, {&user, 1}));
  if (memory == Memory::yes)
    PSNAM_CHECK(service.open_range(use.allocation.id, 0, kBytes, Protection::read_write).status());
  return use;
}

/// Makes allocations, each of which goes with its use.
Status make_and_free(nam::Service& service, const format::ProcessIdentity& user, Memory memory) {
  PSNAM_TRY(const nam::AllocationUse use, make(service, user, memory));
  return service.close(use.use_id);
}

/// What the parent has its processes do. Each of them answers with an Outcome.
struct Order {
  enum class What { connect, fill, pairs, leave } what = What::leave;
  std::uint64_t count = 0;
  std::uint64_t clients = 0;  ///< of the process, that take part in turn
  Memory memory = Memory::no;
};
struct Outcome {
  bool done = false;
};

/// One of the processes with clients.
class Worker {
 public:
  explicit Worker(nam::ClientOptions options) : options_{std::move(options)} {}

  int work(int orders) {
    for (Order order; ::recv(orders, &order, sizeof order, 0) == sizeof order;) {
      const Status status = obey(order);
      if (!status) std::fprintf(stderr, "%s\n", status.error().message.c_str());
      const Outcome outcome{status.ok()};
      if (::send(orders, &outcome, sizeof outcome, MSG_NOSIGNAL) != sizeof outcome) return 1;
    }
    return 0;
  }

 private:
  struct One {
    std::unique_ptr<nam::Client> client;
    format::ProcessIdentity user;
  };

  Status obey(const Order& order) {
    if (order.what == Order::What::leave) clients_.clear();
    if (order.what == Order::What::connect) return connect(order.count);
    for (std::uint64_t i = 0; i < order.count; ++i) {
      const One& one = clients_[i % order.clients];
      if (order.what == Order::What::fill)
        PSNAM_CHECK(make(*one.client, one.user, order.memory).status());
      else if (order.what == Order::What::pairs)
        PSNAM_CHECK(make_and_free(*one.client, one.user, order.memory));
    }
    return {};
  }
  Status connect(std::uint64_t count) {
    while (clients_.size() < count) {
      PSNAM_TRY(auto client, nam::Client::connect(options_));
      PSNAM_TRY(const auto user, client->user(0));
      clients_.push_back({std::move(client), user});
    }
    return {};
  }

  nam::ClientOptions options_;
  std::vector<One> clients_;
};

/// The processes with clients, and what the parent tells them.
class Workers {
 public:
  explicit Workers(const nam::ClientOptions& options) {
    for (Fd& orders : orders_) {
      std::array<int, 2> ends{};
      if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) std::abort();
      if (::fork() == 0) {
        for (Fd& other : orders_) other = Fd{};
        ::close(ends[0]);
        std::_Exit(Worker{options}.work(ends[1]));
      }
      ::close(ends[1]);
      orders = Fd{ends[0]};
    }
  }
  ~Workers() {
    for (Fd& orders : orders_) orders = Fd{};
    while (::wait(nullptr) > 0) continue;
  }
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  /// The seconds until the first `processes` of them have done it, all at the same time.
  Result<double> tell(const Order& order, std::size_t processes = kProcesses) {
    const auto begin = Clock::now();
    for (std::size_t i = 0; i < processes; ++i)
      if (::send(orders_[i].get(), &order, sizeof order, MSG_NOSIGNAL) != sizeof order)
        return Error{Code::peer_lost, "a process with clients has ended"};
    bool done = true;
    for (std::size_t i = 0; i < processes; ++i) {
      Outcome outcome;
      done = ::recv(orders_[i].get(), &outcome, sizeof outcome, 0) == sizeof outcome && outcome.done && done;
    }
    if (!done) return Error{Code::peer_lost, "a client has failed"};
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

 private:
  std::array<Fd, kProcesses> orders_;
};

void print(const std::string& what, const std::vector<double>& figures) {
  std::printf("%s", what.c_str());
  for (const double figure : figures) std::printf("\t%.1f", figure);
  std::printf("\n");
  std::fflush(stdout);
}

struct Setting {
  std::string socket;
  std::string process;
  std::filesystem::path store;
  std::uint64_t clients = 1000;
  std::uint64_t allocations = 100'000;
  int rounds = 5;

  [[nodiscard]] nam::ClientOptions options() const {
    nam::ClientOptions options;
    options.address.path = socket;
    options.timeout = std::chrono::seconds{60};
    return options;
  }
};

class Bench {
 public:
  Bench(Workers& workers, nam::Store& own, const Setting& setting) : workers_{workers}, own_{own}, setting_{setting} {}

  Status run() {
    const double empty = private_bytes();
    PSNAM_CHECK(workers_.tell({Order::What::connect, setting_.clients / kProcesses}).status());
    const double connected = private_bytes();
    print("bytes of the server for each client", {(connected - empty) / static_cast<double>(setting_.clients)});
    PSNAM_CHECK(rates("alone"));
    const double before = private_bytes();
    const double catalog_before = catalog_bytes();
    PSNAM_CHECK(fill());
    const auto each = [&](double bytes) { return bytes / static_cast<double>(setting_.allocations); };
    print("bytes of the server for each allocation", {each(private_bytes() - before)});
    print("bytes of its catalog for each allocation", {each(catalog_bytes() - catalog_before)});
    PSNAM_CHECK(rates("among many"));
    return leave();
  }

 private:
  /// What the clients had is volatile, and goes with them.
  Status leave() {
    PSNAM_TRY(const auto watcher, nam::Client::connect(setting_.options()));
    const auto begin = Clock::now();
    PSNAM_CHECK(workers_.tell({Order::What::leave}).status());
    for (;;) {
      PSNAM_TRY(const auto left, watcher->summary());
      const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
      if (left.allocations == 0) {
        print("seconds until all clients and what they had are gone", {seconds});
        return {};
      }
      if (seconds > kMostSecondsToLeave)
        return Error{Code::unreachable, std::to_string(left.allocations) + " allocations have outlived their clients"};
    }
  }

  /// Allocations that stay: through all clients, and as many in the store beside.
  Status fill() {
    PSNAM_TRY(const double seconds, workers_.tell({Order::What::fill, setting_.allocations / kProcesses,
                                                   setting_.clients / kProcesses, Memory::yes}));
    print("allocations made and mapped in a second", {static_cast<double>(setting_.allocations) / seconds});
    for (std::uint64_t i = 0; i < setting_.allocations; ++i) PSNAM_CHECK(make(own_, own_user_, Memory::no).status());
    return {};
  }

  /// Each of the three in each round, another one first each time.
  Status rates(const std::string& when) {
    for (const Memory memory : {Memory::no, Memory::yes}) {
      const std::array<std::function<Result<double>()>, 3> measures{
          [&] { return own_rate(memory); }, [&] { return rate_of_one(memory); }, [&] { return rate_of_all(memory); }};
      std::array<std::vector<double>, 3> figures;
      for (int round = -1; round < setting_.rounds; ++round)
        for (std::size_t i = 0; i < measures.size(); ++i) {
          const std::size_t which = (i + static_cast<std::size_t>(round + 1)) % measures.size();
          PSNAM_TRY(const double rate, measures[which]());
          if (round >= 0) figures[which].push_back(rate);  // the first one is to warm up
        }
      const std::string what = (memory == Memory::yes ? ", mapped, " : ", ") + when;
      print("store in the process" + what, figures[0]);
      print("one client" + what, figures[1]);
      print("all clients" + what, figures[2]);
    }
    return {};
  }
  Result<double> own_rate(Memory memory) {
    const auto begin = Clock::now();
    for (std::uint64_t i = 0; i < kPairs; ++i) PSNAM_CHECK(make_and_free(own_, own_user_, memory));
    return static_cast<double>(kPairs) / std::chrono::duration<double>(Clock::now() - begin).count();
  }
  Result<double> rate_of_one(Memory memory) {
    PSNAM_TRY(const double seconds, workers_.tell({Order::What::pairs, kPairs, 1, memory}, 1));
    return static_cast<double>(kPairs) / seconds;
  }
  Result<double> rate_of_all(Memory memory) {
    PSNAM_TRY(const double seconds, workers_.tell({Order::What::pairs, kPairs, setting_.clients / kProcesses, memory}));
    return static_cast<double>(kPairs * kProcesses) / seconds;
  }

  /// Of the server, that are in no file: the catalog, which it maps, is not among them.
  [[nodiscard]] double private_bytes() const {
    std::ifstream file{"/proc/" + setting_.process + "/status"};
    for (std::string line; std::getline(file, line);)
      if (line.starts_with("RssAnon:")) return std::stod(line.substr(8)) * 1024;
    return 0;
  }
  [[nodiscard]] double catalog_bytes() const {
    std::error_code error;
    const auto bytes = std::filesystem::file_size(setting_.store / "catalog.mdb", error);
    return error ? 0 : static_cast<double>(bytes);
  }

  Workers& workers_;
  nam::Store& own_;
  const format::ProcessIdentity own_user_ = nam::session_user(1, 0, 1);
  const Setting& setting_;
};

Status run(const Setting& setting) {
  Workers workers{setting.options()};  // before there are threads, or a store
  const std::filesystem::path folder = setting.store.string() + "-beside";
  PSNAM_TRY(const auto store,
            nam::Store::open({.folder = folder,
                              .serving = nam::Serving{.instance = format::random_uuid(),
                                                      .lives = [](std::uint64_t session) { return session == 1; }}}));
  return Bench{workers, *store, setting}.run();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: %s SOCKET PROCESS STORE [CLIENTS [ALLOCATIONS [ROUNDS]]]\n", argv[0]);
    return 2;
  }
  Setting setting{.socket = argv[1], .process = argv[2], .store = argv[3]};
  if (argc > 4) setting.clients = std::strtoull(argv[4], nullptr, 10);
  if (argc > 5) setting.allocations = std::strtoull(argv[5], nullptr, 10);
  if (argc > 6) setting.rounds = std::atoi(argv[6]);
  if (setting.clients < kProcesses || setting.rounds < 1) {
    std::fprintf(stderr, "at least %zu clients, and a round\n", kProcesses);
    return 2;
  }
  const Status done = run(setting);
  if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
  return done ? 0 : 1;
}
