#include "win/window.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "win/consistency.hpp"

namespace psnam::win {
Window::Window(Context& context, std::unique_ptr<WindowParts> parts)
    : types_{context.types()},
      targets_{parts->regions->data()},
      target_total_{static_cast<std::uint32_t>(parts->regions->size())},
      context_{context},
      parts_{std::move(parts)},
      consistency_{record().consistency},
      epochs_{target_total_},
      locks_(parts_->seats.size()) {
  if (context.options().epoch_checks == EpochChecks::relaxed) resting_ = allowed() | Permission::flush;
  forbid_all();
  if (!parts_->creator) {
    attribute_flavor_ = MPI_WIN_FLAVOR_DYNAMIC;
    return;
  }
  const Target& own = (*parts_->regions)[static_cast<std::size_t>(parts_->rank)];
  attribute_size_ = static_cast<MPI_Aint>(own.size_bytes);
  attribute_displacement_unit_ = static_cast<int>(own.displacement_unit);
  if (parts_->baseptr == Baseptr::load_store) base_ = own.base.load(std::memory_order_relaxed);
}

Window::~Window() = default;

namespace {

/// The allocation or segment that a region lies in, as users name it.
std::uint64_t memory_id(const format::RegionRecord& region) noexcept {
  return region.source == format::RegionSource::own ? region.allocation_id : region.segment_id;
}

}  // namespace

/// Where the memory of `region` came from, if it was there before the window and its service can be asked here.
Status Window::add_source(const format::RegionRecord& region, std::vector<KeyValue>& pairs) const {
  const Seat* const seat = seat_at(parts_->seats, region.node);
  if (region.segment_id == 0 || seat == nullptr) return {};
  if (region.source == format::RegionSource::existing) {
    pairs.emplace_back(kLibnamAllocationIdKey, fmt::format("{}", region.segment_id));
    return {};
  }
  PSNAM_TRY(const format::AllocationRecord segment, seat->service->find_allocation(region.segment_id));
  pairs.emplace_back(kSegmentAllocationIdKey, fmt::format("{}", segment.parent_id));
  pairs.emplace_back(kSegmentOffsetKey, fmt::format("{}", segment.offset_bytes));
  return {};
}

Result<std::vector<KeyValue>> Window::keys_in_force() const {
  const format::WindowRecord& window = record();
  const format::Consistency consistency = consistency_.load(std::memory_order_relaxed);
  const auto own =
      static_cast<std::size_t>(parts_->rank) < window.regions.size() ? static_cast<std::size_t>(parts_->rank) : 0;
  std::vector<KeyValue> pairs{
      {std::string{kManifestationKey},
       std::string{name_of(window.regions[own].manifestation, format::kManifestations)}},
      {std::string{kConsistencyKey}, std::string{name_of(consistency, format::kConsistencies)}},
      {std::string{kStructureKey}, std::string{name_of(window.structure, format::kStructures)}},
      {std::string{kModeKey}, fmt::format("{:04o}", window.mode)},
      {std::string{kReserveKey}, std::string{name_of(window.reserve, format::kReserves)}},
      {std::string{kBaseptrKey}, std::string{name_of(parts_->baseptr, kBaseptrs)}},
  };
  // Where there is one piece of memory, it is that of every rank.
  const bool each_its_own = window.structure == format::Structure::managed_distributed;
  const auto with_memory = std::find_if(window.regions.begin(), window.regions.end(),
                                        [](const format::RegionRecord& region) { return region.segment_id != 0; });
  if (each_its_own || with_memory != window.regions.end())
    PSNAM_CHECK(add_source(each_its_own ? window.regions[own] : *with_memory, pairs));
  if (consistency == format::Consistency::persistent) pairs.emplace_back(kNameKey, window.name);
  const format::RegionRecord& first = window.regions[0];
  if (window.structure == format::Structure::raw_and_flat && first.allocation_id != 0)
    pairs.emplace_back(kAllocationIdKey, fmt::format("{}", memory_id(first)));
  if (!parts_->creator) pairs.emplace_back(kAccessKey, name_of(parts_->right, kAccesses));
  return pairs;
}

Result<MPI_Info> Window::get_info() const {
  const Real& real = context_.real();
  PSNAM_TRY(const auto pairs, keys_in_force());
  MPI_Info info = MPI_INFO_NULL;
  if (const int rc = real.Win_get_info(native(), &info); rc != MPI_SUCCESS)
    return sync::raised_mpi_error(real, "MPI_Win_get_info", rc);
  for (const auto& [key, value] : pairs)
    if (const int rc = real.Info_set(info, key.c_str(), value.c_str()); rc != MPI_SUCCESS) {
      real.Info_free(&info);
      return sync::mpi_error(real, "MPI_Info_set", rc);
    }
  return info;
}

Status Window::set_info(MPI_Info info) {
  const auto parse = [&]() -> Result<std::optional<format::Consistency>> {
    PSNAM_TRY(const auto pairs, psnam_pairs(context_.real(), info));
    if (parts_->rank == 0) context_.warn_unknown_keys(pairs);
    PSNAM_TRY(const auto now, keys_in_force());
    PSNAM_TRY(const auto change, parse_set_info(pairs, now));
    if (change && *change != consistency_.load(std::memory_order_relaxed) &&
        parts_->right == nam::AccessRight::read_only)
      return Error{Code::access,
                   fmt::format("{} = \"{}\": window \"{}\" was connected with psnam_access = \"read_only\"",
                               kConsistencyKey, name_of(*change, format::kConsistencies), record().name)};
    return change;
  };
  auto change = parse();
  const std::uint64_t word = change && *change ? static_cast<std::uint64_t>(**change) : 0;
  PSNAM_CHECK(parts_->team->agree(std::move(change).status()));
  PSNAM_TRY(const auto words, parts_->team->gather(word));
  const auto other = std::find_if(words.begin(), words.end(), [&](std::uint64_t w) { return w != words[0]; });
  if (other != words.end()) {
    const auto text = [](std::uint64_t w) {
      return w == 0 ? std::string_view{"(absent)"}
                    : name_of(static_cast<format::Consistency>(w), format::kConsistencies);
    };
    return Error{Code::info_value, fmt::format("{} differs between ranks: \"{}\" on rank 0, \"{}\" on rank {}",
                                               kConsistencyKey, text(words[0]), text(*other), other - words.begin())};
  }
  if (info != MPI_INFO_NULL)
    if (const int rc = context_.real().Win_set_info(native(), info); rc != MPI_SUCCESS)
      return sync::raised_mpi_error(context_.real(), "MPI_Win_set_info", rc);
  if (word == 0 || static_cast<format::Consistency>(word) == consistency_.load(std::memory_order_relaxed)) return {};
  return apply_consistency(static_cast<format::Consistency>(word));
}

Status Window::apply_consistency(format::Consistency consistency) {
  PSNAM_CHECK(change_consistency(*parts_->team, parts_->seats, record().nodes.size(), consistency));
  consistency_.store(consistency, std::memory_order_relaxed);
  return {};
}

Result<Window::RegionView> Window::query(int rank) {
  if (rank == MPI_PROC_NULL) {
    const auto& regions = record().regions;
    const auto first =
        std::find_if(regions.begin(), regions.end(), [](const auto& region) { return region.size_bytes != 0; });
    if (first == regions.end()) return RegionView{0, 1, nullptr};
    rank = static_cast<int>(first - regions.begin());
  }
  PSNAM_TRY(Target* const target, check_rank(rank));
  RegionView view{static_cast<MPI_Aint>(target->size_bytes), static_cast<MPI_Aint>(target->displacement_unit), nullptr};
  if (parts_->baseptr == Baseptr::load_store) {
    PSNAM_TRY(view.base, parts_->regions->map(static_cast<std::size_t>(rank)));
  }
  return view;
}

void* Window::attribute(int keyval) noexcept {
  switch (keyval) {
    case MPI_WIN_BASE:
      return base_;
    case MPI_WIN_SIZE:
      return &attribute_size_;
    case MPI_WIN_DISP_UNIT:
      return &attribute_displacement_unit_;
    case MPI_WIN_CREATE_FLAVOR:
      return &attribute_flavor_;
    case MPI_WIN_MODEL:
      return &attribute_model_;
    default:
      return nullptr;
  }
}

Status Window::agree_to_free(std::size_t live_gets) {
  // Nobody may lose memory that another rank is still about to map, and nobody frees what another has an epoch open on,
  // or a pointer into.
  Status mine = epochs_.check_free();
  if (mine) mine = parts_->regions->flush();
  if (mine && live_gets != 0)
    mine = Error{Code::request, fmt::format("MPI_Win_free: rank {} has requests of MPIX_Iget on the window, {} in "
                                            "number, that are to be freed first",
                                            parts_->rank, live_gets)};
  return parts_->team->agree(std::move(mine));
}

Status Window::release() {
  forbid_all();
  for (std::size_t rank = 0; rank < target_total_; ++rank)
    (*parts_->regions)[rank].elements.store(nullptr, std::memory_order_relaxed);
  for (auto& locks : locks_) locks.reset();
  Status closed = close_uses(parts_->seats);
  return parts_->team->agree(std::move(closed));
}

}  // namespace psnam::win
