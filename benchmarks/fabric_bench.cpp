// The fabric backend against what it stands on: in each round the same transfers by RemoteMemory, by a plain loop of
// libfabric's own calls, and over a TCP stream, all between this process and a forked one on the loopback address.
//
//   fabric_bench MODULE [ROUNDS]
//
// Prints, for each size, medians over the rounds: time of an 8-byte put with its flush, time of a get, and bandwidth.
// The plain loop does what it must to know that its bytes have arrived (FI_DELIVERY_COMPLETE on a single put, one read
// behind a batch of puts), and it and its server do nothing else.
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_rma.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "backends/fabric.hpp"

namespace {

using namespace psnam::backends;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMemory = std::size_t{64} << 20;
constexpr std::size_t kLargest = std::size_t{16} << 20;
constexpr std::uint64_t kRawKey = 0x7261772066616272;
constexpr int kTurns = 2000;                             // of a latency
constexpr std::size_t kVolume = std::size_t{256} << 20;  // of a bandwidth
constexpr std::size_t kBatch = 16;                       // operations under way of the plain loop

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "fabric_bench: {}\n", what);
  std::exit(1);
}
void must(bool good, const char* what) {
  if (!good) give_up(what);
}
void must(const psnam::Status& status) {
  if (!status) give_up(status.error().message);
}
void send_all(int fd, const void* data, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const auto now = ::send(fd, static_cast<const char*>(data) + done, bytes - done, 0);
    must(now > 0, "send");
    done += static_cast<std::size_t>(now);
  }
}
bool receive_all(int fd, void* data, std::size_t bytes) {
  for (std::size_t done = 0; done < bytes;) {
    const auto now = ::recv(fd, static_cast<char*>(data) + done, bytes - done, 0);
    if (now <= 0) return false;
    done += static_cast<std::size_t>(now);
  }
  return true;
}

/// libfabric's objects, as plainly as they come. They live as long as the process.
struct Raw {
  fid_domain* domain = nullptr;
  fid_cq* queue = nullptr;
  fid_ep* endpoint = nullptr;
  fi_addr_t peer = FI_ADDR_UNSPEC;

  explicit Raw(const std::string& provider) {
    fi_info* const hints = fi_allocinfo();
    hints->caps = FI_RMA;
    hints->ep_attr->type = FI_EP_RDM;
    hints->domain_attr->threading = FI_THREAD_SAFE;
    hints->fabric_attr->prov_name = ::strdup(provider.c_str());
    fi_info* info = nullptr;
    must(fi_getinfo(FI_VERSION(1, 15), "127.0.0.1", nullptr, FI_SOURCE, hints, &info) == 0, "fi_getinfo");
    fid_fabric* fabric = nullptr;
    must(fi_fabric(info->fabric_attr, &fabric, nullptr) == 0, "fi_fabric");
    must(fi_domain(fabric, info, &domain, nullptr) == 0, "fi_domain");
    fi_av_attr table{};
    fid_av* peers = nullptr;
    must(fi_av_open(domain, &table, &peers, nullptr) == 0, "fi_av_open");
    fi_cq_attr attributes{};
    attributes.format = FI_CQ_FORMAT_CONTEXT;
    must(fi_cq_open(domain, &attributes, &queue, nullptr) == 0, "fi_cq_open");
    must(fi_endpoint(domain, info, &endpoint, nullptr) == 0, "fi_endpoint");
    must(fi_ep_bind(endpoint, &peers->fid, 0) == 0 && fi_ep_bind(endpoint, &queue->fid, FI_TRANSMIT | FI_RECV) == 0 &&
             fi_enable(endpoint) == 0,
         "fi_enable");
    peers_ = peers;
  }
  std::string name() const {
    std::string bytes(64, '\0');
    std::size_t length = bytes.size();
    must(fi_getname(&endpoint->fid, bytes.data(), &length) == 0, "fi_getname");
    bytes.resize(length);
    return bytes;
  }
  void find(const std::string& name) {
    must(fi_av_insert(peers_, name.data(), 1, &peer, 0, nullptr) == 1, "fi_av_insert");
  }
  std::size_t completions() const {
    fi_cq_entry entries[32];
    const auto count = fi_cq_read(queue, entries, 32);
    must(count >= 0 || count == -FI_EAGAIN, "fi_cq_read");
    return count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  /// Starts one operation, and returns how many have completed meanwhile.
  std::size_t start(bool put, std::byte* local, std::size_t bytes, std::uint64_t at, std::uint64_t flags) const {
    const iovec here{local, bytes};
    const fi_rma_iov there{at, bytes, kRawKey};
    const fi_msg_rma message{&here, nullptr, 1, peer, &there, 1, nullptr, 0};
    for (std::size_t completed = 0;;) {
      const auto code = put ? fi_writemsg(endpoint, &message, flags) : fi_readmsg(endpoint, &message, flags);
      if (code == 0) return completed;
      must(code == -FI_EAGAIN, "starting an operation");
      completed += completions();
    }
  }
  void wait(std::size_t& open, std::size_t at_most) const {
    while (open > at_most) open -= completions();
  }

 private:
  fid_av* peers_ = nullptr;
};

struct Addresses {
  std::string provider;
  std::string endpoint;
  std::uint64_t key = 0;
  std::uint64_t base = 0;
  std::string raw;
  std::uint16_t port = 0;
};

void write_text(int fd, const std::string& text) {
  const std::size_t bytes = text.size();
  must(::write(fd, &bytes, sizeof bytes) == sizeof bytes &&
           ::write(fd, text.data(), bytes) == static_cast<ssize_t>(bytes),
       "pipe");
}
std::string read_text(int fd) {
  std::size_t bytes = 0;
  must(::read(fd, &bytes, sizeof bytes) == sizeof bytes, "the server did not start");
  std::string text(bytes, '\0');
  must(::read(fd, text.data(), bytes) == static_cast<ssize_t>(bytes), "pipe");
  return text;
}

int listener(std::uint16_t& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t bytes = sizeof address;
  must(::bind(fd, reinterpret_cast<sockaddr*>(&address), bytes) == 0 && ::listen(fd, 1) == 0 &&
           ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &bytes) == 0,
       "listening");
  port = address.sin_port;
  return fd;
}

