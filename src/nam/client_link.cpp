#include "nam/client_link.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.hpp"
#include "nam/store.hpp"

namespace psnam::nam {
namespace {

/// Bytes of memory for which a server is given more time: it has the system set them aside, or write them to a disk.
std::uint64_t bytes_of(const request::Any& request) {
  if (const auto* const create = std::get_if<request::CreateMemory>(&request)) return create->bytes;
  if (const auto* const allocate = std::get_if<request::Allocate>(&request)) return allocate->request.size_bytes;
  if (const auto* const reserve = std::get_if<request::ReserveRange>(&request)) return reserve->bytes;
  if (const auto* const persist = std::get_if<request::Persist>(&request)) return persist->bytes;
  return 0;
}

std::chrono::milliseconds extra_time(const request::Any& request) {
  constexpr std::uint64_t kBytesInAMillisecond = 256 << 10;
  constexpr std::uint64_t kMost = 3'600'000;
  return std::chrono::milliseconds{std::min(bytes_of(request) / kBytesInAMillisecond, kMost)};
}

}  // namespace

Result<std::shared_ptr<ClientLink>> ClientLink::connect(ClientOptions options) {
  const std::shared_ptr<ClientLink> link{new ClientLink{std::move(options)}};
  PSNAM_TRY(link->channel_, link->make_channel(link->options_.address));
  link->server_ = link->channel_->server();
  link->maps_ = link->channel_->local() && link->options_.path != Path::fabric;
  log::debug("connected to {} as session {:x}, {}", link->channel_->address().text(), link->channel_->session(),
             link->maps_ ? "memory is mapped" : "memory is reached over the fabric");
  return link;
}

ClientLink::~ClientLink() {
  if (channel_) channel_->goodbye();
}

Result<std::unique_ptr<control::Channel>> ClientLink::make_channel(const control::Address& address) const {
  PSNAM_TRY(const control::ClientFacts facts, control::this_client());
  const auto began = Patience::Clock::now();
  auto connected = control::Channel::connect(address, options_.credentials, facts, patience_.left());
  if (!connected) patience_.failed_since(began);
  PSNAM_TRY(auto channel, std::move(connected));
  if (!channel->local() && options_.path != Path::fabric) {
    PSNAM_TRY(channel, prefer_local(std::move(channel), facts));
  }
  if (options_.path == Path::mapped && !channel->local())
    return Error{Code::unreachable, fmt::format("PSNAM_PATH = \"mapped\": the memory of {} on {} cannot be mapped here",
                                                address.text(), channel->server().host)};
  return channel;
}

Result<std::unique_ptr<control::Channel>> ClientLink::make_channel_again(const control::Address& address) const {
  PSNAM_TRY(auto channel, make_channel(address));
  if (channel->server().store != server_.store)
    return Error{Code::unreachable,
                 fmt::format("the server at {} serves another store than before: {} instead of {}", address.text(),
                             format::to_string(channel->server().store), format::to_string(server_.store))};
  return channel;
}

Result<std::unique_ptr<control::Channel>> ClientLink::find_server_again() const {
  auto found = make_channel_again(options_.address);
  if (found || !options_.elsewhere) return found;
  for (const control::Address& address : options_.elsewhere()) {
    if (address.text() == options_.address.text()) continue;
    auto other = make_channel_again(address);
    if (other) return other;
    log::debug("{}", other.error().message);
  }
  return found;
}

/// The Unix socket of the same server, if it can be reached from here: memory can be mapped then.
Result<std::unique_ptr<control::Channel>> ClientLink::prefer_local(std::unique_ptr<control::Channel> channel,
                                                                   const control::ClientFacts& facts) const {
  const control::ServerFacts& server = channel->server();
  if (server.boot != facts.boot || server.unix_socket.empty()) return channel;
  control::Address address;
  address.path = server.unix_socket;
  auto local = control::Channel::connect(address, options_.credentials, facts, patience_.left());
  // Another mount namespace, perhaps, where nothing, or another server, is at that path.
  if (!local || (*local)->server().instance != server.instance) return channel;
  channel->goodbye();
  return std::move(*local);
}

Result<std::shared_ptr<control::Channel>> ClientLink::channel() {
  {
    const std::lock_guard lock{mutex_};
    if (channel_->alive()) return channel_;
  }
  const std::lock_guard connecting{connecting_};
  {
    const std::lock_guard lock{mutex_};
    if (channel_->alive()) return channel_;
  }
  PSNAM_TRY(std::shared_ptr<control::Channel> fresh, find_server_again());
  log::info("connected to {} again, as session {:x}", fresh->address().text(), fresh->session());
  reopen_all(*fresh);
  const std::lock_guard lock{mutex_};
  channel_ = fresh;
  return fresh;
}

Result<Received> ClientLink::call_by(control::Channel& channel, const request::Any& request) const {
  const auto began = Patience::Clock::now();
  auto answered = channel.call({.body = request::encode(request)}, patience_.left() + extra_time(request));
  if (!answered) patience_.failed_since(began);
  PSNAM_TRY(control::Message message, std::move(answered));
  PSNAM_TRY(reply::Any reply, reply::decode(message.body));
  if (Error* const error = std::get_if<Error>(&reply)) return std::move(*error);
  return Received{std::move(reply), std::move(message.descriptors)};
}

Result<Received> ClientLink::call(const request::Any& request) {
  PSNAM_TRY(const auto channel, this->channel());
  return call_by(*channel, request);
}

Error ClientLink::unexpected(const request::Any& request) const {
  return {Code::corrupt, fmt::format("the server {} answered \"{}\" with something else", options_.address.text(),
                                     request::kNames[request.index()])};
}

Result<std::uint64_t> ClientLink::session() {
  PSNAM_TRY(const auto channel, this->channel());
  return channel->session();
}

Result<std::uint64_t> ClientLink::reopen(control::Channel& channel, Known& known) const {
  auto received = call_by(channel, request::Reopen{known.object.id, known.object.right});
  if (!received) return received.take_error();
  if (const auto* const window = std::get_if<WindowUse>(&received->reply)) return window->use_id;
  if (const auto* const allocation = std::get_if<AllocationUse>(&received->reply)) return allocation->use_id;
  return unexpected(request::Reopen{});
}

void ClientLink::lose(Known& known, std::string why) const {
  log::warn("{} is lost: {}", known.object.shown, why);
  known.lost = std::move(why);
}

/// Others wait meanwhile: nothing is asked before all that was in use is in use again.
void ClientLink::reopen_all(control::Channel& channel) {
  std::map<std::uint64_t, Known> objects;
  {
    const std::lock_guard lock{mutex_};
    objects = objects_;
  }
  for (auto& object : objects) {
    Known& known = object.second;
    if (known.lost) continue;
    const auto again = [&](std::uint64_t& use) {
      auto reopened = reopen(channel, known);
      if (reopened)
        use = *reopened;
      else if (!known.lost)
        lose(known, reopened.error().message);
    };
    for (auto& use : known.uses) again(use.second);
    if (!known.uses.empty()) continue;
    std::uint64_t own = 0;
    again(own);
    if (!known.lost) known.own_use = own;
  }
  const std::lock_guard lock{mutex_};
  for (auto& [id, known] : objects) {
    const auto now = objects_.find(id);
    if (now == objects_.end()) continue;
    now->second.lost = known.lost;
    now->second.own_use = known.own_use;
    for (auto& use : now->second.uses)
      if (const auto fresh = known.uses.find(use.first); fresh != known.uses.end()) use.second = fresh->second;
  }
}

void ClientLink::opened(std::uint64_t use_id, reply::Object object) {
  if (use_id == 0) return;
  const std::lock_guard lock{mutex_};
  Known& known = objects_[object.id];
  if (known.object.right == AccessRight::read_write) object.right = AccessRight::read_write;
  object_of_use_[use_id] = object.id;
  known.object = std::move(object);
  known.uses[use_id] = use_id;
}

void ClientLink::duplicated(std::uint64_t use_id, std::uint64_t copy) {
  const std::lock_guard lock{mutex_};
  const auto found = object_of_use_.find(use_id);
  if (found == object_of_use_.end()) return;
  const std::uint64_t object = found->second;
  object_of_use_[copy] = object;
  objects_[object].uses[copy] = copy;
}

void ClientLink::closed(std::uint64_t use_id) {
  const std::lock_guard lock{mutex_};
  const auto found = object_of_use_.find(use_id);
  if (found == object_of_use_.end()) return;
  const auto object = objects_.find(found->second);
  object_of_use_.erase(found);
  if (object == objects_.end()) return;
  object->second.uses.erase(use_id);
  if (object->second.uses.empty() && object->second.holders == 0) objects_.erase(object);
}

Error ClientLink::lost(const Known& known) const {
  return {Code::peer_lost, fmt::format("{} was lost with the connection to {}: {}", known.object.shown,
                                       options_.address.text(), *known.lost)};
}

Result<std::uint64_t> ClientLink::use(std::uint64_t use_id) {
  PSNAM_CHECK(channel().status());
  const std::lock_guard lock{mutex_};
  const auto found = object_of_use_.find(use_id);
  if (found == object_of_use_.end()) return use_id;
  const Known& known = objects_.at(found->second);
  if (known.lost) return lost(known);
  return known.uses.at(use_id);
}

Status ClientLink::require_there(std::uint64_t object_id) {
  PSNAM_CHECK(channel().status());
  const std::lock_guard lock{mutex_};
  const auto found = objects_.find(object_id);
  if (found != objects_.end() && found->second.lost) return lost(found->second);
  return {};
}

void ClientLink::hold(const reply::Object& object) {
  const std::lock_guard lock{mutex_};
  Known& known = objects_[object.id];
  if (known.object.id == 0) known.object = object;
  if (object.right == AccessRight::read_write) known.object.right = AccessRight::read_write;
  ++known.holders;
}

void ClientLink::let_go(std::uint64_t object_id) {
  std::optional<std::uint64_t> own_use;
  {
    const std::lock_guard lock{mutex_};
    const auto found = objects_.find(object_id);
    if (found == objects_.end() || --found->second.holders != 0) return;
    own_use = std::exchange(found->second.own_use, std::nullopt);
    if (found->second.uses.empty()) objects_.erase(found);
  }
  if (!own_use) return;
  const auto ended = call(request::Close{*own_use});
  if (!ended) log::debug("the use {} ends with the session: {}", *own_use, ended.error().message);
}

Result<std::string> ClientLink::local_ip() {
  PSNAM_TRY(const auto channel, this->channel());
  return channel->local_ip();
}

Result<std::shared_ptr<backends::FabricClient>> ClientLink::fabric() {
  PSNAM_TRY(const auto channel, this->channel());
  const std::lock_guard lock{fabric_mutex_};
  if (fabric_ && fabric_session_ == channel->session() && fabric_->alive()) return fabric_;
  if (fabric_) fabric_->abandon("the connection to the server was lost");
  if (!fabric_module_) {
    PSNAM_TRY(fabric_module_, backends::load_fabric(options_.fabric_module));
  }
  PSNAM_TRY(const Received received, call_by(*channel, request::OpenFabric{}));
  const auto* const endpoint = std::get_if<reply::Fabric>(&received.reply);
  if (endpoint == nullptr) return unexpected(request::OpenFabric{});
  backends::FabricOptions options;
  options.local_address = channel->local_ip();
  options.timeout = options_.timeout;
  options.chunk_bytes = options_.chunk_bytes;
  PSNAM_TRY(fabric_, fabric_module_->connect(options, endpoint->provider, endpoint->address));
  fabric_session_ = channel->session();
  return fabric_;
}

}  // namespace psnam::nam
