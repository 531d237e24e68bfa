#include "nam/host.hpp"

namespace psnam::nam {

class NamHost::Impl final : public control::Acceptor {
 public:
  Result<std::unique_ptr<control::SessionHandler>> opened(const control::Peer&, std::uint64_t) override {
    return Error{Code::unsupported, "no sessions"};
  }
  std::unique_ptr<Store> store;
  std::unique_ptr<control::Server> server;
};

NamHost::NamHost(std::unique_ptr<Impl> impl) noexcept : impl_{std::move(impl)} {}
NamHost::~NamHost() = default;

Result<std::unique_ptr<NamHost>> NamHost::start(HostOptions options) {
  auto impl = std::make_unique<Impl>();
  PSNAM_TRY(impl->store, Store::open(options.store));
  PSNAM_TRY(impl->server, control::Server::create(options.server, *impl));
  for (const auto& address : options.listen) PSNAM_CHECK(impl->server->listen(address));
  return std::unique_ptr<NamHost>{new NamHost{std::move(impl)}};
}
Status NamHost::run() { return impl_->server->run(); }
void NamHost::stop() noexcept { impl_->server->stop(); }
const std::vector<control::Address>& NamHost::listening() const noexcept { return impl_->server->listening(); }
Service& NamHost::service() noexcept { return *impl_->store; }
Result<Statistics> NamHost::statistics() { return Statistics{}; }

}  // namespace psnam::nam
