#include "nam/membership.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "nam/nam_table.hpp"
#include "psnam_version.hpp"

namespace psnam::nam {
namespace {

using std::chrono::milliseconds;

/// Between two attempts to join: twice as long after each, up to the last.
constexpr milliseconds kFirstPause{100};
constexpr milliseconds kLongestPause{8'000};
/// Signs of life until all parts are looked at again: what was removed elsewhere by somebody who then died is found so.
constexpr unsigned kNewsPerLook = 300;
/// Windows in one question.
constexpr std::size_t kWindowsAtATime = 4096;

/// Whether it may be otherwise the next time.
bool may_pass(const Error& error) {
  return error.code == Code::unreachable || error.code == Code::busy || error.code == Code::peer_lost;
}

}  // namespace

Result<std::unique_ptr<Membership>> Membership::join(Store& store, MembershipOptions options) {
  std::unique_ptr<Membership> membership{new Membership{store, std::move(options)}};
  PSNAM_CHECK(membership->join_first());
  membership->thread_ = std::thread{[raw = membership.get()] { raw->run(); }};
  return membership;
}

Membership::~Membership() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Membership::left(const std::set<std::uint64_t>& windows) {
  const std::lock_guard lock{mutex_};
  left_.insert(windows.begin(), windows.end());
}

Status Membership::join_first() {
  PSNAM_TRY(const auto known, store_.nam_place());
  if (known && known->index == 0)
    return Error{Code::incompatible,
                 fmt::format("the store {} has been the manager of NAMs, and has given ids as such: it cannot join {}",
                             store_.node().path, options_.manager.address.text())};
  if (known) place_ = *known;
  const auto end = std::chrono::steady_clock::now() + options_.manager.timeout;
  for (milliseconds pause = kFirstPause;; pause = std::min(2 * pause, kLongestPause)) {
    Status told = tell();
    if (told || !may_pass(told.error())) return told;
    if (place_.index != 0) {
      log::warn("NAM {} serves without its manager: {}", place_.index, told.error().message);
      return {};
    }
    if (std::chrono::steady_clock::now() + pause > end) return told;
    if (!rest(pause)) return told;
  }
}

Status Membership::tell() {
  if (!link_) {
    PSNAM_TRY(link_, ClientLink::connect(options_.manager));
  }
  PSNAM_TRY(const auto own, store_.nams());
  PSNAM_TRY(const auto joined, link_->ask<reply::Joined>(request::JoinNam{.store = store_.node().store,
                                                                          .index = place_.index,
                                                                          .addresses = options_.addresses,
                                                                          .capacity_bytes = own.front().capacity_bytes,
                                                                          .free_bytes = own.front().free_bytes,
                                                                          .catalog_version = format::kCatalogVersion,
                                                                          .software_version = kVersion}));
  PSNAM_TRY(const std::uint64_t session, link_->session());
  if (session == session_) return {};
  NamPlace place{.index = joined.index, .manager = joined.manager, .manager_address = options_.manager.address.text()};
  PSNAM_CHECK(store_.serve_as(place));
  place_ = std::move(place);
  session_ = session;
  log::info("joined the manager {} as NAM {}", place_.manager_address, place_.index);
  const std::lock_guard lock{mutex_};
  look_at_all_ = true;
  return {};
}

Status Membership::settle() {
  bool all = false;
  std::set<std::uint64_t> asked = std::exchange(again_, {});
  {
    const std::lock_guard lock{mutex_};
    all = std::exchange(look_at_all_, false);
    // The last request of a session that ended here may be on its way to the home still: these are asked about twice.
    again_ = std::exchange(left_, {});
  }
  asked.insert(again_.begin(), again_.end());
  if (!all && asked.empty()) return {};
  const auto look = [&]() -> Status {
    PSNAM_TRY(auto parts, store_.idle_parts_of(place_.manager));
    if (!all) std::erase_if(parts, [&](const auto& part) { return !asked.contains(part.id); });
    for (std::span<const format::WindowRecord> rest{parts}; !rest.empty();) {
      const std::size_t some = std::min(rest.size(), kWindowsAtATime);
      PSNAM_CHECK(settle(rest.first(some)));
      rest = rest.subspan(some);
    }
    return {};
  };
  Status looked = look();
  if (!looked) {
    const std::lock_guard lock{mutex_};
    look_at_all_ = true;
  }
  return looked;
}

Status Membership::settle(std::span<const format::WindowRecord> parts) {
  request::DecideWindows question;
  for (const auto& part : parts) question.windows.push_back(part.uuid);
  PSNAM_TRY(const auto answer, link_->ask<reply::Bytes>(question));
  if (answer.bytes.size() != parts.size()) return link_->unexpected(question);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto fate = static_cast<WindowFate>(answer.bytes[i]);
    if (fate == WindowFate::gone) {
      log::info("the part of window \"{}\" goes: its home does not have the window", parts[i].name);
      PSNAM_CHECK(store_.set_consistency(parts[i].id, format::Consistency::volatile_, false).status());
    } else if (fate == WindowFate::kept && parts[i].in_doubt) {
      PSNAM_CHECK(store_.set_consistency(parts[i].id, format::Consistency::persistent, false).status());
    } else if (fate == WindowFate::undecided) {
      again_.insert(parts[i].id);
    }
  }
  return store_.collect().status();
}

bool Membership::rest(milliseconds time) {
  std::unique_lock lock{mutex_};
  return !changed_.wait_for(lock, time, [&] { return stopping_; });
}

void Membership::run() {
  milliseconds pause = kNamNewsInterval;
  for (unsigned news = 1; rest(pause); ++news) {
    if (news % kNewsPerLook == 0) {
      const std::lock_guard lock{mutex_};
      look_at_all_ = true;
    }
    Status told = tell();
    if (told) told = settle();
    if (told) {
      pause = kNamNewsInterval;
      complaint_.clear();
      continue;
    }
    pause = std::clamp(2 * pause, kFirstPause, kLongestPause);
    if (told.error().message == complaint_) continue;
    complaint_ = told.error().message;
    log::warn("NAM {} is without its manager: {}", place_.index, complaint_);
    pause = kFirstPause;
  }
}

}  // namespace psnam::nam
