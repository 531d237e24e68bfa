// Datatypes beside a plain model of them: the list of the byte offsets that one element names, in the order of its type
// map.
//
// The model is made by loops over the constructor's arguments, written down from the definitions in the MPI standard;
// only the extent is asked of the MPI library.
#pragma once

#include <mpi.h>

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace psnam::test {

class ModelledType {
 public:
  using Offsets = std::vector<std::ptrdiff_t>;

  ModelledType(std::string name, MPI_Datatype type, Offsets offsets, bool predefined = false)
      : name_{std::move(name)}, type_{type}, offsets_{std::move(offsets)}, predefined_{predefined} {
    if (!predefined_) MPI_Type_commit(&type_);
    MPI_Aint lower_bound = 0;
    MPI_Type_get_extent(type_, &lower_bound, &extent_);
  }
  ~ModelledType() {
    if (!predefined_ && type_ != MPI_DATATYPE_NULL) MPI_Type_free(&type_);
  }
  ModelledType(ModelledType&& other) noexcept
      : name_{std::move(other.name_)},
        type_{std::exchange(other.type_, MPI_DATATYPE_NULL)},
        offsets_{std::move(other.offsets_)},
        extent_{other.extent_},
        predefined_{other.predefined_} {}
  ModelledType& operator=(ModelledType&&) = delete;
  ModelledType(const ModelledType&) = delete;
  ModelledType& operator=(const ModelledType&) = delete;

  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] MPI_Datatype get() const noexcept { return type_; }
  /// Data bytes of one element.
  [[nodiscard]] std::size_t bytes() const noexcept { return offsets_.size(); }
  [[nodiscard]] MPI_Aint extent() const noexcept { return extent_; }
  [[nodiscard]] const Offsets& offsets() const noexcept { return offsets_; }
  /// Where the nth data byte of an array of elements is.
  [[nodiscard]] std::ptrdiff_t offset(std::size_t nth) const {
    return static_cast<std::ptrdiff_t>(nth / bytes()) * extent_ + offsets_[nth % bytes()];
  }
  /// `n` elements from `at` on, appended to `to`.
  void append(Offsets& to, int n, std::ptrdiff_t at) const {
    for (int i = 0; i < n; ++i)
      for (const std::ptrdiff_t offset : offsets_) to.push_back(at + i * extent_ + offset);
  }

 private:
  std::string name_;
  MPI_Datatype type_;
  Offsets offsets_;
  MPI_Aint extent_ = 0;
  bool predefined_;
};

[[nodiscard]] inline ModelledType predefined(std::string name, MPI_Datatype type) {
  int size = 0;
  MPI_Type_size(type, &size);
  ModelledType::Offsets offsets;
  for (int i = 0; i < size; ++i) offsets.push_back(i);
  return {std::move(name), type, std::move(offsets), true};
}

[[nodiscard]] inline ModelledType contiguous(const ModelledType& old, int count) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_contiguous(count, old.get(), &type);
  ModelledType::Offsets offsets;
  old.append(offsets, count, 0);
  return {"contiguous of " + old.name(), type, std::move(offsets)};
}

/// vector; hvector when `in_bytes`.
[[nodiscard]] inline ModelledType vector(const ModelledType& old, int count, int length, int stride,
                                         bool in_bytes = false) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  if (in_bytes)
    MPI_Type_create_hvector(count, length, stride, old.get(), &type);
  else
    MPI_Type_vector(count, length, stride, old.get(), &type);
  ModelledType::Offsets offsets;
  for (int i = 0; i < count; ++i) old.append(offsets, length, i * stride * (in_bytes ? 1 : old.extent()));
  return {(in_bytes ? "hvector of " : "vector of ") + old.name(), type, std::move(offsets)};
}

/// indexed; hindexed when `in_bytes`.
[[nodiscard]] inline ModelledType indexed(const ModelledType& old, const std::vector<int>& lengths,
                                          const std::vector<int>& displacements, bool in_bytes = false) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  const int count = static_cast<int>(lengths.size());
  const std::vector<MPI_Aint> addresses(displacements.begin(), displacements.end());
  if (in_bytes)
    MPI_Type_create_hindexed(count, lengths.data(), addresses.data(), old.get(), &type);
  else
    MPI_Type_indexed(count, lengths.data(), displacements.data(), old.get(), &type);
  ModelledType::Offsets offsets;
  for (std::size_t i = 0; i < lengths.size(); ++i)
    old.append(offsets, lengths[i], displacements[i] * (in_bytes ? 1 : old.extent()));
  return {(in_bytes ? "hindexed of " : "indexed of ") + old.name(), type, std::move(offsets)};
}

