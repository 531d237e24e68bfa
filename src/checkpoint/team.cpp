#include "checkpoint/team.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <limits>

namespace psnam::checkpoint {
namespace {

struct Verdict {
  std::int32_t code = 0;
  std::int32_t detail = 0;
  std::array<char, 1016> message{};
};

Verdict verdict_of(const Error& error) {
  Verdict verdict{.code = static_cast<std::int32_t>(error.code), .detail = error.detail, .message = {}};
  std::memcpy(verdict.message.data(), error.message.data(), std::min(error.message.size(), verdict.message.size() - 1));
  return verdict;
}

Error mpi_failed(const char* what) { return Error{Code::mpi, fmt::format("the MPI library failed in {}", what)}; }

/// Rank 0 is whom the others are compared with.
template <class Field>
Status same(const char* function, const std::vector<Arguments>& all, const char* name, Field field) {
  for (std::size_t rank = 1; rank < all.size(); ++rank)
    if (all[rank].*field != all[0].*field)
      return Error{Code::invalid_argument, fmt::format("{}: {} is {} on rank 0 and {} on rank {}", function, name,
                                                       all[0].*field, all[rank].*field, rank)};
  return {};
}

}  // namespace

Status Team::check(const nam_private_team_t* table) {
  // The last function came later; programs that were compiled before it was there do without.
  if (table == nullptr || (table->bytes != sizeof(*table) && table->bytes != offsetof(nam_private_team_t, exchange)))
    return Error{Code::incompatible, "the program was compiled with another version of nam_ext.h"};
  return {};
}

Team::Team(const nam_private_team_t& table) noexcept : table_{} {
  std::memcpy(&table_, &table, std::min<std::size_t>(table.bytes, sizeof table_));
}

Result<std::vector<Arguments>> Team::compare(const char* function, Arguments mine) const {
  mine.global_rank = table_.global_rank;
  PSNAM_TRY(auto all, gather(mine));
  PSNAM_CHECK(same(function, all, "the operation", &Arguments::operation));
  PSNAM_CHECK(same(function, all, "the kind of operation", &Arguments::what));
  PSNAM_CHECK(same(function, all, "the root", &Arguments::root));
  if (mine.root < 0 || mine.root >= size())
    return Error{Code::rank, fmt::format("{}: root {} of {} processes", function, mine.root, size())};
  return all;
}

Status Team::gather_bytes(const void* mine, void* all, int bytes) const {
  if (table_.gather(table_.communicator, mine, all, bytes) != 0) return mpi_failed("a gather");
  return {};
}

Status Team::broadcast_bytes(void* data, int bytes, int root) const {
  if (table_.broadcast(table_.communicator, data, bytes, root) != 0) return mpi_failed("a broadcast");
  return {};
}

Result<std::vector<std::vector<std::uint64_t>>> Team::gather_words(const std::vector<std::uint64_t>& mine) const {
  PSNAM_TRY(const auto counts, gather(mine.size()));
  const std::size_t most = std::ranges::max(counts);
  std::vector<std::vector<std::uint64_t>> all(counts.size());
  if (most == 0) return all;
  if (most > std::numeric_limits<int>::max() / sizeof(std::uint64_t))
    return Error{Code::size, fmt::format("a rank has {} words to tell", most)};
  std::vector<std::uint64_t> padded = mine;
  padded.resize(most);
  std::vector<std::uint64_t> gathered(most * counts.size());
  PSNAM_CHECK(gather_bytes(padded.data(), gathered.data(), static_cast<int>(most * sizeof(std::uint64_t))));
  for (std::size_t rank = 0; rank < counts.size(); ++rank) {
    const auto first = gathered.begin() + static_cast<std::ptrdiff_t>(rank * most);
    all[rank].assign(first, first + static_cast<std::ptrdiff_t>(counts[rank]));
  }
  return all;
}

Result<bool> Team::everywhere(bool here) const {
  std::int64_t least = 0;
  if (table_.minimum(table_.communicator, here ? 1 : 0, &least) != 0) return mpi_failed("a reduction");
  return least != 0;
}

Status Team::exchange(std::span<const std::byte> send, std::span<const int> send_bytes, std::span<std::byte> receive,
                      std::span<const int> receive_bytes) const {
  if (table_.exchange == nullptr)
    return Error{Code::incompatible, "the program was compiled with a version of nam_ext.h that moves no data"};
  if (table_.exchange(table_.communicator, send.data(), send_bytes.data(), receive.data(), receive_bytes.data()) != 0)
    return mpi_failed("an exchange");
  return {};
}

Status Team::agree(const Status& mine) const {
  std::int64_t first = 0;
  if (table_.minimum(table_.communicator, mine ? size() : rank(), &first) != 0) return mpi_failed("a reduction");
  if (first == size()) return {};
  Verdict verdict;
  if (first == rank()) verdict = verdict_of(mine.error());
  PSNAM_CHECK(broadcast(verdict, static_cast<int>(first)));
  return Error{static_cast<Code>(verdict.code), fmt::format("rank {}: {}", first, verdict.message.data()),
               verdict.detail};
}

}  // namespace psnam::checkpoint
