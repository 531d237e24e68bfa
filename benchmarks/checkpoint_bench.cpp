// What checkpoints cost a job of real MPI ranks, each with data of its own: those of libNAM, managed ones, and what a
// program could do instead. Started by `checkpoints`, which makes tables of what rank 0 prints.
//
//   mpiexec -n N checkpoint_bench FOLDER MIB PARITIES ROUNDS [nodes]    MIB: data of all ranks together
//
// FOLDER is for files and is of a memory file system, as PSNAM_STORE is. With "nodes" the first half of the ranks has
// another store than the second, and copies go to partners.
#include <fcntl.h>
#include <isa-l.h>
#include <psnam_checkpoint.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <random>
#include <vector>

#include "common_memory.hpp"
#include "rounds.hpp"
#include "support/copy_files.hpp"

namespace {

using namespace psnam::bench;
using Bytes = unsigned char;

constexpr std::size_t kBlock = 64 << 10;

struct Plan {
  std::string folder;
  std::size_t bytes = 0;  ///< of each rank, whole blocks
  int parities = 1;
  int rank = 0;
  int ranks = 0;
};

void require(int result, const char* what) {
  if (result != 0) fail(std::string{what} + ": " + nam_strerror());
}

/// A rank's own data, in memory that only it has. What is in it was copied to `reference` once.
class Data {
 public:
  Data(const Plan& plan, std::byte* reference)
      : bytes_{plan.bytes}, memory_{static_cast<std::byte*>(std::aligned_alloc(4096, bytes_))}, reference_{reference} {
    if (!memory_) fail("no memory");
    std::mt19937_64 random{static_cast<unsigned>(plan.rank)};
    for (std::size_t at = 0; at < bytes_; at += sizeof(std::uint64_t)) {
      const std::uint64_t word = random();
      std::memcpy(memory_.get() + at, &word, sizeof word);
    }
    std::memcpy(reference_, memory_.get(), bytes_);
  }
  [[nodiscard]] std::byte* get() const noexcept { return memory_.get(); }
  /// No block is what it was.
  void spoil() const noexcept {
    for (std::size_t at = 0; at < bytes_; at += kBlock) memory_.get()[at] ^= std::byte{0xff};
  }
  void expect_whole(const char* after) const {
    if (std::memcmp(memory_.get(), reference_, bytes_) != 0) fail(std::string{"wrong data after "} + after);
  }

 private:
  struct Free {
    void operator()(std::byte* bytes) const noexcept { std::free(bytes); }
  };
  std::size_t bytes_;
  std::unique_ptr<std::byte, Free> memory_;
  std::byte* reference_;
};

/// All ranks' data, parity of them and the data of rank 0 made again, in memory that all ranks map.
class Common {
 public:
  explicit Common(const Plan& plan)
      : plan_{plan}, memory_{plan.folder, plan.bytes * static_cast<std::size_t>(plan.ranks + plan.parities + 1)} {
    const auto [begin, end] = share();
    for (int index = plan.ranks; index <= plan.ranks + plan.parities; ++index)
      std::memset(piece(index) + begin, 0, end - begin);
  }
  [[nodiscard]] std::byte* copy(int rank) const noexcept { return piece(rank); }
  [[nodiscard]] std::byte* parity(int index) const noexcept { return piece(plan_.ranks + index); }
  [[nodiscard]] std::byte* rebuilt() const noexcept { return piece(plan_.ranks + plan_.parities); }
  /// The stripes that are this rank's.
  [[nodiscard]] std::pair<std::size_t, std::size_t> share() const noexcept {
    const std::size_t blocks = plan_.bytes / kBlock, ranks = static_cast<std::size_t>(plan_.ranks),
                      rank = static_cast<std::size_t>(plan_.rank);
    return {blocks * rank / ranks * kBlock, blocks * (rank + 1) / ranks * kBlock};
  }