struct StreamHeader {
  std::uint64_t bytes = 0;
  std::uint64_t put = 0;
};

/// Takes puts into memory, acknowledges each by a word, and answers gets.
void serve_stream(int fd, std::byte* memory) {
  for (StreamHeader header; receive_all(fd, &header, sizeof header);) {
    if (header.put == 0) {
      send_all(fd, memory, header.bytes);
    } else {
      must(receive_all(fd, memory, header.bytes), "receiving");
      send_all(fd, &header, 8);
    }
  }
}

enum class Kind { backend, raw, stream };
constexpr Kind kKinds[] = {Kind::backend, Kind::raw, Kind::stream};

/// A server process that does one of the three, so that the other two take nothing from it.
void serve(Kind kind, const std::string& module, int out, int in) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto* const memory = static_cast<std::byte*>(
      ::mmap(nullptr, kMemory, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  char byte = 0;
  if (kind == Kind::backend) {
    const auto fabric = load_fabric(module);
    if (!fabric) give_up(fabric.error().message);
    const auto server = (*fabric)->open_server({});
    if (!server) give_up(server.error().message);
    const auto endpoint = (*server)->make_endpoint();
    if (!endpoint) give_up(endpoint.error().message);
    const auto shared = (*endpoint)->register_memory({memory, kMemory}, psnam::Protection::read_write);
    if (!shared) give_up(shared.error().message);
    write_text(out, (*server)->provider());
    write_text(out, (*endpoint)->address());
    write_text(out, std::to_string((*shared)->key()));
    write_text(out, std::to_string((*shared)->base()));
    must(::read(in, &byte, 1) >= 0, "pipe");
  } else if (kind == Kind::raw) {
    const Raw raw{read_text(in)};
    fid_mr* registered = nullptr;
    must(fi_mr_reg(raw.domain, memory, kMemory, FI_REMOTE_READ | FI_REMOTE_WRITE, 0, kRawKey, 0, &registered,
                   nullptr) == 0,
         "fi_mr_reg");
    write_text(out, raw.name());
    for (;;) raw.completions();
  } else {
    std::uint16_t port = 0;
    const int listening = listener(port);
    write_text(out, std::to_string(port));
    const int connection = ::accept(listening, nullptr, nullptr);
    const int one = 1;
    ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    serve_stream(connection, memory);
  }
  ::_exit(0);
}

class ServerProcess {
 public:
  ServerProcess(Kind kind, const std::string& module) {
    int out[2];
    int in[2];
    must(::pipe(out) == 0 && ::pipe(in) == 0, "pipe");
    pid_ = ::fork();
    if (pid_ == 0) serve(kind, module, out[1], in[0]);
    ::close(out[1]);
    ::close(in[0]);
    from_ = out[0];
    to_ = in[1];
  }
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;
  ~ServerProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string hear() const { return read_text(from_); }
  void tell(const std::string& text) const { write_text(to_, text); }
  /// A server that polls without end would take a processor from the others.
  void pause() const { ::kill(pid_, SIGSTOP); }
  void go_on() const { ::kill(pid_, SIGCONT); }

 private:
  pid_t pid_ = -1;
  int from_ = -1;
  int to_ = -1;
};

/// One of the three, ready to be measured: a put that is complete on return, a get, a batch of puts complete on return.
struct Contestant {
  std::function<void(std::size_t bytes)> put;
  std::function<void(std::size_t bytes)> get;
  std::function<void(std::size_t bytes, std::size_t count)> puts;
  std::function<void(std::size_t bytes, std::size_t count)> gets;
};

Contestant backend(const ServerProcess& server, const std::string& module, std::byte* local, std::string& provider) {
  provider = server.hear();
  const std::string address = server.hear();
  const std::uint64_t key = std::stoull(server.hear());
  const std::uint64_t base = std::stoull(server.hear());
  const auto fabric = load_fabric(module);
  if (!fabric) give_up(fabric.error().message);
  const auto client = (*fabric)->connect({}, provider, address);
  if (!client) give_up(client.error().message);
  const auto memory = (*client)->open(key, base, kMemory, psnam::Protection::read_write);
  const auto many = [memory, local](bool put, std::size_t bytes, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = i * bytes % kLargest;
      const Piece piece{at, local + at, bytes};
      must(put ? memory->write({&piece, 1}) : memory->read({&piece, 1}));
    }
    must(memory->flush());
  };
  return {[many](std::size_t bytes) { many(true, bytes, 1); }, [many](std::size_t bytes) { many(false, bytes, 1); },
          [many](std::size_t bytes, std::size_t count) { many(true, bytes, count); },
          [many](std::size_t bytes, std::size_t count) { many(false, bytes, count); }};
}

