// isa-l.h takes what it only reads as pointers to non-const bytes; hence the casts, all in this file.
#include "parity/code.hpp"

#include <fmt/format.h>
#include <isa-l.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "format/parity_page.hpp"

namespace psnam::parity {
namespace {

constexpr std::size_t kMostBytesAtOnce = std::size_t{1} << 30;  // ISA-L counts in int

unsigned char* raw(const std::byte* bytes) noexcept {
  return const_cast<unsigned char*>(reinterpret_cast<const unsigned char*>(bytes));
}

/// After every call of ISA-L, whose functions leave the upper halves of the vector registers as they are. Code that was
/// compiled for any processor does not know these halves, but waits for whatever was loaded into them last: without
/// this, checksum and exclusive or of cold memory by turns ran at 4.5 GB/s instead of 18.
struct UpperHalves {
  UpperHalves() = default;
  UpperHalves(const UpperHalves&) = delete;
  UpperHalves& operator=(const UpperHalves&) = delete;
  ~UpperHalves() {
#if defined(__x86_64__)
    static const bool there = __builtin_cpu_supports("avx") != 0;
    if (there) __asm__ volatile("vzeroupper" ::: "memory");
#endif
  }
};

/// ISA-L's exclusive or writes past the caches, and wants alignment, but for its version for AVX-512, which is taken
/// where the processor has these.
bool xor_stays_in_caches() noexcept {
#if defined(__x86_64__)
  static const bool stays = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512cd") != 0 &&
                            __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
                            __builtin_cpu_supports("avx512vl") != 0;
  return stays;
#else
  return false;
#endif
}

void exclusive_or(std::size_t bytes, const std::byte* one, const std::byte* other, std::byte* sum) noexcept {
  const UpperHalves cleared;
  std::array<void*, 3> pieces{raw(one), raw(other), sum};
  xor_gen(3, static_cast<int>(bytes), pieces.data());
}

std::vector<std::uint8_t> expand(std::uint32_t inputs, std::uint32_t outputs, std::vector<std::uint8_t>& matrix) {
  std::vector<std::uint8_t> tables(std::size_t{32} * inputs * outputs);
  ec_init_tables(static_cast<int>(inputs), static_cast<int>(outputs), matrix.data(), tables.data());
  return tables;
}

std::string names(std::span<const std::uint32_t> pieces, std::uint32_t members) {
  std::string text;
  for (const std::uint32_t piece : pieces)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", piece < members ? "member" : "parity",
                        piece < members ? piece : piece - members);
  return text;
}

bool holds(std::span<const std::uint32_t> pieces, std::uint32_t piece) noexcept {
  return std::ranges::find(pieces, piece) != pieces.end();
}

}  // namespace

std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  const UpperHalves cleared;
  std::uint32_t state = ~before;
  while (!bytes.empty()) {
    const std::size_t now = std::min(bytes.size(), kMostBytesAtOnce);
    state = crc32_iscsi(raw(bytes.data()), static_cast<int>(now), state);
    bytes = bytes.subspan(now);
  }
  return ~state;
}

Factors::Factors(std::uint32_t inputs, std::uint32_t outputs, std::vector<std::uint8_t> matrix)
    : inputs_{inputs},
      outputs_{outputs},
      only_ones_{std::ranges::all_of(matrix, [](std::uint8_t number) { return number == 1; })},
      matrix_{std::move(matrix)},
      tables_{expand(inputs, outputs, matrix_)} {
  for (std::uint32_t input = 0; input < inputs; ++input) {
    std::vector<std::uint8_t> column(outputs);
    for (std::uint32_t output = 0; output < outputs; ++output) column[output] = at(output, input);
    single_.push_back(expand(1, outputs, column));
  }
}

void Factors::combine(std::size_t bytes, std::span<const std::byte* const> inputs,
                      std::span<std::byte* const> outputs) const {
  const UpperHalves cleared;
  if (only_ones_ && inputs_ > 1 && xor_stays_in_caches()) {
    std::array<void*, format::kParityMaxPieces + 1> pieces;
    std::ranges::transform(inputs, pieces.begin(), raw);
    for (std::byte* const output : outputs) {
      pieces[inputs_] = output;
      xor_gen(static_cast<int>(inputs_ + 1), static_cast<int>(bytes), pieces.data());
    }
    return;
  }
  std::array<unsigned char*, format::kParityMaxPieces> from, to;
  std::ranges::transform(inputs, from.begin(), raw);
  std::ranges::transform(outputs, to.begin(), raw);
  ec_encode_data(static_cast<int>(bytes), static_cast<int>(inputs_), static_cast<int>(outputs_),
                 const_cast<unsigned char*>(tables_.data()), from.data(), to.data());
}

void Factors::add(std::size_t bytes, std::uint32_t index, const std::byte* input,
                  std::span<std::byte* const> outputs) const {
  if (only_ones_ && xor_stays_in_caches()) {
    for (std::byte* const output : outputs) exclusive_or(bytes, output, input, output);
    return;
  }
  const UpperHalves cleared;
  std::array<unsigned char*, format::kParityMaxPieces> to;
  std::ranges::transform(outputs, to.begin(), raw);
  ec_encode_data_update(static_cast<int>(bytes), static_cast<int>(inputs_), static_cast<int>(outputs_),
                        static_cast<int>(index), const_cast<unsigned char*>(tables_.data()), raw(input), to.data());
}

