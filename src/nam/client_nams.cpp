// A client of a manager and the memory nodes that have joined it: to each a connection of its own, made when it is
// needed first.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "nam/client.hpp"

namespace psnam::nam {
namespace {

/// The addresses at which this process may find a memory node, the better one first.
std::vector<std::string> addresses_of(const NamReport& report, bool maps) {
  std::vector<std::string> addresses;
  if (!report.socket.empty() && (maps || report.address.empty())) addresses.push_back(report.socket);
  if (!report.address.empty() && report.address != report.socket) addresses.push_back(report.address);
  return addresses;
}

/// Where the manager knows the memory node to be now: it may have come back at another port.
std::vector<control::Address> found_by_manager(ClientLink& manager, std::uint32_t index, bool maps) {
  std::vector<control::Address> addresses;
  const auto reports = manager.ask<reply::Nams>(request::Nams{});
  if (!reports) {
    log::debug("where is NAM {}? {}", index, reports.error().message);
    return addresses;
  }
  const auto report = std::ranges::find(*reports, index, &NamReport::index);
  if (report == reports->end() || !report->reachable) return addresses;
  for (const std::string& text : addresses_of(*report, maps))
    if (auto address = control::Address::parse(text)) addresses.push_back(std::move(*address));
  return addresses;
}

Error no_such_nam(std::uint32_t index, const std::vector<NamReport>& known) {
  std::string indices;
  for (const NamReport& report : known) indices += fmt::format("{}{}", indices.empty() ? "" : ", ", report.index);
  return {Code::name_not_found, fmt::format("there is no NAM {}; the manager knows {}", index, indices)};
}

}  // namespace

Result<std::vector<NamReport>> Client::nams() { return link_->ask<reply::Nams>(request::Nams{}); }

Result<std::vector<std::string>> Client::remove_nam(std::uint32_t index, bool force) {
  return link_->ask<Findings>(request::RemoveNam{index, force});
}

Result<Service*> Client::nam(std::uint32_t index) {
  if (index == 0) return this;
  const std::lock_guard lock{nams_mutex_};
  if (const auto known = nams_.find(index); known != nams_.end()) return known->second.get();
  PSNAM_TRY(const auto reports, nams());
  const auto report = std::ranges::find(reports, index, &NamReport::index);
  if (report == reports.end()) return no_such_nam(index, reports);
  Error last{Code::unreachable, fmt::format("NAM {} has no address", index)};
  for (const std::string& text : addresses_of(*report, maps())) {
    ClientOptions options = link_->options();
    PSNAM_TRY(options.address, control::Address::parse(text));
    options.elsewhere = [manager = link_, index, maps = maps()] { return found_by_manager(*manager, index, maps); };
    // The path of a socket says nothing on other hosts, and may lead to another server there.
    auto client = connect(std::move(options));
    if (client && (*client)->link_->server().store == report->store) {
      Service* const service = client->get();
      nams_.emplace(index, std::move(*client));
      return service;
    }
    last = client ? Error{Code::unreachable, fmt::format("NAM {}: at {} is the store {}, it has {}", index, text,
                                                         format::to_string((*client)->link_->server().store),
                                                         format::to_string(report->store))}
                  : Error{client.error().code, fmt::format("NAM {}: {}", index, client.error().message)};
    log::debug("{}", last.message);
  }
  return last;
}

}  // namespace psnam::nam