Contestant plain(const ServerProcess& server, const std::string& provider, std::byte* local) {
  server.tell(provider);
  auto raw = std::make_shared<Raw>(provider);
  raw->find(server.hear());
  const auto one = [raw, local](bool put, std::size_t bytes, std::uint64_t flags) {
    std::size_t open = 1;
    open -= raw->start(put, local, bytes, 0, flags);
    raw->wait(open, 0);
  };
  const auto many = [raw, local](bool put, std::size_t bytes, std::size_t count) {
    std::size_t open = 0;
    for (std::size_t i = 0; i < count; ++i) {
      raw->wait(open, kBatch - 1);
      const std::size_t at = i * bytes % kLargest;
      open -= raw->start(put, local + at, bytes, at, FI_COMPLETION);
      ++open;
    }
    if (put) {
      open -= raw->start(false, local + kLargest, 8, 0, FI_COMPLETION);
      ++open;
    }
    raw->wait(open, 0);
  };
  return {[one](std::size_t bytes) { one(true, bytes, FI_COMPLETION | FI_DELIVERY_COMPLETE); },
          [one](std::size_t bytes) { one(false, bytes, FI_COMPLETION); },
          [many](std::size_t bytes, std::size_t count) { many(true, bytes, count); },
          [many](std::size_t bytes, std::size_t count) { many(false, bytes, count); }};
}

Contestant stream(const ServerProcess& server, std::byte* local) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = static_cast<std::uint16_t>(std::stoul(server.hear()));
  must(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "connecting");
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  // The acknowledgement of a batch is that of one large put.
  const auto put = [fd, local](std::size_t bytes, std::size_t count) {
    const StreamHeader header{bytes * count, 1};
    send_all(fd, &header, sizeof header);
    for (std::size_t i = 0; i < count; ++i) send_all(fd, local + i * bytes % kLargest, bytes);
    std::uint64_t word = 0;
    must(receive_all(fd, &word, sizeof word), "receiving");
  };
  const auto get = [fd, local](std::size_t bytes, std::size_t count) {
    const StreamHeader header{bytes, 0};
    for (std::size_t i = 0; i < count; ++i) send_all(fd, &header, sizeof header);
    for (std::size_t i = 0; i < count; ++i) must(receive_all(fd, local + i * bytes % kLargest, bytes), "receiving");
  };
  return {[put](std::size_t bytes) { put(bytes, 1); }, [get](std::size_t bytes) { get(bytes, 1); }, put, get};
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

