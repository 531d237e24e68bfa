#include "unit/rma/random_types.hpp"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace psnam::rma::testing {
namespace {

constexpr std::size_t kLargestMap = 20000;

using Counts = std::vector<MPI_Count>;
using Ints = std::vector<int>;

std::int64_t extent_of(MPI_Datatype type) {
  MPI_Count lower_bound = 0, extent = 0;
  MPI_Type_get_extent_x(type, &lower_bound, &extent);
  return extent;
}

Counts wide(const Ints& ints) { return {ints.begin(), ints.end()}; }
std::vector<MPI_Aint> addresses(const Ints& ints) { return {ints.begin(), ints.end()}; }

// `n` elements of `inner` from `at` on.
void place(TypeMap& map, const RandomType& inner, std::int64_t n, std::int64_t at) {
  const std::int64_t extent = extent_of(inner.type.get());
  for (std::int64_t i = 0; i < n; ++i)
    for (const std::int64_t offset : inner.map) map.push_back(at + i * extent + offset);
}

// Those elements of a full array of `sizes` that `mine(dimension, index)` accepts, in the order of memory.
TypeMap array_map(const RandomType& inner, const Ints& sizes, int order,
                  const std::function<bool(std::size_t, int)>& mine) {
  TypeMap map;
  const std::size_t n = sizes.size();
  std::int64_t all = 1;
  for (const int size : sizes) all *= size;
  for (std::int64_t place_in_memory = 0; place_in_memory < all; ++place_in_memory) {
    std::int64_t rest = place_in_memory;
    bool accepted = true;
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t d = order == MPI_ORDER_FORTRAN ? i : n - 1 - i;
      accepted = accepted && mine(d, static_cast<int>(rest % sizes[d]));
      rest /= sizes[d];
    }
    if (accepted) place(map, inner, 1, place_in_memory * extent_of(inner.type.get()));
  }
  return map;
}

}  // namespace

// No long double: MPI_Pack copies its value and leaves out the six bytes of padding, so it cannot judge them.
RandomType TypeGenerator::basic() {
  struct Basic {
    MPI_Datatype type;
    const char* name;
    std::int64_t first, gap, second;  // bytes of data, of a gap, of data
  };
  static constexpr std::array kBasic{
      Basic{MPI_CHAR, "char", 1, 0, 0},
      Basic{MPI_SHORT, "short", 2, 0, 0},
      Basic{MPI_INT, "int", 4, 0, 0},
      Basic{MPI_DOUBLE, "double", 8, 0, 0},
      Basic{MPI_C_DOUBLE_COMPLEX, "z", 16, 0, 0},
      Basic{MPI_FLOAT_INT, "float_int", 4, 0, 4},
      Basic{MPI_DOUBLE_INT, "double_int", 8, 0, 4},
      Basic{MPI_LONG_INT, "long_int", 8, 0, 4},
      Basic{MPI_SHORT_INT, "short_int", 2, 2, 4},
      Basic{MPI_2INT, "2int", 4, 0, 4},
  };
  const Basic& chosen = kBasic[static_cast<std::size_t>(number(0, static_cast<int>(kBasic.size()) - 1))];
  RandomType made{OwnedType{}, {}, chosen.name};
  for (std::int64_t i = 0; i < chosen.first; ++i) made.map.push_back(i);
  for (std::int64_t i = 0; i < chosen.second; ++i) made.map.push_back(chosen.first + chosen.gap + i);
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_dup(chosen.type, &type);
  made.type = OwnedType{type};
  return made;
}

RandomType TypeGenerator::make(int depth) {
  RandomType made = basic();
  for (int i = number(1, depth); i > 0 && made.map.size() < kLargestMap; --i) {
    RandomType wrapped = wrap(made);
    if (variety_ == Variety::any || !wrapped.map.empty()) made = std::move(wrapped);
  }
  MPI_Datatype type = made.type.get();
  MPI_Type_commit(&type);
  return made;
}

RandomType TypeGenerator::wrap(const RandomType& inner) {
  const bool large = number(0, 1) == 1;
  switch (number(0, 9)) {
    case 0:
    case 1:
    case 2:
      return regular(inner, large);
    case 3:
      return indexed(inner, large);
    case 4:
      return indexed_block(inner, large);
    case 5:
      return structure(inner, large);
    case 6:
      return subarray(inner, large);
    case 7:
      return darray(inner, large);
    case 8:
      return resized(inner, large);
    default:
      MPI_Datatype type = MPI_DATATYPE_NULL;
      MPI_Type_dup(inner.type.get(), &type);
      return {OwnedType{type}, inner.map, "dup(" + inner.description + ")"};
  }
}

