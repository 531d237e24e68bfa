#include "rma/flatten.hpp"

#include <algorithm>
#include <array>
#include <span>

#include <fmt/format.h>

#include "rma/checked.hpp"
#include "rma/element.hpp"
#include "rma/run_list.hpp"
#include "rma/type_contents.hpp"

namespace psnam::rma {
namespace {

/// A type inside another: what it covers and how far the next element is.
struct Part {
  RunList runs;
  std::ptrdiff_t extent = 0;
  Element element{};
};

Result<Part> part_of(const Real& real, MPI_Datatype type);

using Numbers = std::span<const std::int64_t>;

// The types of value and index, for MPI_MINLOC and MPI_MAXLOC: the only ones of the MPI library that may have a gap.
struct FloatInt {
  float value;
  int index;
};
struct DoubleInt {
  double value;
  int index;
};
struct LongInt {
  long value;
  int index;
};
struct ShortInt {
  short value;
  int index;
};
struct LongDoubleInt {
  long double value;
  int index;
};
struct Pair {
  MPI_Datatype type;
  std::size_t value_bytes;
  std::size_t index_offset;
};
constexpr std::array kPairs{
    Pair{MPI_FLOAT_INT, sizeof(float), offsetof(FloatInt, index)},
    Pair{MPI_DOUBLE_INT, sizeof(double), offsetof(DoubleInt, index)},
    Pair{MPI_LONG_INT, sizeof(long), offsetof(LongInt, index)},
    Pair{MPI_SHORT_INT, sizeof(short), offsetof(ShortInt, index)},
    Pair{MPI_LONG_DOUBLE_INT, sizeof(long double), offsetof(LongDoubleInt, index)},
};

Result<Part> basic_type(const Real& real, MPI_Datatype type, int combiner) {
  MPI_Count size = 0;
  PSNAM_CHECK(mpi_status(real, real.Type_size_x(type, &size), "MPI_Type_size", type));
  const auto bytes = static_cast<std::size_t>(size);
  Part part;
  part.element = combiner == MPI_COMBINER_NAMED ? predefined_element(type, bytes) : f90_element(combiner, bytes);
  const auto pair = std::ranges::find(kPairs, type, &Pair::type);
  if (pair != kPairs.end()) {
    part.runs.append(Run{0, pair->value_bytes, 0, 1});
    part.runs.append(Run{static_cast<std::ptrdiff_t>(pair->index_offset), sizeof(int), 0, 1});
  } else {
    part.runs.append(Run{0, bytes, 0, 1});
  }
  return part;
}

// `n` elements of `part`, one after the other, the first one at `at`.
void place(RunList& list, const Part& part, std::int64_t n, Checked at) {
  RunList block = part.runs;
  block.repeat(n, part.extent);
  list.append(block, at);
}

// vector and hvector: count, block length, stride in units of `unit` bytes.
RunList vector(const Part& part, Numbers numbers, std::ptrdiff_t unit) {
  RunList list;
  place(list, part, numbers[1], 0);
  list.repeat(numbers[0], Checked{numbers[2]} * unit);
  return list;
}

// indexed and hindexed: count, block lengths, displacements in units of `unit` bytes.
RunList indexed(const Part& part, Numbers numbers, std::ptrdiff_t unit) {
  RunList list;
  const auto count = static_cast<std::size_t>(numbers[0]);
  for (std::size_t i = 0; i < count; ++i) place(list, part, numbers[1 + i], Checked{numbers[1 + count + i]} * unit);
  return list;
}

// indexed_block and hindexed_block: count, one block length, displacements in units of `unit` bytes.
RunList indexed_block(const Part& part, Numbers numbers, std::ptrdiff_t unit) {
  RunList block, list;
  place(block, part, numbers[1], 0);
  for (const std::int64_t displacement : numbers.subspan(2)) list.append(block, Checked{displacement} * unit);
  return list;
}

// struct: count, block lengths, displacements in bytes; a type for each.
Result<Part> structure(const Real& real, const TypeContents& contents) {
  const Numbers numbers = contents.numbers();
  const std::size_t count = contents.types().size();
  Part all;
  for (std::size_t i = 0; i < count; ++i) {
    PSNAM_TRY(const Part part, part_of(real, contents.types()[i]));
    place(all.runs, part, numbers[1 + i], numbers[1 + count + i]);
    if (numbers[1 + i] > 0) all.element = together(all.element, part.element);
  }
  return all;
}

// The dimensions of an array from the one whose index runs fastest.
std::size_t dimension(std::size_t nth_fastest, std::size_t dimensions, std::int64_t order) {
  return order == MPI_ORDER_FORTRAN ? nth_fastest : dimensions - 1 - nth_fastest;
}

// subarray: dimensions, sizes, subsizes, starts, order.
RunList subarray(const Part& part, Numbers numbers) {
  const auto n = static_cast<std::size_t>(numbers[0]);
  const Numbers sizes = numbers.subspan(1, n), subsizes = numbers.subspan(1 + n, n),
                starts = numbers.subspan(1 + 2 * n, n);
  RunList box = part.runs;
  Checked step = part.extent, origin = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t d = dimension(i, n, numbers.back());
    box.repeat(subsizes[d], step);
    origin = origin + Checked{starts[d]} * step;
    step = step * sizes[d];
  }
  RunList list;
  list.append(box, origin);
  return list;
}

/// One dimension of a distributed array, seen by one process of the `processes` along it.
struct Distribution {
  std::int64_t size;
  std::int64_t kind;
  std::int64_t argument;
  std::int64_t processes;
  std::int64_t coordinate;
};

// The share of one process of a dimension whose indices are `step` bytes apart and hold `inner` each. A block
// distribution is a cyclic one whose blocks are dealt once.
RunList share(const RunList& inner, const Distribution& dim, Checked step) {
  RunList list;
  const auto indices = [&](std::int64_t first, std::int64_t length, std::int64_t times, Checked period) {
    RunList block = inner;
    block.repeat(length, step);
    block.repeat(times, period * step);
    list.append(block, Checked{first} * step);
  };
  if (dim.kind == MPI_DISTRIBUTE_NONE) {
    indices(0, dim.size, 1, 0);
    return list;
  }
  std::int64_t block = dim.argument;
  if (block == MPI_DISTRIBUTE_DFLT_DARG)
    block = dim.kind == MPI_DISTRIBUTE_CYCLIC ? 1 : dim.size / dim.processes + (dim.size % dim.processes != 0 ? 1 : 0);
  const Checked first = Checked{dim.coordinate} * block, period = Checked{dim.processes} * block;
  if (!first.ok || first.value >= dim.size) return list;
  const std::int64_t rest = dim.size - first.value;
  const std::int64_t whole = rest < block ? 0 : (period.ok ? (rest - block) / period.value + 1 : 1);
  indices(first.value, block, whole, period.ok ? period : 0);
  const Checked tail = first + Checked{whole} * period;
  if (tail.ok && tail.value < dim.size) indices(tail.value, std::min(block, dim.size - tail.value), 1, 0);
  return list;
}

// darray: processes, rank, dimensions, sizes, distributions, their arguments, processes along each dimension, order.
// The grid of processes is always in row-major order.
RunList darray(const Part& part, Numbers numbers) {
  const auto n = static_cast<std::size_t>(numbers[2]);
  const auto row = [&](std::size_t i) { return numbers.subspan(3 + i * n, n); };
  std::vector<std::int64_t> coordinates(n);
  std::int64_t rank = numbers[1];
  for (std::size_t d = n; d-- > 0;) {
    coordinates[d] = rank % row(3)[d];
    rank /= row(3)[d];
  }
  RunList list = part.runs;
  Checked step = part.extent;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t d = dimension(i, n, numbers.back());
    list = share(list, Distribution{row(0)[d], row(1)[d], row(2)[d], row(3)[d], coordinates[d]}, step);
    step = step * row(0)[d];
  }
  return list;
}

