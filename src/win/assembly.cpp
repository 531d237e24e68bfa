#include "win/assembly.hpp"

#include <algorithm>

#include "format/control_page.hpp"
#include "win/exposure.hpp"

namespace psnam::win {
namespace {

/// The fast team needs a page that all ranks map, and the world communicator to drive the MPI library's progress with.
/// Where the MPI library has a part in every fence, it is not faster.
const Seat* seat_of_page(const TeamPlan& plan, const WindowParts& parts) {
  int initialized = 0;
  plan.context.real().Initialized(&initialized);
  if (parts.spans_nodes || initialized == 0) return nullptr;
  const auto seat =
      std::ranges::find_if(parts.seats, [&](const Seat& s) { return plan.job.all_map(plan.places[s.node]); });
  return seat == parts.seats.end() ? nullptr : &*seat;
}

std::vector<format::ProcessIdentity> processes_of(std::span<const RankIdentity> identities) {
  std::vector<format::ProcessIdentity> processes;
  for (const RankIdentity& rank : identities) processes.push_back(rank.process);
  return processes;
}

Result<Mapping> make_page(const TeamPlan& plan, const Seat& seat) {
  PSNAM_TRY(Mapping page,
            seat.service->create_control(seat.use_id, format::control_page_bytes(plan.identities.size())));
  sync::format_control_page(page, processes_of(plan.identities));
  return page;
}

Result<Mapping> open_page(const TeamPlan& plan, const Seat& seat) {
  PSNAM_TRY(Mapping page, seat.service->open_control(seat.use_id, format::control_page_bytes(plan.identities.size())));
  PSNAM_CHECK(sync::check_control_page(page, plan.identities.size()));
  return page;
}

/// The leader makes the page, the others map it, then its file goes: a page has no name that could be left behind.
Status share_page(const TeamPlan& plan, const Seat& seat, WindowParts& parts) {
  const auto keep = [&](Result<Mapping> page) -> Status {
    if (!page) return page.take_error();
    parts.team = sync::make_node_team(plan.context.real(), std::move(*page), static_cast<std::uint32_t>(plan.rank),
                                      static_cast<std::uint32_t>(plan.identities.size()));
    return {};
  };
  Status mine;
  if (seat.speaks) mine = keep(make_page(plan, seat));
  PSNAM_CHECK(plan.team.agree(std::move(mine)));
  Status opened;
  if (!seat.speaks) opened = keep(open_page(plan, seat));
  PSNAM_CHECK(plan.team.agree(std::move(opened)));
  if (!seat.speaks) return {};
  return seat.service->drop_control(seat.use_id);
}

/// A shared page is much faster, but a file system without room for it is no reason to refuse a window that exists.
Status make_team(const TeamPlan& plan, WindowParts& parts) {
  // The first seat that all can map is at the same place on every rank.
  if (const Seat* const seat = seat_of_page(plan, parts)) {
    Status shared = plan.team.agree(share_page(plan, *seat, parts));
    if (shared || shared.error().code != Code::no_memory) return shared;
  }
  auto team = sync::make_own_comm_team(plan.context.real(), plan.comm);
  if (team) parts.team = std::move(*team);
  return plan.team.agree(std::move(team).status());
}

}  // namespace

bool spans_nodes(const Job& job, std::span<const std::uint32_t> places) {
  return job.nodes() > 1 && std::ranges::any_of(places, [&](std::uint32_t place) { return !job.is_nam(place); });
}

Status finish_parts(const TeamPlan& plan, WindowParts& parts) {
  const Real& real = plan.context.real();
  parts.spans_nodes = spans_nodes(plan.job, plan.places);
  PSNAM_CHECK(make_team(plan, parts));
  // A fence is everybody's: were it an error for one rank and a wait for another, the other would wait in vain.
  parts.relaxed_fence = !parts.spans_nodes && std::ranges::all_of(plan.identities, [](const RankIdentity& rank) {
    return rank.epoch_checks == EpochChecks::relaxed;
  });
  auto native = make_native_window(real, plan.info, plan.comm);
  if (native) parts.native = *native;
  PSNAM_CHECK(plan.team.agree(std::move(native).status()));
  if (!parts.spans_nodes) return {};
  return expose_regions(real, plan.team, plan.job, plan.rank, parts.record, plan.places, *parts.regions, parts.native);
}

}  // namespace psnam::win
