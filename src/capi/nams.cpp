#include "capi/nams.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"

namespace psnam::capi {
namespace {

Error no_such_nam(int index, const std::vector<nam::NamReport>& known) {
  if (known.size() == 1)
    return {Code::invalid_argument,
            fmt::format("NAM {}: there is 1 NAM here, of index {}", index, known.front().index)};
  std::string indices;
  for (const auto& nam : known) indices += fmt::format("{}{}", indices.empty() ? "" : ", ", nam.index);
  return {Code::invalid_argument, fmt::format("NAM {}: there are {} NAMs, of index {}", index, known.size(), indices)};
}

Result<ServicePointer> connect(const ServicePointer& home, const nam::NamReport& report) {
  if (report.address.empty()) return home;
  PSNAM_TRY(nam::Service* const service, home->nam(report.index));
  return ServicePointer{home, service};
}

}  // namespace

Result<ServicePointer> nam_of(const ServicePointer& home, int index) {
  PSNAM_TRY(const auto known, home->nams());
  const nam::NamReport* chosen = nullptr;
  for (const auto& nam : known) {
    if (index == -1 && nam.reachable && (chosen == nullptr || nam.free_bytes > chosen->free_bytes)) chosen = &nam;
    if (index >= 0 && nam.index == static_cast<std::uint32_t>(index)) chosen = &nam;
  }
  if (chosen == nullptr) return no_such_nam(index, known);
  if (!chosen->reachable)
    return Error{Code::unreachable, fmt::format("NAM {} at {} has joined the manager, and does not answer",
                                                chosen->index, chosen->address)};
  return connect(home, *chosen);
}

Result<std::vector<ServicePointer>> reachable_nams(const ServicePointer& home) {
  PSNAM_TRY(const auto known, home->nams());
  std::vector<ServicePointer> all;
  for (const auto& nam : known) {
    auto service = nam.reachable ? connect(home, nam) : Error{Code::unreachable, "it does not answer"};
    if (service)
      all.push_back(std::move(*service));
    else
      log::warn("NAM {} is left out: {}", nam.index, service.error().message);
  }
  return all;
}

}  // namespace psnam::capi
