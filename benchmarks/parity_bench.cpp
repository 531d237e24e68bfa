// What parity costs, against what the machine can do. Members are threads, each on one processor and with private data;
// the area, copies and the contestants' parity lie in shared memory. All contestants run once in each round, another
// one first each time. Prints for each set of members and parities the medians, in GB/s of members' data, and the
// medians of the ratios within each round.
//
//   parity_bench [MIB [ROUNDS]]    data of all members together, 512; 9
#include <fcntl.h>
#include <isa-l.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "parity/area.hpp"
#include "parity/encode.hpp"
#include "parity/mapped.hpp"
#include "parity/rebuild.hpp"
#include "plain_copy.hpp"

namespace {

using namespace psnam;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kBlock = parity::kDefaultBlockBytes;

[[noreturn]] void fail(const std::string& what) {
  std::fprintf(stderr, "parity_bench: %s\n", what.c_str());
  std::exit(1);
}

void require(const Status& status) {
  if (!status) fail(status.error().message);
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

std::vector<int> processors() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ::sched_getaffinity(0, sizeof allowed, &allowed);
  std::vector<int> found;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &allowed)) found.push_back(cpu);
  return found;
}

/// Runs `body(index)` in `count` threads, pinned in turns, and returns the seconds from the first start to the last
/// end.
double in_threads(std::uint32_t count, const std::function<void(std::uint32_t)>& body) {
  static const std::vector<int> cpus = processors();
  std::barrier start{static_cast<std::ptrdiff_t>(count)};
  std::vector<Clock::time_point> begins(count), ends(count);
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t index = 0; index < count; ++index)
      threads.emplace_back([&, index] {
        cpu_set_t mine;
        CPU_ZERO(&mine);
        CPU_SET(cpus[index % cpus.size()], &mine);
        ::sched_setaffinity(0, sizeof mine, &mine);
        start.arrive_and_wait();
        begins[index] = Clock::now();
        body(index);
        ends[index] = Clock::now();
      });
  }
  return std::chrono::duration<double>(std::ranges::max(ends) - std::ranges::min(begins)).count();
}

struct Free {
  void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
};
using Private = std::unique_ptr<std::byte, Free>;

Private private_memory(std::size_t bytes, unsigned seed) {
  Private memory{static_cast<std::byte*>(std::aligned_alloc(4096, bytes))};
  if (!memory) fail("no memory");
  std::mt19937_64 random{seed};
  for (std::size_t at = 0; at < bytes; at += 8) {
    const std::uint64_t word = random();
    std::memcpy(memory.get() + at, &word, 8);
  }
  return memory;
}

