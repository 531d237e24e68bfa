// Random datatypes of every constructor, nested, each with its type map, found by MPI's definitions alone: one offset
// for each byte. MPI_Pack is the other judge; not for every type, since that of MPICH 4.0.2 has defects.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "unit/rma/mpi_fixture.hpp"

namespace psnam::rma::testing {

/// The offset of every byte of one element, in type-map order.
using TypeMap = std::vector<std::int64_t>;

struct RandomType {
  OwnedType type;
  TypeMap map;
  std::string description;  ///< for the message of a failed test
};

/// `packable` leaves out what MPI_Pack of MPICH 4.0.2 does not survive or puts in the wrong place: parts without data,
/// and types resized to a zero or negative extent.
enum class Variety { packable, any };

/// Makes committed types of up to `depth` constructors around a basic type: int and large-count forms, zero counts,
/// negative strides and displacements, overlapping blocks.
class TypeGenerator {
 public:
  TypeGenerator(unsigned seed, Variety variety) : random_{seed}, variety_{variety} {}

  [[nodiscard]] RandomType make(int depth);
  [[nodiscard]] int number(int from, int to) { return std::uniform_int_distribution<int>{from, to}(random_); }

 private:
  [[nodiscard]] RandomType basic();
  [[nodiscard]] RandomType wrap(const RandomType& inner);
  [[nodiscard]] int fewest() const { return variety_ == Variety::any ? 0 : 1; }
  [[nodiscard]] RandomType regular(const RandomType& inner, bool large);
  [[nodiscard]] RandomType indexed(const RandomType& inner, bool large);
  [[nodiscard]] RandomType indexed_block(const RandomType& inner, bool large);
  [[nodiscard]] RandomType resized(const RandomType& inner, bool large);
  [[nodiscard]] RandomType structure(const RandomType& inner, bool large);
  [[nodiscard]] RandomType subarray(const RandomType& inner, bool large);
  [[nodiscard]] RandomType darray(const RandomType& inner, bool large);

  std::mt19937 random_;
  Variety variety_;
};

}  // namespace psnam::rma::testing
