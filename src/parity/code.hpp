// The code of a set: how parities come from the members' data, and how what is lost comes from the rest. One parity is
// the exclusive or of the members; more are a Reed-Solomon code over GF(2^8) with a Cauchy matrix, of which every
// choice of rows is enough. All arithmetic is ISA-L's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.hpp"

namespace psnam::parity {

/// CRC32C, as iSCSI and RFC 3720 have it; `before` is that of the bytes before these.
[[nodiscard]] std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

/// Rows of numbers, expanded as ISA-L wants them: each row makes one output from all inputs.
class Factors {
 public:
  /// `matrix` has outputs x inputs numbers, row after row.
  Factors(std::uint32_t inputs, std::uint32_t outputs, std::vector<std::uint8_t> matrix);

  [[nodiscard]] std::uint32_t inputs() const noexcept { return inputs_; }
  [[nodiscard]] std::uint32_t outputs() const noexcept { return outputs_; }
  [[nodiscard]] std::uint8_t at(std::uint32_t output, std::uint32_t input) const noexcept {
    return matrix_[output * inputs_ + input];
  }

  /// All outputs from all inputs, which are `bytes` bytes each. Any alignment.
  void combine(std::size_t bytes, std::span<const std::byte* const> inputs, std::span<std::byte* const> outputs) const;
  /// Adds what input `index` gives to each output.
  void add(std::size_t bytes, std::uint32_t index, const std::byte* input, std::span<std::byte* const> outputs) const;
  /// As add() to outputs that are zero, whatever they were.
  void assign(std::size_t bytes, std::uint32_t index, const std::byte* input,
              std::span<std::byte* const> outputs) const;

 private:
  std::uint32_t inputs_;
  std::uint32_t outputs_;
  bool only_ones_;
  std::vector<std::uint8_t> matrix_;
  std::vector<std::uint8_t> tables_;
  std::vector<std::vector<std::uint8_t>> single_;  ///< for each input, the tables of its column alone
};

/// How lost pieces are computed: from which, in this order, and with which factors.
struct Recovery {
  std::vector<std::uint32_t> sources;  ///< pieces: members, then members + index for parities
  std::vector<std::uint32_t> lost;     ///< as they were asked for
  Factors factors;                     ///< inputs: sources; outputs: lost
};

/// A piece is a member's data (its index) or a parity (members + its index). Immutable; any number of threads.
class Code {
 public:
  /// Code::invalid_argument unless 1 <= members, 1 <= parities and members + parities <= 255.
  [[nodiscard]] static Result<Code> make(std::uint32_t members, std::uint32_t parities);

  [[nodiscard]] std::uint32_t members() const noexcept { return members_; }
  [[nodiscard]] std::uint32_t parities() const noexcept { return encode_.outputs(); }
  [[nodiscard]] std::uint32_t pieces() const noexcept { return members() + parities(); }
  /// Inputs: members; outputs: parities.
  [[nodiscard]] const Factors& encoding() const noexcept { return encode_; }
  /// How to compute `lost`, members and parities alike, each named once. Members named in `absent` have no bytes here
  /// and count as zeros: they are neither used nor computed. Code::peer_lost, naming them, if more are lost than there
  /// are parities.
  [[nodiscard]] Result<Recovery> recovery(std::span<const std::uint32_t> lost,
                                          std::span<const std::uint32_t> absent = {}) const;

 private:
  Code(std::uint32_t members, std::uint32_t parities, std::vector<std::uint8_t> generator);

  std::uint32_t members_;
  std::vector<std::uint8_t> generator_;  ///< pieces x members; the identity above
  Factors encode_;
};

}  // namespace psnam::parity