unsigned char* raw(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

/// One number of members and parities.
class Set {
 public:
  Set(std::uint32_t members, std::uint32_t parities, std::size_t total)
      : members_{members},
        parities_{parities},
        bytes_{total / members / kBlock * kBlock},
        memory_{*parity::bytes_needed(members, bytes_, parities)},
        output_{parities * bytes_},
        area_{*parity::Area::create({memory_.data(), *parity::bytes_needed(members, bytes_, parities)},
                                    {members, parities, bytes_, parity::kDefaultBlockBytes, {}, "bench"})} {
    for (std::uint32_t member = 0; member < members; ++member) {
      data_.push_back(private_memory(bytes_, member));
      copies_.push_back(std::make_unique<bench::SharedMemory>(bytes_));
    }
    encode(false);
    encode(false);
  }

  [[nodiscard]] double gigabytes() const { return static_cast<double>(bytes_) * members_ / 1e9; }

  /// The limit: nothing but ISA-L's loop, the range cut among all processors.
  double isal() const {
    const auto cpus = static_cast<std::uint32_t>(processors().size());
    return in_threads(cpus, [&](std::uint32_t index) {
      const auto [begin, end] = part(index, cpus);
      std::vector<void*> pieces(members_ + 1);
      std::vector<unsigned char*> inputs(members_), outputs(parities_);
      std::vector<unsigned char> tables = encode_tables();
      for (std::size_t at = begin; at < end; at += kBlock) {
        for (std::uint32_t member = 0; member < members_; ++member)
          pieces[member] = inputs[member] = raw(data_[member].get() + at);
        for (std::uint32_t parity = 0; parity < parities_; ++parity)
          outputs[parity] = raw(output_.data() + parity * bytes_ + at);
        pieces[members_] = outputs[0];
        if (parities_ == 1)
          xor_gen(static_cast<int>(members_ + 1), static_cast<int>(kBlock), pieces.data());
        else
          ec_encode_data(static_cast<int>(kBlock), static_cast<int>(members_), static_cast<int>(parities_),
                         tables.data(), inputs.data(), outputs.data());
      }
    });
  }

  double copy() const {
    return in_threads(members_,
                      [&](std::uint32_t member) { std::memcpy(copies_[member]->data(), data_[member].get(), bytes_); });
  }

  double encode(bool with_copy) {
    const auto begin = Clock::now();
    auto attempt = area_.begin(++version_);
    if (!attempt) fail(attempt.error().message);
    const double starting = std::chrono::duration<double>(Clock::now() - begin).count();
    return starting + in_threads(members_, [&](std::uint32_t member) {
             const parity::MemberData data{
                 member, {data_[member].get(), bytes_}, with_copy ? copies_[member]->data() : nullptr};
             require(parity::encode_member(area_, *attempt, data, soon()));
             if (member == 0) require(area_.commit(*attempt, soon()));
           });
  }

  /// As encode(), where every member has everybody's data mapped.
  double encode_mapped() {
    const auto begin = Clock::now();
    auto attempt = area_.begin(++version_);
    if (!attempt) fail(attempt.error().message);
    const double starting = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto all = spans();
    return starting + in_threads(members_, [&](std::uint32_t member) {
             require(parity::encode_mapped(area_, *attempt, member, all, soon()));
             if (member == 0) require(area_.commit(*attempt, soon()));
           });
  }

  double encode_alone() {
    const double seconds = in_threads(1, [&](std::uint32_t) {
      parity::Buffers buffers{spans()};
      if (auto done = parity::encode_all(area_, ++version_, buffers.sizes(), buffers); !done)
        fail(done.error().message);
    });
    return seconds;
  }

  /// The loop that computes member 0 from the others and the parity, nothing verified.
  double isal_rebuild() const {
    const auto cpus = static_cast<std::uint32_t>(processors().size());
    return in_threads(cpus, [&](std::uint32_t index) {
      const auto [begin, end] = part(index, cpus);
      std::vector<void*> pieces(members_ + 1);
      std::vector<unsigned char*> inputs(members_);
      unsigned char* lost = nullptr;
      std::vector<unsigned char> ones(members_, 3), tables(32 * members_);
      ec_init_tables(static_cast<int>(members_), 1, ones.data(), tables.data());
      for (std::size_t at = begin; at < end; at += kBlock) {
        for (std::uint32_t member = 1; member < members_; ++member) pieces[member] = data_[member].get() + at;
        pieces[0] = output_.data() + at;
        lost = raw(data_[0].get() + at);
        for (std::uint32_t input = 0; input < members_; ++input)
          inputs[input] = static_cast<unsigned char*>(pieces[input]);
        pieces[members_] = lost;
        if (parities_ == 1)
          xor_gen(static_cast<int>(members_ + 1), static_cast<int>(kBlock), pieces.data());
        else
          ec_encode_data(static_cast<int>(kBlock), static_cast<int>(members_), 1, tables.data(), inputs.data(), &lost);
      }
    });
  }

  double rebuild() {
    const auto version = area_.newest();
    if (!version) fail(version.error().message);
    const parity::Attempt attempt = area_.begin_rebuild(*version);
    return in_threads(members_, [&](std::uint32_t member) {
      parity::RebuildReport report;
      require(parity::rebuild_member(area_, attempt, *version, {member, {data_[member].get(), bytes_}, member == 0},
                                     soon(), report));
    });
  }

  double rebuild_mapped() {
    const auto version = area_.newest();
    if (!version) fail(version.error().message);
    const parity::Attempt attempt = area_.begin_rebuild(*version);
    const auto all = spans();
    return in_threads(members_, [&](std::uint32_t member) {
      parity::RebuildReport report;
      require(parity::rebuild_mapped(area_, attempt, *version, member, all, member == 0, soon(), report));
    });
  }

  double files() const {
    return in_threads(members_, [&](std::uint32_t member) {
      const std::string path =
          "/dev/shm/psnam-parity-bench-" + std::to_string(::getpid()) + "-" + std::to_string(member);
      const int fd = ::open(path.c_str(), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);
      if (fd < 0) fail("opening " + path);
      ::unlink(path.c_str());
      std::size_t done = 0;
      while (done < bytes_) {
        const ssize_t now = ::write(fd, data_[member].get() + done, bytes_ - done);
        if (now <= 0) fail("writing " + path);
        done += static_cast<std::size_t>(now);
      }
      ::close(fd);
    });
  }

 private:
  static parity::Deadline soon() { return Clock::now() + std::chrono::seconds{60}; }
  [[nodiscard]] std::pair<std::size_t, std::size_t> part(std::uint32_t index, std::uint32_t count) const {
    const std::size_t blocks = bytes_ / kBlock;
    return {blocks * index / count * kBlock, blocks * (index + 1) / count * kBlock};
  }
  [[nodiscard]] std::vector<unsigned char> encode_tables() const {
    const auto& code = area_.code().encoding();
    std::vector<unsigned char> matrix, tables(std::size_t{32} * members_ * parities_);
    for (std::uint32_t parity = 0; parity < parities_; ++parity)
      for (std::uint32_t member = 0; member < members_; ++member) matrix.push_back(code.at(parity, member));
    ec_init_tables(static_cast<int>(members_), static_cast<int>(parities_), matrix.data(), tables.data());
    return tables;
  }
  [[nodiscard]] std::vector<std::span<std::byte>> spans() const {
    std::vector<std::span<std::byte>> all;
    for (const Private& member : data_) all.emplace_back(member.get(), bytes_);
    return all;
  }

  std::uint32_t members_;
  std::uint32_t parities_;
  std::size_t bytes_;
  bench::SharedMemory memory_;
  bench::SharedMemory output_;
  parity::Area area_;
  std::vector<Private> data_;
  std::vector<std::unique_ptr<bench::SharedMemory>> copies_;
  std::uint64_t version_ = 0;
};

struct Ratio {
  const char* name;
  const char* of;
  const char* to;
  double aim;
};

constexpr Ratio kRatios[] = {{"encode / loop", "encode", "ISA-L loop", 0.85},
                             {"encode, all mapped / loop", "encode, all mapped", "ISA-L loop", 0.85},
                             {"rebuild, all mapped / loop", "rebuild, all mapped", "ISA-L rebuild loop", 0.8},
                             {"rebuild / loop", "rebuild", "ISA-L rebuild loop", 0.8},
                             {"copy and encode in one pass / copy, then loop", "copy+encode", "copy, then loop", 1.3},
                             {"encode / files", "encode", "files in /dev/shm", 1}};

void measure(std::uint32_t members, std::uint32_t parities, std::size_t total, int rounds) {
  Set set{members, parities, total};
  const std::vector<std::pair<const char*, std::function<double()>>> contestants{
      {"ISA-L loop", [&] { return set.isal(); }},
      {"encode", [&] { return set.encode(false); }},
      {"encode, all mapped", [&] { return set.encode_mapped(); }},
      {"encode, one process", [&] { return set.encode_alone(); }},
      {"copy", [&] { return set.copy(); }},
      {"copy, then loop", [&] { return set.copy() + set.isal(); }},
      {"copy+encode", [&] { return set.encode(true); }},
      {"ISA-L rebuild loop", [&] { return set.isal_rebuild(); }},
      {"rebuild", [&] { return set.rebuild(); }},
      {"rebuild, all mapped", [&] { return set.rebuild_mapped(); }},
      {"files in /dev/shm", [&] { return set.files(); }},
  };
  std::map<std::string, std::vector<double>> speeds;
  for (const auto& [name, run] : contestants) run();
  // The loop's parity for the rebuild loop is that of the data; after it and after rebuild() the data is as it was.
  for (int round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < contestants.size(); ++i) {
      const auto& [name, run] = contestants[(i + static_cast<std::size_t>(round)) % contestants.size()];
      speeds[name].push_back(set.gigabytes() / run());
    }
  std::printf("%u members, %u %s\n", members, parities, parities == 1 ? "parity" : "parities");
  for (const auto& [name, run] : contestants) std::printf("  %-48s %6.2f GB/s\n", name, median(speeds[name]));
  for (const Ratio& ratio : kRatios) {
    std::vector<double> ratios;
    for (std::size_t round = 0; round < speeds[ratio.of].size(); ++round)
      ratios.push_back(speeds[ratio.of][round] / speeds[ratio.to][round]);
    std::printf("  %-48s %6.2f (aim %.2f)\n", ratio.name, median(ratios), ratio.aim);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::size_t mib = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 512;
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 9;
  if (mib < 1 || rounds < 1) fail("usage: parity_bench [MIB [ROUNDS]]");
  for (const std::uint32_t parities : {1U, 2U})
    for (const std::uint32_t members : {2U, 4U}) measure(members, parities, mib << 20, rounds);
  return 0;
}
