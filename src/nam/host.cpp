#include "nam/host.hpp"

#include "nam/host_parts.hpp"
#include "nam/host_statistics.hpp"
#include "nam/session.hpp"
#include "psnam_version.hpp"

namespace psnam::nam {

class NamHost::Impl final : public control::Acceptor {
 public:
  Impl(backends::FabricOptions fabric, std::string module) : parts{std::move(fabric), std::move(module)} {}

  Result<std::unique_ptr<control::SessionHandler>> opened(const control::Peer& peer, std::uint64_t session) override {
    return std::unique_ptr<control::SessionHandler>{std::make_unique<Session>(parts, peer, session)};
  }
  Status open_store(StoreOptions options, std::string address);
  Status open_server(control::ServerOptions options, const std::string& name,
                     const std::vector<control::Address>& listen);
  Status take_place(std::optional<ClientOptions> manager);

  HostParts parts;
  format::Uuid instance = format::random_uuid();
  std::unique_ptr<control::Server> server;  ///< its sessions use the parts
};

Status NamHost::Impl::open_store(StoreOptions options, std::string address) {
  options.serving = Serving{.instance = instance,
                            .lives = [this](std::uint64_t session) { return parts.sessions.lives(session); },
                            .address = std::move(address)};
  PSNAM_TRY(parts.store, Store::open(options));
  return {};
}

Status NamHost::Impl::open_server(control::ServerOptions options, const std::string& name,
                                  const std::vector<control::Address>& listen) {
  const format::NodeRecord node = parts.store->node();
  options.facts.instance = instance;
  options.facts.store = node.store;
  options.facts.host = node.host;
  options.facts.store_path = node.path;
  options.facts.name = name;
  options.facts.software_version = kVersion;
  PSNAM_TRY(options.facts.boot, this_boot());
  PSNAM_TRY(server, control::Server::create(std::move(options), *this));
  parts.counters = [this] { return server->counters(); };
  for (const control::Address& address : listen) PSNAM_CHECK(server->listen(address));
  return {};
}

/// Before run(): nobody is served by a store whose ids may be those of another one.
Status NamHost::Impl::take_place(std::optional<ClientOptions> manager) {
  if (!manager) return parts.store->serve_as({.index = 0, .manager = parts.store->node().store, .manager_address = {}});
  MembershipOptions options{.manager = std::move(*manager), .addresses = {}};
  for (const control::Address& address : server->listening()) options.addresses.push_back(address.text());
  PSNAM_TRY(parts.membership, Membership::join(*parts.store, std::move(options)));
  return {};
}

NamHost::NamHost(std::unique_ptr<Impl> impl) noexcept : impl_{std::move(impl)} {}
NamHost::~NamHost() = default;

Result<std::unique_ptr<NamHost>> NamHost::start(HostOptions options) {
  if (options.listen.empty())
    return Error{Code::invalid_argument, "a server without an address to listen at reaches nobody"};
  std::string address = options.listen.front().text();
  for (const auto& one : options.listen)
    if (one.local()) address = one.text();
  auto impl = std::make_unique<Impl>(std::move(options.fabric), std::move(options.fabric_module));
  PSNAM_CHECK(impl->open_store(std::move(options.store), std::move(address)));
  PSNAM_CHECK(impl->open_server(std::move(options.server), options.name, options.listen));
  PSNAM_CHECK(impl->take_place(std::move(options.join)));
  return std::unique_ptr<NamHost>{new NamHost{std::move(impl)}};
}

Status NamHost::run() { return impl_->server->run(); }
void NamHost::stop() noexcept { impl_->server->stop(); }
const std::vector<control::Address>& NamHost::listening() const noexcept { return impl_->server->listening(); }
Result<std::uint32_t> NamHost::nam_index() {
  PSNAM_TRY(const auto place, impl_->parts.store->nam_place());
  return place ? place->index : 0;
}
Store& NamHost::store() noexcept { return *impl_->parts.store; }
Collected NamHost::released_at_open() const { return impl_->parts.store->released_at_open(); }
control::ServerCounters NamHost::counters() const noexcept { return impl_->server->counters(); }
Status NamHost::set_limits(Limits limits) {
  PSNAM_CHECK(impl_->parts.store->set_limits(limits));
  const std::lock_guard lock{impl_->parts.limits_mutex};
  impl_->parts.limits = std::move(limits);
  return {};
}
Result<Statistics> NamHost::statistics() { return host_statistics(impl_->parts, std::nullopt); }
std::string NamHost::provider() const { return impl_->parts.fabric.provider(); }
std::uint64_t NamHost::quarantined_bytes() { return impl_->parts.memory.quarantined_bytes(); }

}  // namespace psnam::nam
