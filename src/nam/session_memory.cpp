#include "nam/session_memory.hpp"

#include <fmt/format.h>

namespace psnam::nam {

Result<backends::FabricServer*> FabricSource::server() {
  const std::lock_guard lock{mutex_};
  if (!fabric_) {
    PSNAM_TRY(fabric_, backends::load_fabric(module_));
  }
  if (!server_) {
    PSNAM_TRY(server_, fabric_->open_server(options_));
  }
  return server_.get();
}

Result<std::shared_ptr<backends::FabricClient>> FabricSource::connect(const std::string& provider,
                                                                      const std::string& address,
                                                                      const std::string& local_address,
                                                                      std::stop_token stop) {
  std::shared_ptr<backends::Fabric> fabric;
  {
    const std::lock_guard lock{mutex_};
    if (!fabric_) {
      PSNAM_TRY(fabric_, backends::load_fabric(module_));
    }
    fabric = fabric_;
  }
  backends::FabricOptions options = options_;
  if (!local_address.empty()) options.local_address = local_address;
  return fabric->connect(options, provider, address, std::move(stop));
}

std::string FabricSource::provider() const {
  const std::lock_guard lock{mutex_};
  return server_ ? server_->provider() : std::string{};
}

Result<reply::Fabric> SessionMemory::open(FabricSource& source, std::string_view local_address) {
  close();
  PSNAM_TRY(backends::FabricServer* const server, source.server());
  const std::lock_guard lock{mutex_};
  PSNAM_TRY(endpoint_, server->make_endpoint(local_address));
  return reply::Fabric{.provider = server->provider(), .address = endpoint_->address()};
}

bool SessionMemory::opened() const {
  const std::lock_guard lock{mutex_};
  return endpoint_ != nullptr;
}

Result<reply::Range> SessionMemory::grant(std::shared_ptr<RootMapping> mapping, const GrantedRange& range) {
  PSNAM_TRY(const auto bytes, mapping->part(range.offset_bytes, range.bytes));
  const std::lock_guard lock{mutex_};
  if (!endpoint_) return Error{Code::unsupported, "memory is asked for over the fabric before it was opened"};
  if (bytes.empty()) return reply::Range{};
  if (grants_.size() >= kMostGrants)
    return Error{Code::no_memory, fmt::format("a session has keys for at most {} parts of memory", kMostGrants)};
  const auto protection = range.right == AccessRight::read_only ? Protection::read_only : Protection::read_write;
  PSNAM_TRY(auto registration, endpoint_->register_memory(bytes, protection));
  reply::Range granted;
  granted.key = registration->key();
  granted.base = registration->base();
  touched_.insert(std::move(mapping));
  grants_.insert_or_assign(granted.key, Grant{.range = range, .registration = std::move(registration)});
  return granted;
}

void SessionMemory::forget(std::uint64_t key) {
  const std::lock_guard lock{mutex_};
  grants_.erase(key);
}

void SessionMemory::review(const std::function<bool(const GrantedRange&)>& still_allowed) {
  const std::lock_guard lock{mutex_};
  std::erase_if(grants_, [&](const auto& grant) { return !still_allowed(grant.second.range); });
}

void SessionMemory::close() {
  const std::lock_guard lock{mutex_};
  grants_.clear();
  endpoint_.reset();
  touched_.clear();
}

std::uint64_t SessionMemory::granted_bytes() const {
  const std::lock_guard lock{mutex_};
  std::uint64_t bytes = 0;
  for (const auto& grant : grants_) bytes += grant.second.range.bytes;
  return bytes;
}

}  // namespace psnam::nam
