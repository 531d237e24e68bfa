#include "nam/member_exports.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace psnam::nam {

MemberExport::~MemberExport() {
  registrations_.clear();
  if (endpoint_ && done_) exports_.give_back({std::move(local_ip_), std::move(endpoint_)});
}

Result<ExportedPart> MemberExport::add(std::span<std::byte> bytes, Protection protection) {
  if (bytes.empty()) return ExportedPart{};
  PSNAM_TRY(auto registration, endpoint_->register_memory(bytes, protection));
  const ExportedPart part{.key = registration->key(), .base = registration->base(), .bytes = bytes.size()};
  registrations_.push_back(std::move(registration));
  return part;
}

MemberExports::~MemberExports() {
  if (process_ == 0 || process_ == ::getpid()) return;
  for (Idle& idle : idle_) static_cast<void>(idle.endpoint.release());
  static_cast<void>(server_.release());
}

Result<MemberExport> MemberExports::open(const std::string& local_ip) {
  const std::lock_guard lock{mutex_};
  if (process_ != 0 && process_ != ::getpid())
    return Error{Code::unsupported,
                 fmt::format("process {} exports no memory by what its parent {} has opened", ::getpid(), process_)};
  if (!fabric_) {
    PSNAM_TRY(fabric_, backends::load_fabric(module_));
  }
  if (!server_) {
    backends::FabricOptions options;
    options.local_address = local_ip;
    PSNAM_TRY(server_, fabric_->open_server(options));
    process_ = ::getpid();
  }
  const auto found = std::ranges::find(idle_, local_ip, &Idle::local_ip);
  if (found != idle_.end()) {
    auto endpoint = std::move(found->endpoint);
    idle_.erase(found);
    return MemberExport{*this, local_ip, std::move(endpoint)};
  }
  PSNAM_TRY(auto endpoint, server_->make_endpoint(local_ip));
  return MemberExport{*this, local_ip, std::move(endpoint)};
}

std::string MemberExports::provider() const {
  const std::lock_guard lock{mutex_};
  return server_ ? server_->provider() : std::string{};
}

void MemberExports::give_back(Idle endpoint) {
  constexpr std::size_t kMostIdle = 8;
  const std::lock_guard lock{mutex_};
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(endpoint));
}

}  // namespace psnam::nam
