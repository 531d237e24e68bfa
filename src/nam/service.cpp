#include "nam/service.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace psnam::nam {

Result<std::vector<NamReport>> Service::nams() {
  PSNAM_TRY(const StoreSummary summary, this->summary());
  const std::uint64_t allowed = summary.capacity_bytes - std::min(summary.capacity_bytes, summary.reserved_bytes);
  NamReport self;
  self.store = summary.id;
  self.capacity_bytes = summary.capacity_bytes;
  self.free_bytes = std::min(allowed, summary.file_system_free_bytes);
  std::vector<NamReport> all;
  all.push_back(std::move(self));
  return all;
}

Result<Service*> Service::nam(std::uint32_t index) {
  return Error{Code::name_not_found, fmt::format("NAM {}: there is 1 NAM, of index 0", index)};
}

Result<std::vector<std::string>> Service::remove_nam(std::uint32_t index, bool /*force*/) {
  return Error{Code::name_not_found, fmt::format("NAM {}: there is 1 NAM, of index 0, which stays", index)};
}

}  // namespace psnam::nam
