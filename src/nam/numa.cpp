// Memory of certain NUMA nodes, by hwloc. On Linux the policy of a shared mapping of a file in memory is that of the
// file, so whoever maps it later, and touches a page first, gets it from these nodes too.
#include <fmt/format.h>
#include <hwloc.h>

#include <cerrno>
#include <memory>

#include "base/system.hpp"
#include "nam/placement.hpp"

namespace psnam::nam {
namespace {

struct Binding {
  hwloc_topology_t topology = nullptr;
  hwloc_nodeset_t nodes = nullptr;

  Binding() = default;
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;
  ~Binding() {
    if (nodes != nullptr) ::hwloc_bitmap_free(nodes);
    if (topology != nullptr) ::hwloc_topology_destroy(topology);
  }
};

std::string shown(hwloc_const_bitmap_t nodes) {
  const int length = ::hwloc_bitmap_list_snprintf(nullptr, 0, nodes);
  std::string text(static_cast<std::size_t>(length) + 1, '\0');
  ::hwloc_bitmap_list_snprintf(text.data(), text.size(), nodes);
  text.pop_back();
  return text;
}

}  // namespace

Result<std::function<Status(std::byte*, std::size_t)>> bind_to_numa_nodes(const std::vector<unsigned>& nodes) {
  auto binding = std::make_shared<Binding>();
  if (::hwloc_topology_init(&binding->topology) != 0 || ::hwloc_topology_load(binding->topology) != 0)
    return system_error("asking hwloc for the NUMA nodes of this host", errno);
  const hwloc_const_nodeset_t known = ::hwloc_topology_get_topology_nodeset(binding->topology);
  binding->nodes = ::hwloc_bitmap_alloc();
  for (const unsigned node : nodes) {
    if (::hwloc_bitmap_isset(known, node) == 0)
      return Error{Code::invalid_argument, fmt::format("this host has no NUMA node {}: it has {}", node, shown(known))};
    ::hwloc_bitmap_set(binding->nodes, node);
  }
  if (nodes.empty()) return Error{Code::invalid_argument, "memory has to come from at least one NUMA node"};
  return std::function<Status(std::byte*, std::size_t)>{[binding](std::byte* data, std::size_t bytes) -> Status {
    if (bytes == 0) return {};
    if (::hwloc_set_area_membind(binding->topology, data, bytes, binding->nodes, HWLOC_MEMBIND_BIND,
                                 HWLOC_MEMBIND_BYNODESET) != 0)
      return system_error(fmt::format("binding {} bytes to the NUMA nodes {}", bytes, shown(binding->nodes)), errno);
    return {};
  }};
}

}  // namespace psnam::nam
