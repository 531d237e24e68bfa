// What checkpoints cost a job of real MPI ranks, each with data of its own: those of libNAM, managed ones, and what a
// program could do instead. Started by `checkpoints`, which makes tables of what rank 0 prints.
//
//   mpiexec -n N checkpoint_bench FOLDER MIB PARITIES ROUNDS [nodes]    MIB: data of all ranks together
//
// FOLDER is for files and is of a memory file system, as PSNAM_STORE is. With "nodes" the first half of the ranks has
// another store than the second, and copies go to partners.
#include <psnam_checkpoint.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "common_memory.hpp"
#include "plain_checkpoints.hpp"
#include "rounds.hpp"
#include "support/copy_files.hpp"

namespace {

using namespace psnam::bench;
void require(int result, const char* what) {
  if (result != 0) fail(std::string{what} + ": " + nam_strerror());
}

/// A series of managed checkpoints. Its version numbers are those that leave `remainder`, so that copies on a node with
/// several series can be told apart.
class Managed {
 public:
  Managed(const Plan& plan, const Data& data, const char* name, std::uint32_t policy, std::uint64_t remainder)
      : plan_{plan}, version_{remainder} {
    psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
    options.name = name;
    options.policy = policy;
    options.parities = plan.parities;
    handle_ = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
    if (handle_ == nullptr) fail(nam_strerror());
    require(psnam_checkpoint_register(handle_, 1, data.get(), plan.bytes), "registering");
    // Both copies and both slots of the parity have their memory from here on.
    save();
    save();
  }
  ~Managed() { require(psnam_checkpoint_remove(handle_), "removing"); }
  Managed(const Managed&) = delete;
  Managed& operator=(const Managed&) = delete;
  void save() {
    version_ += kSeries;
    require(psnam_checkpoint_save(handle_, version_), "saving");
  }
  /// Rank 0 has no copy of the newest version any more.
  void lose() const {
    if (plan_.rank == 0) psnam::test::lose_copies(std::getenv("PSNAM_STORE"), 0, version_);
  }
  void restart() {
    std::uint64_t version = 0;
    require(psnam_checkpoint_restart(handle_, &version, &source_), "restarting");
    if (version != version_) fail("restart gave version " + std::to_string(version));
  }
  void expect_source(int source) const {
    if (source_ != source) fail("the data came from " + std::to_string(source_) + ", not " + std::to_string(source));
  }