void Factors::assign(std::size_t bytes, std::uint32_t index, const std::byte* input,
                     std::span<std::byte* const> outputs) const {
  if (only_ones_) {
    for (std::byte* const output : outputs) std::memcpy(output, input, bytes);
    return;
  }
  const UpperHalves cleared;
  std::array<unsigned char*, format::kParityMaxPieces> to;
  std::ranges::transform(outputs, to.begin(), raw);
  unsigned char* from = raw(input);
  ec_encode_data(static_cast<int>(bytes), 1, static_cast<int>(outputs_),
                 const_cast<unsigned char*>(single_[index].data()), &from, to.data());
}

Code::Code(std::uint32_t members, std::uint32_t parities, std::vector<std::uint8_t> generator)
    : members_{members},
      generator_{std::move(generator)},
      encode_{members, parities,
              std::vector<std::uint8_t>(generator_.begin() + std::ptrdiff_t{members} * members, generator_.end())} {}

Result<Code> Code::make(std::uint32_t members, std::uint32_t parities) {
  if (members == 0 || parities == 0)
    return Error{psnam::Code::invalid_argument,
                 fmt::format("{} members with {} parities: at least one of each is needed", members, parities)};
  if (members > format::kParityMaxPieces || parities > format::kParityMaxPieces - members)
    return Error{psnam::Code::invalid_argument,
                 fmt::format("{} members with {} parities: together they are at most {}, the numbers of GF(2^8)",
                             members, parities, format::kParityMaxPieces)};
  std::vector<std::uint8_t> generator(std::size_t{members + parities} * members);
  gf_gen_cauchy1_matrix(generator.data(), static_cast<int>(members + parities), static_cast<int>(members));
  if (parities == 1) std::fill(generator.begin() + std::ptrdiff_t{members} * members, generator.end(), std::uint8_t{1});
  return Code{members, parities, std::move(generator)};
}

namespace {

/// The lost members as sums of the sources: the parities in `used` without what the members that are there gave to
/// them, times the inverse of what the lost ones gave. Rows of sources.size() numbers; empty if there is no inverse.
std::vector<std::uint8_t> solve(const Factors& encoding, std::span<const std::uint32_t> lost,
                                std::span<const std::uint32_t> used, std::span<const std::uint32_t> sources) {
  const std::size_t unknowns = lost.size();
  std::vector<std::uint8_t> given(unknowns * unknowns), inverse(unknowns * unknowns);
  for (std::size_t row = 0; row < unknowns; ++row)
    for (std::size_t column = 0; column < unknowns; ++column)
      given[row * unknowns + column] = encoding.at(used[row], lost[column]);
  if (unknowns != 0 && gf_invert_matrix(given.data(), inverse.data(), static_cast<int>(unknowns)) != 0) return {};
  std::vector<std::uint8_t> rows(unknowns * sources.size());
  for (std::size_t row = 0; row < unknowns; ++row)
    for (std::size_t column = 0; column < sources.size(); ++column) {
      std::uint8_t sum = 0;
      for (std::size_t by = 0; by < unknowns; ++by) {
        const std::uint32_t source = sources[column];
        const std::uint8_t share = source < encoding.inputs() ? encoding.at(used[by], source)
                                                              : std::uint8_t{source - encoding.inputs() == used[by]};
        sum ^= gf_mul(inverse[row * unknowns + by], share);
      }
      rows[row * sources.size() + column] = sum;
    }
  return rows;
}

}  // namespace

Result<Recovery> Code::recovery(std::span<const std::uint32_t> lost, std::span<const std::uint32_t> absent) const {
  std::vector<std::uint32_t> unknown, used, sources;
  std::ranges::copy_if(lost, std::back_inserter(unknown), [&](std::uint32_t piece) { return piece < members_; });
  for (std::uint32_t member = 0; member < members_; ++member)
    if (!holds(lost, member) && !holds(absent, member)) sources.push_back(member);
  for (std::uint32_t parity = 0; parity < parities() && used.size() < unknown.size(); ++parity)
    if (!holds(lost, members_ + parity)) used.push_back(parity);
  if (used.size() < unknown.size() || lost.size() > parities())
    return Error{psnam::Code::peer_lost, fmt::format("{} of {} pieces are lost ({}); {} {} rebuild at most {}",
                                                     lost.size(), pieces(), names(lost, members_), parities(),
                                                     parities() == 1 ? "parity can" : "parities can", parities())};
  for (const std::uint32_t parity : used) sources.push_back(members_ + parity);
  const auto solved = solve(encode_, unknown, used, sources);
  if (solved.size() != unknown.size() * sources.size())
    return Error{psnam::Code::corrupt, fmt::format("no inverse for {}", names(lost, members_))};
  std::vector<std::uint8_t> matrix(lost.size() * sources.size());
  for (std::size_t row = 0; row < lost.size(); ++row)
    for (std::size_t column = 0; column < sources.size(); ++column) {
      const std::uint32_t piece = lost[row], source = sources[column];
      std::uint8_t& number = matrix[row * sources.size() + column];
      // A lost parity is made from the members that are there and from those that are computed.
      if (piece >= members_ && source < members_) number = encode_.at(piece - members_, source);
      for (std::size_t by = 0; by < unknown.size(); ++by) {
        const std::uint8_t share =
            piece < members_ ? std::uint8_t{unknown[by] == piece} : encode_.at(piece - members_, unknown[by]);
        number ^= gf_mul(share, solved[by * sources.size() + column]);
      }
    }
  const auto inputs = static_cast<std::uint32_t>(sources.size()), outputs = static_cast<std::uint32_t>(lost.size());
  return Recovery{std::move(sources), {lost.begin(), lost.end()}, Factors{inputs, outputs, std::move(matrix)}};
}

}  // namespace psnam::parity
