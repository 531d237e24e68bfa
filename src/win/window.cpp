#include "win/window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <climits>

#include "rma/transfer.hpp"
#include "win/consistency.hpp"

namespace psnam::win {
namespace {

constexpr std::uintptr_t kFirstPageBytes = 4096;

Error raised_mpi_error(const Real& real, std::string_view what, int code) {
  Error error = sync::mpi_error(real, what, code);
  error.already_raised = true;
  return error;
}

/// A null buffer is right with MPI_BOTTOM and a type of absolute addresses, which lead beyond the first page.
Status check_buffer(const Transfer& transfer, const rma::Layout& layout, std::uint64_t bytes) {
  if (transfer.origin != nullptr || bytes == 0) return {};
  if (static_cast<std::uintptr_t>(layout.true_lb) >= kFirstPageBytes) return {};
  return Error{Code::buffer, fmt::format("origin_addr is NULL although {} bytes are to be moved", bytes)};
}

Result<std::int64_t> displacement_bytes(MPI_Aint displacement, std::uint64_t unit) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(static_cast<std::int64_t>(displacement), static_cast<std::int64_t>(unit), &bytes))
    return Error{Code::range, fmt::format("target_disp = {} times the displacement unit {} leaves every region",
                                          displacement, unit)};
  return bytes;
}

}  // namespace

