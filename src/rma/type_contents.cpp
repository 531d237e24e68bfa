#include "rma/type_contents.hpp"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace psnam::rma {
namespace {

bool is_basic(int combiner) noexcept {
  return combiner == MPI_COMBINER_NAMED || combiner == MPI_COMBINER_F90_REAL || combiner == MPI_COMBINER_F90_COMPLEX ||
         combiner == MPI_COMBINER_F90_INTEGER;
}

// A large-count type has its counts in a list of their own; how many ints stand before them in the C binding. The other
// constructors that keep ints besides counts do not exist.
std::size_t ints_before_counts(int combiner) noexcept {
  if (combiner == MPI_COMBINER_SUBARRAY) return 1;
  if (combiner == MPI_COMBINER_DARRAY) return 3;
  return 0;
}

}  // namespace

Status mpi_status(const Real& real, int return_code, const char* function, MPI_Datatype type) {
  if (return_code == MPI_SUCCESS) return {};
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  real.Error_string(return_code, text.data(), &length);
  return Error{
      Code::mpi,
      fmt::format("{} of datatype {:#x}: {}", function, static_cast<unsigned>(type), std::string_view{text.data()}),
      return_code};
}

Result<TypeContents> TypeContents::of(const Real& real, MPI_Datatype type) {
  MPI_Count ints_size = 0, addresses_size = 0, counts_size = 0, types_size = 0;
  int combiner = MPI_UNDEFINED;
  const int envelope =
      real.Type_get_envelope_c(type, &ints_size, &addresses_size, &counts_size, &types_size, &combiner);
  PSNAM_CHECK(mpi_status(real, envelope, "MPI_Type_get_envelope", type));
  TypeContents contents{real, combiner};
  if (is_basic(combiner)) return contents;

  std::vector<int> ints(static_cast<std::size_t>(ints_size));
  std::vector<MPI_Aint> addresses(static_cast<std::size_t>(addresses_size));
  std::vector<MPI_Count> counts(static_cast<std::size_t>(counts_size));
  std::vector<MPI_Datatype> types(static_cast<std::size_t>(types_size));
  contents.numbers_.reserve(ints.size() + addresses.size() + counts.size());
  const int got = real.Type_get_contents_c(type, ints_size, addresses_size, counts_size, types_size, ints.data(),
                                           addresses.data(), counts.data(), types.data());
  PSNAM_CHECK(mpi_status(real, got, "MPI_Type_get_contents", type));
  contents.types_ = std::move(types);
  const auto middle =
      ints.begin() +
      static_cast<std::ptrdiff_t>(counts.empty() ? ints.size() : std::min(ints.size(), ints_before_counts(combiner)));
  auto& numbers = contents.numbers_;
  numbers.insert(numbers.end(), ints.begin(), middle);
  numbers.insert(numbers.end(), counts.begin(), counts.end());
  numbers.insert(numbers.end(), middle, ints.end());
  numbers.insert(numbers.end(), addresses.begin(), addresses.end());
  return contents;
}

TypeContents::TypeContents(TypeContents&& other) noexcept
    : real_{other.real_},
      combiner_{other.combiner_},
      numbers_{std::move(other.numbers_)},
      types_{std::exchange(other.types_, {})} {}

TypeContents::~TypeContents() {
  for (MPI_Datatype type : types_) {
    MPI_Count ints = 0, addresses = 0, counts = 0, types = 0;
    int combiner = MPI_COMBINER_NAMED;
    const int known = real_->Type_get_envelope_c(type, &ints, &addresses, &counts, &types, &combiner);
    if (known == MPI_SUCCESS && !is_basic(combiner)) real_->Type_free(&type);
  }
}

bool TypeContents::basic() const noexcept { return is_basic(combiner_); }

}  // namespace psnam::rma