// Replaces the part that a type is made of by the type.
Status construct(MPI_Datatype type, const TypeContents& contents, Part& part) {
  const Numbers numbers = contents.numbers();
  switch (contents.combiner()) {
    case MPI_COMBINER_DUP:
    case MPI_COMBINER_RESIZED:
      break;
    case MPI_COMBINER_CONTIGUOUS:
      part.runs.repeat(numbers[0], part.extent);
      break;
    case MPI_COMBINER_VECTOR:
      part.runs = vector(part, numbers, part.extent);
      break;
    case MPI_COMBINER_HVECTOR:
      part.runs = vector(part, numbers, 1);
      break;
    case MPI_COMBINER_INDEXED:
      part.runs = indexed(part, numbers, part.extent);
      break;
    case MPI_COMBINER_HINDEXED:
      part.runs = indexed(part, numbers, 1);
      break;
    case MPI_COMBINER_INDEXED_BLOCK:
      part.runs = indexed_block(part, numbers, part.extent);
      break;
    case MPI_COMBINER_HINDEXED_BLOCK:
      part.runs = indexed_block(part, numbers, 1);
      break;
    case MPI_COMBINER_SUBARRAY:
      part.runs = subarray(part, numbers);
      break;
    case MPI_COMBINER_DARRAY:
      part.runs = darray(part, numbers);
      break;
    default:
      return Error{Code::unsupported,
                   fmt::format("datatype {:#x} was made by a constructor (number {}) that is unknown here",
                               static_cast<unsigned>(type), contents.combiner())};
  }
  return {};
}

