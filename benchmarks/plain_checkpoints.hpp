// What checkpoints are measured against, and the data that all contestants save: a loop of ISA-L over memory that all
// ranks map, and files. Written apart from the library on purpose.
#pragma once

#include <fcntl.h>
#include <isa-l.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common_memory.hpp"

namespace psnam::bench {

using Bytes = unsigned char;

inline constexpr std::size_t kBlock = 64 << 10;

struct Plan {
  std::string folder;
  std::size_t bytes = 0;  ///< of each rank, whole blocks
  int parities = 1;
  int rank = 0;
  int ranks = 0;
};

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

}  // namespace psnam::bench
