#include "sync/assertions.hpp"

#include <fmt/format.h>

#include <array>
#include <string>

namespace psnam::sync {
namespace {

struct Row {
  int bit;
  const char* name;
};

constexpr std::array<Row, 5> kAssertions{{
    {MPI_MODE_NOCHECK, "MPI_MODE_NOCHECK"},
    {MPI_MODE_NOSTORE, "MPI_MODE_NOSTORE"},
    {MPI_MODE_NOPUT, "MPI_MODE_NOPUT"},
    {MPI_MODE_NOPRECEDE, "MPI_MODE_NOPRECEDE"},
    {MPI_MODE_NOSUCCEED, "MPI_MODE_NOSUCCEED"},
}};

}  // namespace

Result<Assertions> Assertions::parse(const char* call, int bits, int known) {
  if ((bits & ~known) == 0) return Assertions{bits};
  std::string names;
  for (const Row& row : kAssertions)
    if ((known & row.bit) != 0) names += fmt::format("{}{} ({})", names.empty() ? "" : ", ", row.name, row.bit);
  return Error{Code::assertion, fmt::format("assert = {}: {} knows {}", bits, call, names)};
}

Result<Assertions> Assertions::of_fence(int bits) {
  return parse("MPI_Win_fence", bits, MPI_MODE_NOSTORE | MPI_MODE_NOPUT | MPI_MODE_NOPRECEDE | MPI_MODE_NOSUCCEED);
}

Result<Assertions> Assertions::of_lock(int bits) { return parse("MPI_Win_lock", bits, MPI_MODE_NOCHECK); }

Result<Assertions> Assertions::of_post(int bits) {
  return parse("MPI_Win_post", bits, MPI_MODE_NOCHECK | MPI_MODE_NOSTORE | MPI_MODE_NOPUT);
}

Result<Assertions> Assertions::of_start(int bits) { return parse("MPI_Win_start", bits, MPI_MODE_NOCHECK); }

}  // namespace psnam::sync