Window::Window(Context& context, std::unique_ptr<WindowParts> parts)
    : types_{context.types()},
      targets_{parts->regions->data()},
      target_total_{static_cast<std::uint32_t>(parts->regions->size())},
      context_{context},
      parts_{std::move(parts)} {
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

void Window::set_epoch(bool open) noexcept {
  std::uint32_t state = 0;
  if (open) {
    state = kFenceEpoch;
    // The histogram counts every message, so with it nothing is simple.
    if (context_.histogram() == nullptr) {
      state |= kFastGet;
      if (parts_->right == nam::AccessRight::read_write) state |= kFastPut;
    }
  }
  state_.store(state, std::memory_order_relaxed);
}

Status Window::check_epoch(Direction direction) const {
  if (direction == Direction::put && parts_->right == nam::AccessRight::read_only)
    return Error{Code::access, fmt::format("put to window \"{}\": it was connected with psnam_access = \"read_only\"",
                                           record().name)};
  if ((state_.load(std::memory_order_relaxed) & kFenceEpoch) == 0)
    return Error{Code::sync, fmt::format("{} outside an epoch: no MPI_Win_fence has opened one",
                                         direction == Direction::put ? "put" : "get")};
  return {};
}

Result<Target*> Window::check_rank(int rank) {
  if (rank < 0 || static_cast<std::uint32_t>(rank) >= target_total_)
    return Error{Code::rank, fmt::format("target_rank = {}: the window has the ranks 0 to {}", rank,
                                         static_cast<std::int64_t>(target_total_) - 1)};
  return &(*parts_->regions)[static_cast<std::size_t>(rank)];
}

void Window::count(std::uint64_t bytes, int target_rank, bool mapped) const noexcept {
  trace::Histogram* const histogram = context_.histogram();
  if (histogram == nullptr) return;
  const auto manifestation = record().regions[static_cast<std::size_t>(target_rank)].manifestation;
  if (context_.counts(manifestation, mapped)) histogram->record(bytes);
}

Status Window::transfer(Direction direction, const Transfer& transfer) {
  PSNAM_CHECK(check_epoch(direction));
  if (transfer.target_rank == MPI_PROC_NULL) return {};
  PSNAM_TRY(Target* const target, check_rank(transfer.target_rank));
  PSNAM_TRY(const rma::LayoutRef origin_layout, context_.types().find(transfer.origin_type));
  PSNAM_TRY(const rma::LayoutRef target_layout, context_.types().find(transfer.target_type));
  PSNAM_TRY(const std::uint64_t bytes,
            rma::matching_bytes(transfer.origin_count, *origin_layout, transfer.target_count, *target_layout));
  PSNAM_TRY(const std::int64_t displacement,
            displacement_bytes(transfer.target_displacement, target->displacement_unit));
  PSNAM_CHECK(rma::check_bounds(displacement, transfer.target_count, *target_layout, target->size_bytes));
  PSNAM_CHECK(check_buffer(transfer, *origin_layout, bytes));
  if (bytes == 0) return {};
  if (!target->local) {
    count(bytes, transfer.target_rank, false);
    return transfer_remote(direction, transfer, *target, displacement);
  }
  PSNAM_TRY(std::byte* const base, parts_->regions->map(static_cast<std::size_t>(transfer.target_rank)));
  const rma::Side origin{static_cast<std::byte*>(transfer.origin), static_cast<std::uint64_t>(transfer.origin_count),
                         origin_layout.get()};
  const rma::Side side{base + displacement, static_cast<std::uint64_t>(transfer.target_count), target_layout.get()};
  if (direction == Direction::put)
    rma::transfer(side, origin);
  else
    rma::transfer(origin, side, rma::NextReader::caller);
  count(bytes, transfer.target_rank, true);
  return {};
}

Status Window::transfer_remote(Direction direction, const Transfer& t, const Target& target,
                               MPI_Aint displacement_bytes) {
  const Real& real = context_.real();
  const MPI_Aint address = target.host_address + displacement_bytes;
  int rc = MPI_SUCCESS;
  if (t.origin_count <= INT_MAX && t.target_count <= INT_MAX) {
    const auto origin_count = static_cast<int>(t.origin_count);
    const auto target_count = static_cast<int>(t.target_count);
    rc = direction == Direction::put ? real.Put(t.origin, origin_count, t.origin_type, target.host, address,
                                                target_count, t.target_type, native())
                                     : real.Get(t.origin, origin_count, t.origin_type, target.host, address,
                                                target_count, t.target_type, native());
  } else if (real.Put_c == nullptr || real.Get_c == nullptr) {
    return Error{Code::count, fmt::format("count {}: this MPI library moves at most {} elements at once between nodes",
                                          std::max(t.origin_count, t.target_count), INT_MAX)};
  } else {
    rc = direction == Direction::put ? real.Put_c(t.origin, t.origin_count, t.origin_type, target.host, address,
                                                  t.target_count, t.target_type, native())
                                     : real.Get_c(t.origin, t.origin_count, t.origin_type, target.host, address,
                                                  t.target_count, t.target_type, native());
  }
  if (rc != MPI_SUCCESS)
    return raised_mpi_error(real, direction == Direction::put ? "MPI_Put to another node" : "MPI_Get from another node",
                            rc);
  return {};
}

Status Window::fence(int bits) {
  const auto assertions = sync::FenceAssertions::parse(bits);
  // The barrier is also made where MPI would let it be left out (MPI_MODE_NOPRECEDE): it costs less than the doubt. And
  // after an assertion that is wrong on this rank: the others wait for it.
  if (parts_->spans_nodes) {
    const int rc = context_.real().Win_fence(assertions ? bits : 0, native());
    if (rc != MPI_SUCCESS) return raised_mpi_error(context_.real(), "MPI_Win_fence between nodes", rc);
  } else {
    PSNAM_CHECK(parts_->team->barrier());
  }
  if (!assertions) return assertions.error();
  set_epoch(!assertions->opens_no_epoch());
  return {};
}

std::vector<KeyValue> Window::keys_in_force() const {
  const format::WindowRecord& window = record();
  const auto own =
      static_cast<std::size_t>(parts_->rank) < window.regions.size() ? static_cast<std::size_t>(parts_->rank) : 0;
  std::vector<KeyValue> pairs{
      {std::string{kManifestationKey},
       std::string{name_of(window.regions[own].manifestation, format::kManifestations)}},
      {std::string{kConsistencyKey}, std::string{name_of(window.consistency, format::kConsistencies)}},
      {std::string{kStructureKey}, std::string{name_of(window.structure, format::kStructures)}},
      {std::string{kModeKey}, fmt::format("{:04o}", window.mode)},
      {std::string{kReserveKey}, std::string{name_of(window.reserve, format::kReserves)}},
      {std::string{kBaseptrKey}, std::string{name_of(parts_->baseptr, kBaseptrs)}},
  };
  if (window.consistency == format::Consistency::persistent) pairs.emplace_back(kNameKey, window.name);
  if (window.structure == format::Structure::raw_and_flat && window.regions[0].allocation_id != 0)
    pairs.emplace_back(kAllocationIdKey, fmt::format("{}", window.regions[0].allocation_id));
  if (!parts_->creator) pairs.emplace_back(kAccessKey, name_of(parts_->right, kAccesses));
  return pairs;
}

Result<MPI_Info> Window::get_info() const {
  const Real& real = context_.real();
  MPI_Info info = MPI_INFO_NULL;
  if (const int rc = real.Win_get_info(native(), &info); rc != MPI_SUCCESS)
    return raised_mpi_error(real, "MPI_Win_get_info", rc);
  for (const auto& [key, value] : keys_in_force())
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
    PSNAM_TRY(const auto change, parse_set_info(pairs, keys_in_force()));
    if (change && *change != record().consistency && parts_->right == nam::AccessRight::read_only)
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
      return raised_mpi_error(context_.real(), "MPI_Win_set_info", rc);
  if (word == 0 || static_cast<format::Consistency>(word) == record().consistency) return {};
  return apply_consistency(static_cast<format::Consistency>(word));
}

Status Window::apply_consistency(format::Consistency consistency) {
  const CatalogSeat seat{*parts_->store, record().id, parts_->node, parts_->use_owner, record().nodes.size()};
  PSNAM_CHECK(change_consistency(*parts_->team, seat, consistency));
  parts_->use.window.consistency = consistency;
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

Status Window::release() {
  set_epoch(false);
  // Nobody may lose memory that another rank is still about to map.
  PSNAM_CHECK(parts_->team->barrier());
  Status closed;
  if (parts_->use_owner) closed = parts_->store->close(parts_->use.use_id);
  return parts_->team->agree(std::move(closed));
}

}  // namespace psnam::win