/// indexed_block; hindexed_block when `in_bytes`.
[[nodiscard]] inline ModelledType indexed_block(const ModelledType& old, int length,
                                                const std::vector<int>& displacements, bool in_bytes = false) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  const int count = static_cast<int>(displacements.size());
  const std::vector<MPI_Aint> addresses(displacements.begin(), displacements.end());
  if (in_bytes)
    MPI_Type_create_hindexed_block(count, length, addresses.data(), old.get(), &type);
  else
    MPI_Type_create_indexed_block(count, length, displacements.data(), old.get(), &type);
  ModelledType::Offsets offsets;
  for (const int displacement : displacements)
    old.append(offsets, length, displacement * (in_bytes ? 1 : old.extent()));
  return {(in_bytes ? "hindexed_block of " : "indexed_block of ") + old.name(), type, std::move(offsets)};
}

/// struct: members {type, how many, byte displacement}.
struct Member {
  const ModelledType* type;
  int length;
  MPI_Aint displacement;
};
[[nodiscard]] inline ModelledType structure(const std::string& name, const std::vector<Member>& members) {
  std::vector<int> lengths;
  std::vector<MPI_Aint> displacements;
  std::vector<MPI_Datatype> types;
  ModelledType::Offsets offsets;
  for (const Member& member : members) {
    lengths.push_back(member.length);
    displacements.push_back(member.displacement);
    types.push_back(member.type->get());
    member.type->append(offsets, member.length, member.displacement);
  }
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_create_struct(static_cast<int>(members.size()), lengths.data(), displacements.data(), types.data(), &type);
  return {"struct " + name, type, std::move(offsets)};
}

using Triple = std::array<int, 3>;

/// A part of a three-dimensional array. The order of the type map is that of memory in both orders.
[[nodiscard]] inline ModelledType subarray(const ModelledType& old, Triple sizes, Triple subsizes, Triple starts,
                                           int order) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_create_subarray(3, sizes.data(), subsizes.data(), starts.data(), order, old.get(), &type);
  // The dimension that runs slowest, the middle one, the fastest.
  const bool fortran = order == MPI_ORDER_FORTRAN;
  const std::size_t slow = fortran ? 2 : 0;
  const std::size_t fast = fortran ? 0 : 2;
  ModelledType::Offsets offsets;
  for (int i = 0; i < subsizes[slow]; ++i)
    for (int j = 0; j < subsizes[1]; ++j)
      for (int k = 0; k < subsizes[fast]; ++k)
        old.append(offsets, 1,
                   (((starts[slow] + i) * sizes[1] + starts[1] + j) * sizes[fast] + starts[fast] + k) * old.extent());
  return {std::string{fortran ? "Fortran" : "C"} + " subarray of " + old.name(), type, std::move(offsets)};
}

[[nodiscard]] inline ModelledType resized(const ModelledType& old, MPI_Aint lower_bound, MPI_Aint extent) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_create_resized(old.get(), lower_bound, extent, &type);
  return {"resized " + old.name(), type, old.offsets()};
}

[[nodiscard]] inline ModelledType duplicate(const ModelledType& old) {
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_dup(old.get(), &type);
  return {"dup of " + old.name(), type, old.offsets()};
}

/// The share of `rank` of a matrix in C order: rows dealt cyclically in blocks of `block` to 2 processes, columns cut
/// in two halves.
[[nodiscard]] inline ModelledType distributed(const ModelledType& old, int rank, int rows, int columns, int block) {
  const std::array<int, 2> sizes{rows, columns};
  const std::array<int, 2> kinds{MPI_DISTRIBUTE_CYCLIC, MPI_DISTRIBUTE_BLOCK};
  const std::array<int, 2> arguments{block, MPI_DISTRIBUTE_DFLT_DARG};
  const std::array<int, 2> processes{2, 2};
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Type_create_darray(4, rank, 2, sizes.data(), kinds.data(), arguments.data(), processes.data(), MPI_ORDER_C,
                         old.get(), &type);
  const int half = (columns + 1) / 2;
  ModelledType::Offsets offsets;
  for (int row = 0; row < rows; ++row)
    for (int column = 0; column < columns; ++column)
      if (row / block % 2 == rank / 2 && column / half == rank % 2)
        old.append(offsets, 1, (row * columns + column) * old.extent());
  return {"darray of " + old.name(), type, std::move(offsets)};
}

}  // namespace psnam::test