// contiguous, vector, hvector
RandomType TypeGenerator::regular(const RandomType& inner, bool large) {
  const int kind = number(0, 2), n = number(fewest(), 4), length = kind == 0 ? 1 : number(fewest(), 3);
  const int stride = kind == 2 ? number(-40, 60) : number(-4, 6);
  const std::int64_t extent = extent_of(inner.type.get());
  const std::int64_t distance = kind == 0 ? extent : kind == 1 ? stride * extent : stride;
  const MPI_Datatype old = inner.type.get();
  MPI_Datatype type = MPI_DATATYPE_NULL;
  if (kind == 0)
    large ? MPI_Type_contiguous_c(n, old, &type) : MPI_Type_contiguous(n, old, &type);
  else if (kind == 1)
    large ? MPI_Type_vector_c(n, length, stride, old, &type) : MPI_Type_vector(n, length, stride, old, &type);
  else
    large ? MPI_Type_create_hvector_c(n, length, stride, old, &type)
          : MPI_Type_create_hvector(n, length, stride, old, &type);
  TypeMap map;
  for (int i = 0; i < n; ++i) place(map, inner, length, i * distance);
  const char* const name = std::array{"contiguous", "vector", "hvector"}[static_cast<std::size_t>(kind)];
  return {OwnedType{type}, std::move(map),
          fmt::format("{}({}, {}, {}, {})", name, n, length, stride, inner.description)};
}

RandomType TypeGenerator::indexed(const RandomType& inner, bool large) {
  const int n = number(fewest(), 4);
  const bool bytes = number(0, 1) == 1;
  Ints lengths, places;
  for (int i = 0; i < n; ++i) {
    lengths.push_back(number(fewest(), 3));
    places.push_back(bytes ? number(-60, 120) : number(-6, 12));
  }
  const MPI_Datatype old = inner.type.get();
  MPI_Datatype type = MPI_DATATYPE_NULL;
  if (bytes)
    large ? MPI_Type_create_hindexed_c(n, wide(lengths).data(), wide(places).data(), old, &type)
          : MPI_Type_create_hindexed(n, lengths.data(), addresses(places).data(), old, &type);
  else
    large ? MPI_Type_indexed_c(n, wide(lengths).data(), wide(places).data(), old, &type)
          : MPI_Type_indexed(n, lengths.data(), places.data(), old, &type);
  TypeMap map;
  for (std::size_t i = 0; i < places.size(); ++i)
    place(map, inner, lengths[i], places[i] * (bytes ? 1 : extent_of(old)));
  return {OwnedType{type}, std::move(map),
          fmt::format("{}indexed({}, {}, {})", bytes ? "h" : "", lengths, places, inner.description)};
}

RandomType TypeGenerator::indexed_block(const RandomType& inner, bool large) {
  const int n = number(fewest(), 4), length = number(fewest(), 3);
  const bool bytes = number(0, 1) == 1;
  Ints places;
  for (int i = 0; i < n; ++i) places.push_back(bytes ? number(-60, 120) : number(-6, 12));
  const MPI_Datatype old = inner.type.get();
  MPI_Datatype type = MPI_DATATYPE_NULL;
  if (bytes)
    large ? MPI_Type_create_hindexed_block_c(n, length, wide(places).data(), old, &type)
          : MPI_Type_create_hindexed_block(n, length, addresses(places).data(), old, &type);
  else
    large ? MPI_Type_create_indexed_block_c(n, length, wide(places).data(), old, &type)
          : MPI_Type_create_indexed_block(n, length, places.data(), old, &type);
  TypeMap map;
  for (const int at : places) place(map, inner, length, at * (bytes ? 1 : extent_of(old)));
  return {OwnedType{type}, std::move(map),
          fmt::format("{}indexed_block({}, {}, {})", bytes ? "h" : "", length, places, inner.description)};
}

RandomType TypeGenerator::resized(const RandomType& inner, bool large) {
  const int lower_bound = number(-8, 8), extent = variety_ == Variety::any ? number(-8, 40) : number(1, 60);
  MPI_Datatype type = MPI_DATATYPE_NULL;
  large ? MPI_Type_create_resized_c(inner.type.get(), lower_bound, extent, &type)
        : MPI_Type_create_resized(inner.type.get(), lower_bound, extent, &type);
  return {OwnedType{type}, inner.map, fmt::format("resized({}, {}, {})", lower_bound, extent, inner.description)};
}

