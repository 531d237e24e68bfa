// What a session asks about the service as a whole, and names. Lists are sent in pieces, for a message is limited.
#include <algorithm>

#include "nam/host_statistics.hpp"
#include "nam/session.hpp"

namespace psnam::nam {
namespace {

/// About what a piece may have, by what its records have when they are encoded.
constexpr std::size_t kPieceBytes = std::size_t{2} << 20;

std::uint64_t id_of(const WindowReport& report) { return report.window.id; }
std::uint64_t id_of(const AllocationReport& report) { return report.allocation.id; }

std::size_t size_of(const std::vector<format::UseRecord>& uses) {
  std::size_t bytes = 0;
  for (const auto& use : uses) bytes += format::encode(use).size();
  return bytes;
}
std::size_t size_of(const WindowReport& report) {
  std::size_t bytes = format::encode(report.window).size() + size_of(report.uses);
  for (const auto& service : report.services) bytes += service.size();
  return bytes;
}
std::size_t size_of(const AllocationReport& report) {
  return format::encode(report.allocation).size() + size_of(report.uses) +
         report.referring_windows.size() * sizeof(std::uint64_t);
}

/// Those after `after`, until there is enough for one message; whether there are more.
template <class Report>
bool take_piece(std::vector<Report>& reports, std::uint64_t after) {
  std::erase_if(reports, [&](const Report& report) { return id_of(report) <= after; });
  std::sort(reports.begin(), reports.end(), [](const Report& a, const Report& b) { return id_of(a) < id_of(b); });
  std::size_t bytes = 0;
  const auto end = std::find_if(reports.begin(), reports.end(), [&](const Report& report) {
    const bool full = bytes >= kPieceBytes;
    bytes += size_of(report);
    return full;
  });
  const bool more = end != reports.end();
  reports.erase(end, reports.end());
  return more;
}

}  // namespace

Result<Answer> Session::answer(const request::ListAllocations& request) {
  reply::Allocations piece;
  PSNAM_TRY(piece.allocations, store_->allocations());
  piece.more = take_piece(piece.allocations, request.after);
  return Answer{std::move(piece)};
}

Result<Answer> Session::answer(const request::ListWindows& request) {
  reply::Windows piece;
  PSNAM_TRY(piece.windows, store_->list());
  piece.more = take_piece(piece.windows, request.after);
  return Answer{std::move(piece)};
}

Result<Answer> Session::answer(const request::Publish& request) {
  PSNAM_CHECK(store_->publish(request.service, request.port_name));
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::LookUp& request) {
  PSNAM_TRY(std::string port_name, store_->lookup(request.service));
  return Answer{reply::Text{std::move(port_name)}};
}

Result<Answer> Session::answer(const request::Unpublish& request) {
  PSNAM_CHECK(store_->unpublish(request.service, request.port_name));
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::Summary&) {
  PSNAM_TRY(StoreSummary summary, store_->summary());
  return Answer{std::move(summary)};
}

Result<Answer> Session::answer(const request::RemoveWindow& request) {
  PSNAM_TRY(const bool gone, store_->remove(request.name));
  parts_.retire_released(parts_.memory.roots());
  return Answer{reply::Flag{gone}};
}

Result<Answer> Session::answer(const request::SetCapacity& request) {
  PSNAM_CHECK(store_->set_capacity(request.bytes));
  return Answer{reply::Done{}};
}

Result<Answer> Session::answer(const request::Collect&) {
  PSNAM_TRY(const Collected collected, store_->collect());
  parts_.retire_released(parts_.memory.roots());
  return Answer{collected};
}

Result<Answer> Session::answer(const request::Check&) {
  PSNAM_TRY(Findings findings, store_->check());
  return Answer{std::move(findings)};
}

Result<Answer> Session::answer(const request::CountUsers& request) {
  PSNAM_TRY(const std::uint64_t users, store_->count_users(request.object_id));
  return Answer{reply::Number{users}};
}

Result<Answer> Session::answer(const request::Statistics&) {
  PSNAM_TRY(const Statistics statistics, host_statistics(parts_, hold_->caller));
  return Answer{reply::Bytes{encode(statistics)}};
}

Result<Answer> Session::answer(const request::JoinNam& request) {
  const std::string& host = hold_->facts.ip.empty() ? hold_->facts.host : hold_->facts.ip;
  PSNAM_TRY(const reply::Joined joined, parts_.nams.join(*store_, request, {.session = number(), .host = host}));
  return Answer{joined};
}

Result<Answer> Session::answer(const request::Nams&) {
  PSNAM_TRY(auto reports, parts_.nams.reports(*parts_.store));
  return Answer{reply::Nams{std::move(reports)}};
}

Result<Answer> Session::answer(const request::RemoveNam& request) {
  PSNAM_TRY(auto lost, parts_.nams.remove(*store_, request.index, request.force));
  return Answer{Findings{std::move(lost)}};
}

Result<Answer> Session::answer(const request::DecideWindows& request) {
  PSNAM_TRY(const auto fates, store_->fates_of(request.windows));
  reply::Bytes answer;
  for (const WindowFate fate : fates) answer.bytes.push_back(static_cast<std::byte>(fate));
  return Answer{std::move(answer)};
}

}  // namespace psnam::nam
