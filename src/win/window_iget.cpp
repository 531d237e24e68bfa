// The first phase of MPIX_Iget on a window of ours: the checks of a get, and no copy where none is needed.
#include "backends/transfer.hpp"
#include "rma/remote_pieces.hpp"
#include "win/access_checks.hpp"
#include "win/window.hpp"

namespace psnam::win {

Result<std::shared_ptr<SplitGet>> Window::iget(const GetRequest& wanted) {
  constexpr const char* kOperation = "MPIX_Iget";
  auto get = std::make_shared<SplitGet>(context_.real(), native());
  if (wanted.target_rank == MPI_PROC_NULL) {
    PSNAM_CHECK(check_epoch(kOperation, nullptr));
    return get;
  }
  PSNAM_TRY(Target* const target, check_rank(wanted.target_rank));
  PSNAM_CHECK(check_epoch(kOperation, target));
  PSNAM_TRY(const rma::LayoutRef layout, context_.types().find(wanted.target_type));
  PSNAM_TRY(const std::uint64_t bytes, backends::total_bytes(wanted.target_count, *layout));
  PSNAM_TRY(const std::int64_t displacement, displacement_bytes(wanted.target_displacement, target->displacement_unit));
  PSNAM_CHECK(backends::check_bounds(displacement, wanted.target_count, *layout, target->size_bytes));
  if (bytes == 0) return get;
  if (!target->local()) {
    count(bytes, wanted.target_rank, Carrier::mpi);
    PSNAM_CHECK(get->fetch(
        {native(), target->host, target->host_address + displacement, wanted.target_count, wanted.target_type}, bytes));
    return get;
  }
  PSNAM_TRY(const Reach reach, parts_->regions->reach(static_cast<std::size_t>(wanted.target_rank)));
  const auto count_wanted = static_cast<std::uint64_t>(wanted.target_count);
  count(bytes, wanted.target_rank, reach.remote != nullptr ? Carrier::fabric : Carrier::mapped);
  if (reach.remote != nullptr) {
    const auto begin = static_cast<std::int64_t>(reach.offset_bytes) + displacement;
    PSNAM_CHECK(get->fetch_remote(*reach.remote, rma::relative_side(begin, count_wanted, *layout)));
    return get;
  }
  if (backends::is_one_block(*layout, wanted.target_count)) {
    get->refer_to(reach.base + displacement + layout->true_lb, bytes);
    return get;
  }
  PSNAM_CHECK(get->copy_from({reach.base + displacement, count_wanted, layout.get()}));
  return get;
}

}  // namespace psnam::win
