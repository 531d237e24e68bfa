#include "nam/client.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include "nam/access.hpp"
#include "nam/identity.hpp"

namespace psnam::nam {
namespace {

request::Users copy_of(std::span<const format::ProcessIdentity> users) { return {users.begin(), users.end()}; }

std::uint64_t id_of(const WindowReport& report) { return report.window.id; }
std::uint64_t id_of(const AllocationReport& report) { return report.allocation.id; }

/// Appends a piece of a list; the id after which the next one begins.
template <class Report>
std::uint64_t append(std::vector<Report>& all, std::vector<Report> piece) {
  for (Report& report : piece) all.push_back(std::move(report));
  return all.empty() ? 0 : id_of(all.back());
}

}  // namespace

Result<std::unique_ptr<Client>> Client::connect(const Options& options) {
  auto address = control::Address::parse(options.manager);
  if (!address) return Error{address.error().code, fmt::format("PSNAM_MANAGER: {}", address.error().message)};
  ClientOptions wanted{.address = std::move(*address)};
  wanted.credentials.secret_file = options.secret_file;
  wanted.path = options.path;
  wanted.timeout = options.timeout;
  if (options.fabric_chunk_bytes != 0) wanted.chunk_bytes = options.fabric_chunk_bytes;
  return connect(std::move(wanted));
}

Result<std::unique_ptr<Client>> Client::connect(ClientOptions options) {
  PSNAM_TRY(auto link, ClientLink::connect(std::move(options)));
  return std::unique_ptr<Client>{new Client{std::move(link)}};
}

Result<WindowUse> Client::opened(WindowUse use, AccessRight right) {
  link_->opened(use.use_id, {.id = use.window.id, .right = right, .shown = shown(use.window)});
  return use;
}

Result<AllocationUse> Client::opened(AllocationUse use, AccessRight right) {
  link_->opened(use.use_id, {.id = use.allocation.id, .right = right, .shown = shown(use.allocation)});
  return use;
}

Result<WindowUse> Client::create(format::WindowRecord draft, std::span<const AllocationSource> sources,
                                 std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(auto use, link_->ask<WindowUse>(
                          request::CreateWindow{std::move(draft), {sources.begin(), sources.end()}, copy_of(users)}));
  return opened(std::move(use), AccessRight::read_write);
}

Result<std::string> Client::set_consistency(std::uint64_t window_id, format::Consistency consistency, bool in_doubt) {
  PSNAM_CHECK(link_->require_there(window_id));
  PSNAM_TRY(auto name, link_->ask<reply::Text>(request::SetConsistency{window_id, consistency, in_doubt}));
  return std::move(name.text);
}

Result<format::WindowRecord> Client::find(std::string_view name) {
  PSNAM_TRY(auto found, link_->ask<reply::Window>(request::FindWindow{std::string{name}}));
  return std::move(found.window);
}

Result<WindowUse> Client::open(std::string_view name, AccessRight right,
                               std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(auto use, link_->ask<WindowUse>(request::OpenWindow{std::string{name}, right, copy_of(users)}));
  return opened(std::move(use), right);
}

Result<format::WindowRecord> Client::get(std::uint64_t window_id) {
  PSNAM_CHECK(link_->require_there(window_id));
  PSNAM_TRY(auto found, link_->ask<reply::Window>(request::GetWindow{window_id}));
  return std::move(found.window);
}

std::shared_ptr<const void> Client::share(std::uint64_t window_id, AccessRight right) {
  link_->hold({.id = window_id, .right = right, .shown = fmt::format("the window {}", window_id)});
  return {link_.get(), [link = link_, window_id](const void*) { link->let_go(window_id); }};
}

Result<std::uint64_t> Client::duplicate(std::uint64_t use_id) {
  PSNAM_TRY(const std::uint64_t use, link_->use(use_id));
  PSNAM_TRY(const auto copy, link_->ask<reply::Number>(request::Duplicate{use}));
  link_->duplicated(use_id, copy.value);
  return copy.value;
}

/// A use that went with a former session has ended.
Status Client::close(std::uint64_t use_id) {
  auto use = link_->use(use_id);
  if (!use && use.error().code != Code::peer_lost) return use.take_error();
  if (use) PSNAM_CHECK(link_->ask<reply::Done>(request::Close{*use}).status());
  link_->closed(use_id);
  return {};
}

Result<AllocationUse> Client::allocate(const AllocationRequest& request,
                                       std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(auto use, link_->ask<AllocationUse>(request::Allocate{request, copy_of(users)}));
  return opened(std::move(use), AccessRight::read_write);
}

Status Client::set_allocation_consistency(std::uint64_t id, format::Consistency consistency) {
  PSNAM_CHECK(link_->require_there(id));
  return link_->ask<reply::Done>(request::SetAllocationConsistency{id, consistency}).status();
}

Result<AllocationUse> Client::open_allocation(std::uint64_t id, std::optional<std::uint64_t> challenge,
                                              AccessRight right, std::span<const format::ProcessIdentity> users) {
  PSNAM_TRY(auto use, link_->ask<AllocationUse>(request::OpenAllocation{id, challenge, right, copy_of(users)}));
  return opened(std::move(use), right);
}

Result<format::AllocationRecord> Client::find_allocation(std::uint64_t id) {
  PSNAM_CHECK(link_->require_there(id));
  PSNAM_TRY(auto found, link_->ask<reply::Allocation>(request::GetAllocation{id}));
  return std::move(found.allocation);
}

Result<format::AllocationRecord> Client::find_allocation(std::string_view name) {
  PSNAM_TRY(auto found, link_->ask<reply::Allocation>(request::FindAllocation{std::string{name}}));
  return std::move(found.allocation);
}

Result<bool> Client::free_allocation(std::uint64_t id, bool recursive) {
  PSNAM_TRY(const auto gone, link_->ask<reply::Flag>(request::FreeAllocation{id, recursive}));
  return gone.value;
}

Result<std::vector<AllocationReport>> Client::allocations() {
  std::vector<AllocationReport> all;
  for (std::uint64_t after = 0;;) {
    PSNAM_TRY(auto piece, link_->ask<reply::Allocations>(request::ListAllocations{after}));
    const std::uint64_t last = append(all, std::move(piece.allocations));
    if (!piece.more || last <= after) return all;
    after = last;
  }
}

Status Client::publish(std::string_view service, std::string_view port_name) {
  return link_->ask<reply::Done>(request::Publish{std::string{service}, std::string{port_name}}).status();
}

Result<std::string> Client::lookup(std::string_view service) {
  PSNAM_TRY(auto found, link_->ask<reply::Text>(request::LookUp{std::string{service}}));
  return std::move(found.text);
}

Status Client::unpublish(std::string_view service, std::string_view port_name) {
  return link_->ask<reply::Done>(request::Unpublish{std::string{service}, std::string{port_name}}).status();
}

format::NodeRecord Client::node() const {
  return {.store = link_->server().store, .host = link_->server().host, .path = link_->server().store_path};
}

Result<format::ProcessIdentity> Client::user(std::uint32_t rank) {
  PSNAM_TRY(const std::uint64_t session, link_->session());
  return session_user(static_cast<std::uint32_t>(::getpid()), rank, session);
}

Result<std::uint64_t> Client::count_users(std::uint64_t object_id) {
  PSNAM_CHECK(link_->require_there(object_id));
  PSNAM_TRY(const auto users, link_->ask<reply::Number>(request::CountUsers{object_id}));
  return users.value;
}

Result<StoreSummary> Client::summary() { return link_->ask<StoreSummary>(request::Summary{}); }

Result<std::vector<WindowReport>> Client::list() {
  std::vector<WindowReport> all;
  for (std::uint64_t after = 0;;) {
    PSNAM_TRY(auto piece, link_->ask<reply::Windows>(request::ListWindows{after}));
    const std::uint64_t last = append(all, std::move(piece.windows));
    if (!piece.more || last <= after) return all;
    after = last;
  }
}

Result<bool> Client::remove(std::string_view name) {
  PSNAM_TRY(const auto gone, link_->ask<reply::Flag>(request::RemoveWindow{std::string{name}}));
  return gone.value;
}

Status Client::set_capacity(std::uint64_t bytes) {
  return link_->ask<reply::Done>(request::SetCapacity{bytes}).status();
}

Result<Collected> Client::collect() { return link_->ask<Collected>(request::Collect{}); }
Result<Findings> Client::check() { return link_->ask<Findings>(request::Check{}); }

Result<Statistics> Client::statistics() {
  PSNAM_TRY(const auto encoded, link_->ask<reply::Bytes>(request::Statistics{}));
  return decode_statistics(encoded.bytes);
}

}  // namespace psnam::nam
