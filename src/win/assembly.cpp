#include "win/assembly.hpp"

#include <algorithm>

#include "format/control_page.hpp"
#include "win/exposure.hpp"

namespace psnam::win {
namespace {

/// The fast team needs one node, and the world communicator to drive the MPI library's progress with.
bool can_share_page(const TeamPlan& plan) {
  int initialized = 0;
  plan.context.real().Initialized(&initialized);
  return !plan.spans_nodes && initialized != 0;
}

Result<Mapping> make_page(const TeamPlan& plan, const WindowParts& parts) {
  PSNAM_TRY(Mapping page,
            parts.store->create_control(parts.use.use_id, format::control_page_bytes(plan.identities.size())));
  sync::format_control_page(page, plan.job.my_processes(plan.identities));
  return page;
}

Result<Mapping> open_page(const TeamPlan& plan, const WindowParts& parts) {
  PSNAM_TRY(Mapping page,
            parts.store->open_control(parts.use.use_id, format::control_page_bytes(plan.identities.size())));
  PSNAM_CHECK(sync::check_control_page(page, plan.identities.size()));
  return page;
}

/// The leader makes the page, the others map it, then its file goes: a page has no name that could be left behind.
Status share_page(const TeamPlan& plan, WindowParts& parts) {
  const auto keep = [&](Result<Mapping> page) -> Status {
    if (!page) return page.take_error();
    parts.team = sync::make_node_team(plan.context.real(), std::move(*page), static_cast<std::uint32_t>(plan.rank),
                                      static_cast<std::uint32_t>(plan.identities.size()));
    return {};
  };
  Status mine;
  if (parts.use_owner) mine = keep(make_page(plan, parts));
  PSNAM_CHECK(plan.team.agree(std::move(mine)));
  Status opened;
  if (!parts.use_owner) opened = keep(open_page(plan, parts));
  PSNAM_CHECK(plan.team.agree(std::move(opened)));
  if (!parts.use_owner) return {};
  return parts.store->drop_control(parts.use.use_id);
}

/// A shared page is much faster, but a file system without room for it is no reason to refuse a window that exists.
Status make_team(const TeamPlan& plan, WindowParts& parts) {
  if (can_share_page(plan)) {
    Status shared = plan.team.agree(share_page(plan, parts));
    if (shared || shared.error().code != Code::no_memory) return shared;
  }
  auto team = sync::make_own_comm_team(plan.context.real(), plan.comm);
  if (team) parts.team = std::move(*team);
  return plan.team.agree(std::move(team).status());
}

}  // namespace

Status finish_parts(const TeamPlan& plan, std::span<const std::uint32_t> job_node, WindowParts& parts) {
  const Real& real = plan.context.real();
  PSNAM_CHECK(make_team(plan, parts));
  // A fence is everybody's: were it an error for one rank and a wait for another, the other would wait in vain.
  parts.relaxed_fence = !plan.spans_nodes && std::ranges::all_of(plan.identities, [](const RankIdentity& rank) {
    return rank.epoch_checks == EpochChecks::relaxed;
  });
  auto native = make_native_window(real, plan.info, plan.comm);
  if (native) parts.native = *native;
  PSNAM_CHECK(plan.team.agree(std::move(native).status()));
  if (!plan.spans_nodes) return {};
  return expose_regions(real, plan.team, plan.job, plan.rank, parts.use.window, job_node, *parts.regions, parts.native);
}

}  // namespace psnam::win
