#include "rma/type_table.hpp"

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "rma/flatten.hpp"
#include "rma/type_contents.hpp"

namespace psnam::rma {
namespace {

constexpr std::array kPredefinedTypes{
    MPI_CHAR, MPI_SIGNED_CHAR, MPI_UNSIGNED_CHAR, MPI_BYTE, MPI_WCHAR, MPI_SHORT, MPI_UNSIGNED_SHORT, MPI_INT,
    MPI_UNSIGNED, MPI_LONG, MPI_UNSIGNED_LONG, MPI_FLOAT, MPI_DOUBLE, MPI_LONG_DOUBLE, MPI_LONG_LONG_INT,
    MPI_UNSIGNED_LONG_LONG, MPI_PACKED, MPI_2INT, MPI_INT8_T, MPI_INT16_T, MPI_INT32_T, MPI_INT64_T, MPI_UINT8_T,
    MPI_UINT16_T, MPI_UINT32_T, MPI_UINT64_T, MPI_C_BOOL, MPI_C_FLOAT_COMPLEX, MPI_C_DOUBLE_COMPLEX,
    MPI_C_LONG_DOUBLE_COMPLEX, MPI_AINT, MPI_OFFSET, MPI_COUNT,
    // Fortran
    MPI_COMPLEX, MPI_DOUBLE_COMPLEX, MPI_LOGICAL, MPI_REAL, MPI_DOUBLE_PRECISION, MPI_INTEGER, MPI_2INTEGER, MPI_2REAL,
    MPI_2DOUBLE_PRECISION, MPI_CHARACTER, MPI_REAL4, MPI_REAL8, MPI_REAL16, MPI_COMPLEX8, MPI_COMPLEX16, MPI_COMPLEX32,
    MPI_INTEGER1, MPI_INTEGER2, MPI_INTEGER4, MPI_INTEGER8, MPI_INTEGER16,
    // C++
    MPI_CXX_BOOL, MPI_CXX_FLOAT_COMPLEX, MPI_CXX_DOUBLE_COMPLEX, MPI_CXX_LONG_DOUBLE_COMPLEX};

// The innermost reason in the MPI library's text, which is a stack of lines "function(line): reason".
std::string_view innermost(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  const std::size_t line = text.rfind('\n');
  if (line != std::string_view::npos) text.remove_prefix(line + 1);
  const std::size_t reason = text.find(": ");
  if (reason != std::string_view::npos) text.remove_prefix(reason + 2);
  return text;
}

}  // namespace

TypeTable::~TypeTable() {
  layouts_.for_each([](int, const Layout* layout) { delete layout; });
}

Status TypeTable::load(MPI_Comm probe) {
  probe_ = probe;
  for (const MPI_Datatype type : kPredefinedTypes)
    if (type != MPI_DATATYPE_NULL && check_usable(type)) PSNAM_CHECK(learn_predefined(type));
  return {};
}

Status TypeTable::learn_predefined(MPI_Datatype type) {
  MPI_Count size = 0, lower_bound = 0, extent = 0, true_lb = 0, true_extent = 0;
  PSNAM_CHECK(mpi_status(*real_, real_->Type_size_x(type, &size), "MPI_Type_size", type));
  PSNAM_CHECK(mpi_status(*real_, real_->Type_get_extent_x(type, &lower_bound, &extent), "MPI_Type_get_extent", type));
  PSNAM_CHECK(mpi_status(*real_, real_->Type_get_true_extent_x(type, &true_lb, &true_extent),
                         "MPI_Type_get_true_extent", type));
  Predefined& entry = predefined_[static_cast<std::uint32_t>(type) & (kPredefined - 1)];
  const bool without_gap = lower_bound == 0 && true_lb == 0 && extent == size && true_extent == size;
  if (without_gap && entry.bytes == 0) entry = Predefined{type, static_cast<std::uint32_t>(size)};
  return {};
}

Result<LayoutRef> TypeTable::find(MPI_Datatype type) {
  LayoutRef found{readers_};
  found.layout_ = layouts_.find(type);
  if (found.layout_ == nullptr) {
    PSNAM_TRY(found.layout_, insert(type));
  }
  return found;
}

Result<const Layout*> TypeTable::insert(MPI_Datatype type) {
  const std::lock_guard lock{mutex_};
  if (const Layout* const present = layouts_.find(type)) return present;
  PSNAM_CHECK(check_usable(type));
  PSNAM_TRY(Layout layout, flatten(*real_, type));
  auto owned = std::make_unique<const Layout>(std::move(layout));
  layouts_.insert(type, owned.get());
  return static_cast<const Layout*>(owned.release());
}

void TypeTable::forget(MPI_Datatype type) {
  const std::lock_guard lock{mutex_};
  if (const Layout* const layout = layouts_.erase(type)) retired_.emplace_back(layout);
  if (!retired_.empty() && readers_.fetch_add(0, std::memory_order_acq_rel) == 0) retired_.clear();
}

Status TypeTable::check_usable(MPI_Datatype type) const {
  if (type == MPI_DATATYPE_NULL) return Error{Code::datatype, "the datatype is MPI_DATATYPE_NULL"};
  int bytes = 0;
  const int return_code = real_->Pack_size(0, type, probe_, &bytes);
  if (return_code == MPI_SUCCESS) return {};
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  real_->Error_string(return_code, text.data(), &length);
  const std::string_view reason = innermost(text.data());
  const bool uncommitted = reason.find("not been committed") != std::string_view::npos;
  return Error{Code::datatype,
               fmt::format("datatype {:#x} is not {}: {}", static_cast<unsigned>(type),
                           uncommitted ? "committed" : "a valid datatype", reason),
               return_code};
}

}  // namespace psnam::rma
