#include "rma/type_table.hpp"

#include <string>
#include <string_view>

#include <fmt/format.h>

#include "rma/flatten.hpp"
#include "rma/type_contents.hpp"

namespace psnam::rma {
namespace {

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
  for (std::size_t row = 0; row < predefined_type_count(); ++row) {
    const MPI_Datatype type = predefined_type(row);
    if (type != MPI_DATATYPE_NULL && check_usable(type)) PSNAM_CHECK(learn_predefined(type));
  }
  return {};
}

Status TypeTable::learn_predefined(MPI_Datatype type) {
  MPI_Count size = 0, lower_bound = 0, extent = 0, true_lb = 0, true_extent = 0;
  PSNAM_CHECK(mpi_status(*real_, real_->Type_size_x(type, &size), "MPI_Type_size", type));
  PSNAM_CHECK(mpi_status(*real_, real_->Type_get_extent_x(type, &lower_bound, &extent), "MPI_Type_get_extent", type));
  PSNAM_CHECK(mpi_status(*real_, real_->Type_get_true_extent_x(type, &true_lb, &true_extent),
                         "MPI_Type_get_true_extent", type));
  Predefined& entry = predefined_[slot_of(type)];
  const bool without_gap = lower_bound == 0 && true_lb == 0 && extent == size && true_extent == size;
  const auto bytes = static_cast<std::size_t>(size);
  if (entry.type == 0)
    entry = Predefined{type, static_cast<std::uint32_t>(without_gap ? bytes : 0), rma::predefined_element(type, bytes)};
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
