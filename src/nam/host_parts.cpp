#include "nam/host_parts.hpp"

#include "base/log.hpp"

namespace psnam::nam {

std::optional<SharedUse> HostParts::covering_use(std::uint64_t session, const GrantedRange& range) {
  for (SharedUse& use : sessions.uses_at(session, range.root_id)) {
    if (range.right == AccessRight::read_write && use.right == AccessRight::read_only) continue;
    const auto used = store->object_of_use(use.id);
    if (!used) continue;
    const bool covered =
        used->window ? covers(*used->window, range.root_id, range.offset_bytes, range.bytes)
                     : used->allocation && covers(*used->allocation, range.root_id, range.offset_bytes, range.bytes);
    if (covered) return std::move(use);
  }
  return std::nullopt;
}

void HostParts::after_use(const SharedUse& use) {
  for (const std::uint64_t session : use.sessions) {
    const auto hold = sessions.find(session);
    if (!hold) continue;
    hold->memory.review([&](const GrantedRange& range) {
      return !use.roots.contains(range.root_id) || covering_use(session, range).has_value();
    });
    if (sessions.right(session, use.object_id)) continue;
    std::vector<std::shared_ptr<ServedAgent>> agents;
    {
      const std::lock_guard lock{hold->mutex};
      hold->queues.erase(use.object_id);
      std::erase_if(hold->agents, [&](const auto& row) {
        if (row.second->window().id != use.object_id) return false;
        agents.push_back(row.second);
        return true;
      });
    }
    let_go(std::move(agents));
  }
  retire_released(std::vector(use.roots.begin(), use.roots.end()));
}

void HostParts::retire_released(std::span<const std::uint64_t> roots) {
  for (const std::uint64_t root : roots) {
    if (!memory.holds(root)) continue;
    const auto found = store->find_allocation(root);
    if (!found && found.error().code == Code::name_not_found) memory.retire(root);
  }
}

void HostParts::let_go(std::vector<std::shared_ptr<ServedAgent>> agents) {
  if (agents.empty()) return;
  for (const auto& agent : agents) agent->close();
  auto shared = std::make_shared<std::vector<std::shared_ptr<ServedAgent>>>(std::move(agents));
  const Status given = helpers.run([shared] { shared->clear(); });
  if (!given) log::debug("agents are let go of by the server's own thread: {}", given.error().message);
}

}  // namespace psnam::nam