using Samples = std::vector<double>;

/// Median of one operation, in microseconds.
double latency_us(const std::function<void(std::size_t)>& operation) {
  constexpr int kWarm = 100;
  Samples times;
  for (int turn = -kWarm; turn < kTurns; ++turn) {
    const auto begin = Clock::now();
    operation(8);
    if (turn >= 0) times.push_back(std::chrono::duration<double, std::micro>(Clock::now() - begin).count());
  }
  return median(times);
}
double bandwidth_GBs(const std::function<void(std::size_t, std::size_t)>& operations, std::size_t bytes) {
  constexpr std::size_t kMostOperations = 16384;
  // What a stream puts in one batch has to fit the server's memory.
  const std::size_t count = std::min(kMemory / bytes, kMostOperations);
  const std::size_t batches = std::max<std::size_t>(1, kVolume / (count * bytes) / (bytes < 65536 ? 4 : 1));
  operations(bytes, std::max<std::size_t>(1, count / 8));
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < batches; ++i) operations(bytes, count);
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return static_cast<double>(bytes * count * batches) / seconds / 1e9;
}

using Results = std::map<std::string, Samples[3]>;

void print_table(const std::string& provider, const std::vector<std::string>& order, Results& results) {
  fmt::print("provider {}; 8 B in microseconds, the others in GB/s; ratios are medians of the rounds' own\n", provider);
  fmt::print("{:<16}{:>12}{:>12}{:>12}{:>16}{:>16}\n", "", "backend", "libfabric", "TCP stream", "to libfabric",
             "to TCP stream");
  for (const std::string& name : order) {
    const auto& of = results[name];
    Samples to_raw;
    Samples to_stream;
    for (std::size_t i = 0; i < of[0].size(); ++i) {
      to_raw.push_back(of[0][i] / of[1][i]);
      to_stream.push_back(of[0][i] / of[2][i]);
    }
    fmt::print("{:<16}{:>12.2f}{:>12.2f}{:>12.2f}{:>16.2f}{:>16.2f}\n", name, median(of[0]), median(of[1]),
               median(of[2]), median(to_raw), median(to_stream));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) give_up("usage: fabric_bench MODULE [ROUNDS]");
  const std::string module = arguments[1];
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 5;
  auto* const local = static_cast<std::byte*>(
      ::mmap(nullptr, kLargest * 2, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  const ServerProcess servers[] = {{kKinds[0], module}, {kKinds[1], module}, {kKinds[2], module}};
  std::string provider;
  Contestant contestants[3];
  contestants[0] = backend(servers[0], module, local, provider);
  contestants[1] = plain(servers[1], provider, local);
  contestants[2] = stream(servers[2], local);
  for (const ServerProcess& server : servers) server.pause();

  const std::size_t sizes[] = {4096, 16384, 65536, 262144, 1048576, 4194304, 16777216};
  Results results;
  std::vector<std::string> order{"put 8 B", "get 8 B"};
  for (const std::size_t bytes : sizes) order.push_back(fmt::format("put {} KiB", bytes / 1024));
  for (const std::size_t bytes : sizes) order.push_back(fmt::format("get {} KiB", bytes / 1024));
  for (int round = 0; round < rounds; ++round)
    for (int turn = 0; turn < 3; ++turn) {
      const auto who = static_cast<std::size_t>((round + turn) % 3);
      servers[who].go_on();
      const Contestant& contestant = contestants[who];
      results["put 8 B"][who].push_back(latency_us(contestant.put));
      results["get 8 B"][who].push_back(latency_us(contestant.get));
      for (const std::size_t bytes : sizes) {
        results[fmt::format("put {} KiB", bytes / 1024)][who].push_back(bandwidth_GBs(contestant.puts, bytes));
        results[fmt::format("get {} KiB", bytes / 1024)][who].push_back(bandwidth_GBs(contestant.gets, bytes));
      }
      servers[who].pause();
    }

  print_table(provider, order, results);
  return 0;
}