 private:
  [[nodiscard]] std::byte* piece(int index) const noexcept {
    return memory_.data() + static_cast<std::size_t>(index) * plan_.bytes;
  }
  Plan plan_;
  CommonMemory memory_;
};

/// The limit: ISA-L's loop over pieces that all ranks map, each rank its share of the stripes. One parity is the
/// exclusive or; two are a code over a Cauchy matrix.
class Loop {
 public:
  Loop(const Plan& plan, const Common& common) : plan_{plan}, common_{common} {
    const int ranks = plan.ranks, parities = plan.parities;
    std::vector<Bytes> matrix(static_cast<std::size_t>((ranks + parities) * ranks));
    gf_gen_cauchy1_matrix(matrix.data(), ranks + parities, ranks);
    Bytes* const rows = matrix.data() + ranks * ranks;
    encode_ = tables(ranks, parities, rows);
    // What rank 0 gave to the first parity is what is left of it without the others.
    std::vector<Bytes> back(rows, rows + ranks);
    const Bytes inverse = gf_inv(back[0]);
    for (int rank = 1; rank < ranks; ++rank)
      back[static_cast<std::size_t>(rank)] = gf_mul(back[static_cast<std::size_t>(rank)], inverse);
    back[0] = inverse;
    rebuild_ = tables(ranks, 1, back.data());
  }
  void encode() {
    std::vector<std::byte*> inputs, outputs;
    for (int rank = 0; rank < plan_.ranks; ++rank) inputs.push_back(common_.copy(rank));
    for (int parity = 0; parity < plan_.parities; ++parity) outputs.push_back(common_.parity(parity));
    combine(inputs, outputs, encode_);
  }
  void rebuild() {
    std::vector<std::byte*> inputs{common_.parity(0)};
    for (int rank = 1; rank < plan_.ranks; ++rank) inputs.push_back(common_.copy(rank));
    combine(inputs, {common_.rebuilt()}, rebuild_);
  }

 private:
  static std::vector<Bytes> tables(int inputs, int outputs, Bytes* matrix) {
    std::vector<Bytes> expanded(static_cast<std::size_t>(32 * inputs * outputs));
    ec_init_tables(inputs, outputs, matrix, expanded.data());
    return expanded;
  }
  void combine(const std::vector<std::byte*>& inputs, const std::vector<std::byte*>& outputs,
               std::vector<Bytes>& tables) const {
    std::vector<Bytes*> pieces(inputs.size() + outputs.size());
    const auto [begin, end] = common_.share();
    for (std::size_t at = begin; at < end; at += kBlock) {
      auto piece = pieces.begin();
      for (const auto* const group : {&inputs, &outputs})
        for (std::byte* const memory : *group) *piece++ = reinterpret_cast<Bytes*>(memory + at);
      if (plan_.parities == 1)
        xor_gen(static_cast<int>(pieces.size()), kBlock, reinterpret_cast<void**>(pieces.data()));
      else
        ec_encode_data(kBlock, static_cast<int>(inputs.size()), static_cast<int>(outputs.size()), tables.data(),
                       pieces.data(), pieces.data() + inputs.size());
    }
  }

  const Plan& plan_;
  const Common& common_;
  std::vector<Bytes> encode_, rebuild_;
};

/// A file of each rank.
class File {
 public:
  explicit File(const Plan& plan) : path_{plan.folder + "/file-" + std::to_string(plan.rank)}, bytes_{plan.bytes} {}
  ~File() { remove(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  /// A new one, or the one that is there once more.
  void write(const std::byte* data) const {
    const int fd = ::open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) refuse("opening");
    for (std::size_t done = 0; done < bytes_;) {
      const ssize_t now = ::write(fd, data + done, bytes_ - done);
      if (now <= 0) refuse("writing");
      done += static_cast<std::size_t>(now);
    }
    if (::fsync(fd) != 0 || ::close(fd) != 0) refuse("keeping");
  }
  void remove() const { ::unlink(path_.c_str()); }

 private:
  [[noreturn]] void refuse(const char* what) const {
    fail(std::string{what} + " " + path_ + ": " + std::strerror(errno));
  }
  std::string path_;
  std::size_t bytes_;
};

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