 private:
  static constexpr std::uint64_t kSeries = 8;
  const Plan& plan_;
  psnam_checkpoint_t* handle_ = nullptr;
  std::uint64_t version_;
  int source_ = -1;
};

class Bench {
 public:
  explicit Bench(const Plan& plan)
      : plan_{plan}, clock_{plan.folder}, common_{plan_}, data_{plan_, common_.copy(plan.rank)}, loop_{plan_, common_} {
    MPI_Barrier(MPI_COMM_WORLD);
    loop_.encode();
    MPI_Barrier(MPI_COMM_WORLD);
    loop_.rebuild();
    MPI_Barrier(MPI_COMM_WORLD);
    if (std::memcmp(common_.rebuilt(), common_.copy(0), plan_.bytes) != 0) fail("the loop rebuilds other data");
  }
  ~Bench() {
    if (set_ != nullptr) require(nam_free_all(set_), "ending the set");
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;
  void add_plain();
  void add_reduction();
  void add_libnam();
  void add_managed();
  void add_partners();
  void run(int rounds) const { rounds_.run(rounds); }

 private:
  template <class Body>
  void add(const char* operation, const char* contestant, Body body) {
    rounds_.add(operation, contestant, [this, body] { return clock_.measure(body); });
  }
  /// The ranks of `spoilt` (-1: all) have lost what was in their memory.
  template <class Body, class Check>
  void add_restart(const char* contestant, int spoilt, Body body, Check check) {
    rounds_.add("restart", contestant, [this, contestant, spoilt, body, check] {
      if (spoilt == -1 || spoilt == plan_.rank) data_.spoil();
      const double nanoseconds = clock_.measure(body);
      data_.expect_whole(contestant);
      check();
      return nanoseconds;
    });
  }
  void add_restart_of(const char* contestant, Managed& series, bool lost, int source);
  void copy() const { std::memcpy(common_.copy(plan_.rank), data_.get(), plan_.bytes); }

  Plan plan_;
  CommonClock clock_;
  Common common_;
  Data data_;
  Loop loop_;
  std::unique_ptr<File> file_;
  nam_ext_allocation_t* set_ = nullptr;
  std::vector<std::unique_ptr<Managed>> series_;
  std::vector<std::byte> received_;
  Rounds rounds_;
};

void Bench::add_plain() {
  add("save", "memcpy", [this] { copy(); });
  add("save", "ISA-L loop", [this] { loop_.encode(); });
  // One after the other, without what it costs to wait for each other between them.
  rounds_.add("save", "copy, then loop",
              [this] { return clock_.measure([this] { copy(); }) + clock_.measure([this] { loop_.encode(); }); });
  file_ = std::make_unique<File>(plan_);
  rounds_.add("save", "files, new", [this] {
    file_->remove();
    return clock_.measure([this] { file_->write(data_.get()); });
  });
  add("save", "files, written over", [this] { file_->write(data_.get()); });
  const auto nothing = [] {};
  const auto copy_back = [this] { std::memcpy(data_.get(), common_.copy(plan_.rank), plan_.bytes); };
  add_restart("memcpy", -1, copy_back, nothing);
  add("restart", "ISA-L loop", [this] { loop_.rebuild(); });
  rounds_.add("restart", "loop, then copy",
              [this, copy_back] { return clock_.measure([this] { loop_.rebuild(); }) + clock_.measure(copy_back); });
}

/// What a program with MPI alone does for one parity: each rank gets its share of it.
void Bench::add_reduction() {
  if (plan_.parities != 1) return;
  const std::size_t words = plan_.bytes / sizeof(std::uint64_t), ranks = static_cast<std::size_t>(plan_.ranks);
  std::vector<int> counts;
  for (std::size_t rank = 0; rank < ranks; ++rank)
    counts.push_back(static_cast<int>(words * (rank + 1) / ranks - words * rank / ranks));
  const std::size_t mine = static_cast<std::size_t>(plan_.rank), begin = words * mine / ranks * sizeof(std::uint64_t);
  received_.resize(static_cast<std::size_t>(counts[mine]) * sizeof(std::uint64_t));
  const auto reduce = [this, counts] {
    MPI_Reduce_scatter(data_.get(), received_.data(), counts.data(), MPI_UINT64_T, MPI_BXOR, MPI_COMM_WORLD);
  };
  reduce();
  if (std::memcmp(received_.data(), common_.parity(0) + begin, received_.size()) != 0) fail("MPI makes another parity");
  add("save", "MPI_Reduce_scatter", reduce);
}

void Bench::add_libnam() {
  set_ = nam_alloc_cprs_named("bench", plan_.parities, plan_.bytes, 0, MPI_COMM_WORLD);
  if (set_ == nullptr) fail(nam_strerror());
  const auto save = [this] { require(nam_checkpoint_sync(data_.get(), plan_.bytes, set_), "nam_checkpoint_sync"); };
  save();
  save();
  add("save", "libNAM", save);
  add_restart(
      "libNAM, rank 0 lost", 0,
      [this] { require(nam_restart_sync(data_.get(), plan_.bytes, plan_.rank != 0, set_), "nam_restart_sync"); },
      [] {});
}

void Bench::add_restart_of(const char* contestant, Managed& series, bool lost, int source) {
  const int expected = lost && plan_.rank == 0 ? source : PSNAM_CHECKPOINT_OWN;
  rounds_.add("restart", contestant, [this, contestant, &series, lost, expected] {
    data_.spoil();
    clock_.wait();
    if (lost) series.lose();
    const double nanoseconds = clock_.measure([&series] { series.restart(); });
    data_.expect_whole(contestant);
    series.expect_source(expected);
    return nanoseconds;
  });
}

void Bench::add_managed() {
  series_.push_back(std::make_unique<Managed>(plan_, data_, "parity", PSNAM_CHECKPOINT_BY_PARITY, 1));
  Managed& series = *series_.back();
  add("save", "managed", [&series] { series.save(); });
  add_restart_of("managed", series, false, PSNAM_CHECKPOINT_OWN);
  add_restart_of("managed, rank 0 lost", series, true, PSNAM_CHECKPOINT_REBUILT);
}

/// Half of the ranks are on one node, the others on another, and each rank has its partner there.
void Bench::add_partners() {
  const int partner = (plan_.rank + plan_.ranks / 2) % plan_.ranks, count = static_cast<int>(plan_.bytes);
  received_.resize(plan_.bytes);
  const auto send = [this, partner, count] {
    MPI_Sendrecv(common_.copy(plan_.rank), count, MPI_BYTE, partner, 0, received_.data(), count, MPI_BYTE, partner, 0,
                 MPI_COMM_WORLD, MPI_STATUS_IGNORE);
  };
  add("save", "memcpy", [this] { copy(); });
  add("save", "MPI_Sendrecv", send);
  add("save", "copy, then MPI_Sendrecv", [this, send] {
    copy();
    send();
  });
  constexpr std::uint32_t kBoth = PSNAM_CHECKPOINT_BY_PARITY | PSNAM_CHECKPOINT_BY_PARTNER;
  const auto add_series = [this](const char* name, std::uint32_t policy, std::uint64_t remainder) -> Managed& {
    series_.push_back(std::make_unique<Managed>(plan_, data_, name, policy, remainder));
    return *series_.back();
  };
  Managed& parity = add_series("parity", PSNAM_CHECKPOINT_BY_PARITY, 1);
  Managed& alone = add_series("partner", PSNAM_CHECKPOINT_BY_PARTNER, 2);
  Managed& both = add_series("both", kBoth, 3);
  add("save", "managed", [&parity] { parity.save(); });
  add("save", "managed, partner", [&alone] { alone.save(); });
  add("save", "managed, parity and partner", [&both] { both.save(); });
  add_restart_of("managed, partner", alone, false, PSNAM_CHECKPOINT_OWN);
  add_restart_of("managed, partner, rank 0 lost", alone, true, PSNAM_CHECKPOINT_PARTNER);
  add_restart_of("managed, rank 0 lost", parity, true, PSNAM_CHECKPOINT_REBUILT);
}

Plan read(int argc, char** argv) {
  Plan plan;
  MPI_Comm_rank(MPI_COMM_WORLD, &plan.rank);
  MPI_Comm_size(MPI_COMM_WORLD, &plan.ranks);
  const std::size_t mib = argc > 4 ? std::strtoul(argv[2], nullptr, 10) : 0;
  plan.parities = argc > 4 ? std::atoi(argv[3]) : 0;
  if (plan.ranks < 2 || mib < 1 || plan.parities < 1 || std::atoi(argv[4]) < 1 || std::getenv("PSNAM_STORE") == nullptr)
    fail("usage: PSNAM_STORE=... mpiexec -n N checkpoint_bench FOLDER MIB PARITIES ROUNDS [nodes], N at least 2");
  plan.folder = argv[1];
  plan.bytes = (mib << 20) / static_cast<std::size_t>(plan.ranks) / kBlock * kBlock;
  return plan;
}

}  // namespace

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const Plan plan = read(argc, argv);
  pin(plan.rank);
  if (plan.rank == 0) std::printf("bytes\tall ranks\t%zu\n", plan.bytes * static_cast<std::size_t>(plan.ranks));
  {
    Bench bench{plan};
    if (argc > 5) {
      bench.add_partners();
    } else {
      bench.add_plain();
      bench.add_reduction();
      bench.add_libnam();
      bench.add_managed();
    }
    bench.run(std::atoi(argv[4]));
  }
  if (nam_finalize() != 0) fail(nam_strerror());
  MPI_Finalize();
  return 0;
}
