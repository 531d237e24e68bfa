#include "nam/nam_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/log.hpp"
#include "nam/control/address.hpp"
#include "psnam_version.hpp"

namespace psnam::nam {
namespace {

/// More than a server listens at, and less than costs anybody anything.
constexpr std::size_t kMostAddresses = 64;

bool is_wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::" || host == "*"; }

struct Found {
  std::string address;
  std::string socket;
};

/// Where clients find a server that listens at `addresses`: by TCP if it does that, and on its own host by its socket.
Result<Found> find_address(const request::JoinNam& news, const NamGuest& guest) {
  if (news.addresses.size() > kMostAddresses)
    return Error{Code::invalid_argument, fmt::format("a memory node with {} addresses; at most {} are heard of",
                                                     news.addresses.size(), kMostAddresses)};
  Found found;
  for (const std::string& text : news.addresses) {
    PSNAM_TRY(control::Address address, control::Address::parse(text));
    if (address.local()) {
      found.socket = text;
    } else if (found.address.empty()) {
      if (is_wildcard(address.host)) address.host = guest.host;
      found.address = address.text();
    }
  }
  if (found.address.empty()) found.address = found.socket;
  if (found.address.empty())
    return Error{Code::invalid_argument, "a memory node without an address: no client would find it"};
  return found;
}

Status check_version(const request::JoinNam& news) {
  if (news.catalog_version == format::kCatalogVersion) return {};
  return Error{Code::incompatible,
               fmt::format("the memory node (namd {}) has records of version {}, this manager (namd {}) of version {}: "
                           "run the same version on both",
                           news.software_version, news.catalog_version, kVersion, format::kCatalogVersion)};
}

}  // namespace

Status require_manager(Store& store) {
  PSNAM_TRY(const auto place, store.nam_place());
  if (!place || place->index == 0) return {};
  return Error{Code::unsupported, fmt::format("this is NAM {} of the manager at {}: only that one knows the others",
                                              place->index, place->manager_address)};
}

Result<std::uint32_t> NamTable::index_of(Store& store, const request::JoinNam& news, const std::string& address) {
  PSNAM_TRY(const auto known, store.joined());
  const auto row = std::ranges::find(known, news.store, &format::NamRecord::store);
  if (news.index != 0 && (row == known.end() || row->index != news.index))
    return Error{Code::incompatible,
                 fmt::format("the store {} was NAM {}; this manager {}", format::to_string(news.store), news.index,
                             row == known.end() ? "does not know it, or has removed it"
                                                : fmt::format("knows it as NAM {}", row->index))};
  PSNAM_TRY(const format::NamRecord record, store.join(news.store, address));
  return record.index;
}

Result<reply::Joined> NamTable::join(Store& store, const request::JoinNam& news, const NamGuest& guest) {
  PSNAM_CHECK(require_manager(store));
  PSNAM_CHECK(check_version(news));
  PSNAM_TRY(Found found, find_address(news, guest));
  const std::lock_guard joining{joining_};
  bool is_news = true;
  std::uint32_t index = 0;
  {
    const std::lock_guard lock{mutex_};
    for (const auto& [known, member] : members_) {
      if (member.report.store != news.store) continue;
      if (member.session != guest.session)
        return Error{Code::busy, fmt::format("the store {} has joined as NAM {} from {}, and is still connected",
                                             format::to_string(news.store), known, member.report.address)};
      is_news = member.report.address != found.address;
      index = known;
    }
  }
  // Said again it changes nothing in the catalog.
  if (is_news) {
    PSNAM_TRY(index, index_of(store, news, found.address));
    log::info("NAM {} is there: {}, {} of {} bytes free", index, found.address, news.free_bytes, news.capacity_bytes);
  }
  const std::lock_guard lock{mutex_};
  members_[index] = {.session = guest.session,
                     .report = {.index = index,
                                .store = news.store,
                                .address = std::move(found.address),
                                .socket = std::move(found.socket),
                                .capacity_bytes = news.capacity_bytes,
                                .free_bytes = news.free_bytes}};
  return reply::Joined{.index = index, .manager = store.node().store};
}

void NamTable::left(std::uint64_t session) {
  const std::lock_guard lock{mutex_};
  std::erase_if(members_, [&](const auto& row) {
    if (row.second.session != session) return false;
    log::warn("NAM {} at {} is not reachable any more", row.first, row.second.report.address);
    return true;
  });
}

Result<std::vector<NamReport>> NamTable::reports(Store& store) {
  PSNAM_CHECK(require_manager(store));
  PSNAM_TRY(auto all, store.nams());
  PSNAM_TRY(const auto known, store.joined());
  const std::lock_guard lock{mutex_};
  for (const format::NamRecord& record : known) {
    const auto member = members_.find(record.index);
    if (member != members_.end())
      all.push_back(member->second.report);
    else
      all.push_back({.index = record.index, .store = record.store, .address = record.address, .reachable = false});
  }
  return all;
}

Result<std::vector<std::string>> NamTable::remove(Store& store, std::uint32_t index, bool force) {
  PSNAM_CHECK(require_manager(store));
  PSNAM_TRY(const auto known, store.joined());
  const auto record = std::ranges::find(known, index, &format::NamRecord::index);
  const std::lock_guard joining{joining_};
  {
    const std::lock_guard lock{mutex_};
    if (members_.contains(index))
      return Error{Code::busy,
                   fmt::format("NAM {} at {} is connected: stop it first", index, members_.at(index).report.address)};
  }
  std::vector<std::string> lost;
  if (record != known.end()) {
    PSNAM_TRY(const auto windows, store.list());
    for (const WindowReport& report : windows)
      if (std::ranges::find(report.window.nodes, record->store, &format::NodeRecord::store) !=
          report.window.nodes.end())
        lost.push_back(report.window.name);
  }
  if (!lost.empty() && !force)
    return Error{Code::busy,
                 fmt::format("{} window{} in NAM {}: {}; they are lost with it, which must be asked for", lost.size(),
                             lost.size() == 1 ? " lies" : "s lie", index, fmt::join(lost, ", "))};
  PSNAM_CHECK(store.forget_joined(index));
  return lost;
}

}  // namespace psnam::nam