RandomType TypeGenerator::structure(const RandomType& inner, bool large) {
  const RandomType other = basic();
  const std::array<const RandomType*, 3> members{&inner, &other, &inner};
  const std::array types{inner.type.get(), other.type.get(), inner.type.get()};
  Ints lengths, places;
  TypeMap map;
  for (const RandomType* member : members) {
    lengths.push_back(number(fewest(), 2));
    places.push_back(number(-40, 80));
    place(map, *member, lengths.back(), places.back());
  }
  MPI_Datatype type = MPI_DATATYPE_NULL;
  large ? MPI_Type_create_struct_c(3, wide(lengths).data(), wide(places).data(), types.data(), &type)
        : MPI_Type_create_struct(3, lengths.data(), addresses(places).data(), types.data(), &type);
  return {OwnedType{type}, std::move(map),
          fmt::format("struct({}, {}, {} and {})", lengths, places, inner.description, other.description)};
}

RandomType TypeGenerator::subarray(const RandomType& inner, bool large) {
  const int n = number(1, 3), order = number(0, 1) == 0 ? MPI_ORDER_C : MPI_ORDER_FORTRAN;
  Ints sizes, subsizes, starts;
  for (int d = 0; d < n; ++d) {
    sizes.push_back(number(1, 4));
    subsizes.push_back(number(1, sizes.back()));
    starts.push_back(number(0, sizes.back() - subsizes.back()));
  }
  MPI_Datatype type = MPI_DATATYPE_NULL;
  large ? MPI_Type_create_subarray_c(n, wide(sizes).data(), wide(subsizes).data(), wide(starts).data(), order,
                                     inner.type.get(), &type)
        : MPI_Type_create_subarray(n, sizes.data(), subsizes.data(), starts.data(), order, inner.type.get(), &type);
  TypeMap map = array_map(inner, sizes, order, [&](std::size_t d, int index) {
    return index >= starts[d] && index < starts[d] + subsizes[d];
  });
  return {OwnedType{type}, std::move(map),
          fmt::format("subarray({}, {}, {}, order {}, {})", sizes, subsizes, starts, order, inner.description)};
}

RandomType TypeGenerator::darray(const RandomType& inner, bool large) {
  static constexpr std::array kKinds{MPI_DISTRIBUTE_BLOCK, MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_NONE};
  const int n = number(1, 3), order = number(0, 1) == 0 ? MPI_ORDER_C : MPI_ORDER_FORTRAN;
  Ints sizes, kinds, arguments, processes, blocks;
  int all = 1;
  for (int d = 0; d < n; ++d) {
    const int kind = kKinds[static_cast<std::size_t>(number(0, 2))], size = number(1, 7);
    const int along = kind == MPI_DISTRIBUTE_NONE ? 1 : number(1, 3);
    const int smallest = kind == MPI_DISTRIBUTE_CYCLIC ? 1 : (size + along - 1) / along;
    const bool by_default = kind == MPI_DISTRIBUTE_NONE || number(0, 1) == 0;
    blocks.push_back(by_default ? smallest : number(smallest, smallest + 2));
    arguments.push_back(by_default ? MPI_DISTRIBUTE_DFLT_DARG : blocks.back());
    sizes.push_back(size);
    kinds.push_back(kind);
    processes.push_back(along);
    all *= along;
  }
  const int rank = number(0, all - 1);
  MPI_Datatype type = MPI_DATATYPE_NULL;
  large ? MPI_Type_create_darray_c(all, rank, n, wide(sizes).data(), kinds.data(), arguments.data(), processes.data(),
                                   order, inner.type.get(), &type)
        : MPI_Type_create_darray(all, rank, n, sizes.data(), kinds.data(), arguments.data(), processes.data(), order,
                                 inner.type.get(), &type);
  TypeMap map = array_map(inner, sizes, order, [&](std::size_t d, int index) {
    int later = 1;
    for (std::size_t i = d + 1; i < processes.size(); ++i) later *= processes[i];
    return index / blocks[d] % processes[d] == rank / later % processes[d];
  });
  return {OwnedType{type}, std::move(map),
          fmt::format("darray(rank {}, {}, kinds {}, arguments {}, processes {}, order {}, {})", rank, sizes, kinds,
                      arguments, processes, order, inner.description)};
}

}  // namespace psnam::rma::testing