Result<Part> derived_type(const Real& real, MPI_Datatype type, const TypeContents& contents) {
  if (contents.combiner() == MPI_COMBINER_STRUCT) return structure(real, contents);
  PSNAM_TRY(Part part, part_of(real, contents.types().at(0)));
  PSNAM_CHECK(construct(type, contents, part));
  return part;
}

Result<Part> part_of(const Real& real, MPI_Datatype type) {
  PSNAM_TRY(const TypeContents contents, TypeContents::of(real, type));
  MPI_Count lower_bound = 0, extent = 0;
  PSNAM_CHECK(mpi_status(real, real.Type_get_extent_x(type, &lower_bound, &extent), "MPI_Type_get_extent", type));
  PSNAM_TRY(Part part,
            contents.basic() ? basic_type(real, type, contents.combiner()) : derived_type(real, type, contents));
  PSNAM_CHECK(part.runs.status());
  part.extent = extent;
  if (part.runs.runs().empty()) part.element = {};
  return part;
}

// Size and bounds as the runs have them.
Result<Layout> measured(Part part) {
  Layout layout;
  layout.extent = part.extent;
  layout.element = part.element;
  layout.runs = part.runs.take();
  Checked size = 0;
  for (const Run& run : layout.runs) {
    const auto length = static_cast<std::ptrdiff_t>(run.length), count = static_cast<std::ptrdiff_t>(run.count);
    const Checked last = Checked{run.offset} + Checked{count - 1} * run.stride;
    const Checked end = Checked{std::max(run.offset, last.value)} + length;
    size = size + Checked{length} * count;
    if (!last.ok || !end.ok || !size.ok)
      return Error{Code::datatype, "the datatype reaches beyond the 64-bit address range"};
    const bool first = &run == &layout.runs.front();
    layout.true_lb = std::min({first ? run.offset : layout.true_lb, run.offset, last.value});
    layout.true_ub = first ? end.value : std::max(layout.true_ub, end.value);
  }
  layout.size = static_cast<std::size_t>(size.value);
  const bool one_block = layout.runs.size() == 1 && layout.runs.front().count == 1;
  layout.contiguous = layout.runs.empty() || (one_block && size.value == layout.extent);
  return layout;
}

// What the MPI library says of size and bounds must agree with what its description of the type gives: a second opinion
// on every layout that bytes are going to be moved by. Its bounds may be wider: MPICH 4.0.2 counts members of a struct
// in that have a place but no data.
Status cross_check(const Real& real, MPI_Datatype type, const Layout& layout) {
  MPI_Count size = 0, true_lb = 0, true_extent = 0;
  PSNAM_CHECK(mpi_status(real, real.Type_size_x(type, &size), "MPI_Type_size", type));
  PSNAM_CHECK(
      mpi_status(real, real.Type_get_true_extent_x(type, &true_lb, &true_extent), "MPI_Type_get_true_extent", type));
  const Checked true_ub = Checked{true_lb} + true_extent;
  const bool inside = true_ub.ok && true_lb <= layout.true_lb && layout.true_ub <= true_ub.value;
  if (std::cmp_equal(layout.size, size) && (layout.size == 0 || inside)) return {};
  return Error{Code::unsupported, fmt::format("datatype {:#x}: its description gives {} bytes from {} to {}, the MPI "
                                              "library says {} bytes from {}, {} long",
                                              static_cast<unsigned>(type), layout.size, layout.true_lb, layout.true_ub,
                                              size, true_lb, true_extent)};
}

}  // namespace

Result<Layout> flatten(const Real& real, MPI_Datatype type) {
  PSNAM_TRY(Part part, part_of(real, type));
  PSNAM_TRY(Layout layout, measured(std::move(part)));
  PSNAM_CHECK(cross_check(real, type, layout));
  return layout;
}

}  // namespace psnam::rma
