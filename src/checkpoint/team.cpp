#include "checkpoint/team.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

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
  if (table == nullptr || table->bytes != sizeof(*table))
    return Error{Code::incompatible, "the program was compiled with another version of nam_ext.h"};
  return {};
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
