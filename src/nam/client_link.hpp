// The connection of a client to its server, and what makes it outlive the server: when it is lost, the next call makes
// another one, as a new session, and takes the windows and allocations that this process has in hand into use again.
// What is persistent is there again; what was volatile has gone with the old session, and is refused from then on.
//
// The ids of uses that were given out stay good: they are translated to those of the present session.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "backends/fabric.hpp"
#include "base/options.hpp"
#include "base/result.hpp"
#include "nam/control/channel.hpp"
#include "nam/member_exports.hpp"
#include "nam/patience.hpp"
#include "nam/reply.hpp"
#include "nam/request.hpp"

namespace psnam::nam {

struct ClientOptions {
  control::Address address;
  control::Credentials credentials = {};
  Path path = Path::automatic;
  /// For each answer, of the server and of the fabric. A server that has memory set aside gets 4 s more for each GiB.
  std::chrono::milliseconds timeout{10'000};
  std::size_t chunk_bytes = backends::FabricOptions{}.chunk_bytes;
  std::string fabric_module = {};  ///< as for backends::load_fabric()
  /// Where the same server may be now, the best first: asked when it is not at its address any more. May be null.
  std::function<std::vector<control::Address>()> elsewhere = nullptr;
};

/// A reply and the descriptors that came with it.
struct Received {
  reply::Any reply;
  std::vector<Fd> descriptors;
};

/// Thread-safe.
class ClientLink {
 public:
  [[nodiscard]] static Result<std::shared_ptr<ClientLink>> connect(ClientOptions options);
  ~ClientLink();
  ClientLink(const ClientLink&) = delete;
  ClientLink& operator=(const ClientLink&) = delete;

  /// Asks the server, after connecting again if need be. An error of the server is an error here.
  [[nodiscard]] Result<Received> call(const request::Any& request);
  /// The same for a reply of one kind, without descriptors.
  template <class Reply>
  [[nodiscard]] Result<Reply> ask(const request::Any& request) {
    PSNAM_TRY(Received received, call(request));
    if (Reply* const reply = std::get_if<Reply>(&received.reply)) return std::move(*reply);
    return unexpected(request);
  }
  [[nodiscard]] Error unexpected(const request::Any& request) const;

  /// Of the present connection, after connecting again if need be: it changes with each.
  [[nodiscard]] Result<std::uint64_t> session();
  /// As they were told first; the store is always the same.
  [[nodiscard]] const control::ServerFacts& server() const noexcept { return server_; }
  /// Whether memory is mapped where this user may map it.
  [[nodiscard]] bool maps() const noexcept { return maps_; }
  [[nodiscard]] const ClientOptions& options() const noexcept { return options_; }
  /// Of all waits for this server.
  [[nodiscard]] Patience& patience() const noexcept { return patience_; }

  /// An object that was taken into use, and the use.
  void opened(std::uint64_t use_id, reply::Object object);
  void duplicated(std::uint64_t use_id, std::uint64_t copy);
  void closed(std::uint64_t use_id);
  /// The use as the present session has it. Code::peer_lost if it went with a former one.
  [[nodiscard]] Result<std::uint64_t> use(std::uint64_t use_id);
  /// Code::peer_lost if the object went with a former session.
  [[nodiscard]] Status require_there(std::uint64_t object_id);
  /// An object that something of this process needs, without a use of its own: another process has opened it for both.
  void hold(const reply::Object& object);
  void let_go(std::uint64_t object_id);

  /// Where the server reaches memory of this process.
  [[nodiscard]] MemberExports& exports() noexcept { return exports_; }
  /// Numeric address of this end of the present connection; empty over the Unix socket.
  [[nodiscard]] Result<std::string> local_ip();
  /// The connection over the fabric; a new one if there is none that lives.
  [[nodiscard]] Result<std::shared_ptr<backends::FabricClient>> fabric();

 private:
  struct Known {
    reply::Object object;
    std::map<std::uint64_t, std::uint64_t> uses;  ///< as given out -> as they are now
    std::optional<std::uint64_t> own_use;         ///< taken when it was held only, and is given back with that
    std::size_t holders = 0;
    std::optional<std::string> lost;  ///< why it is not there any more
  };
  explicit ClientLink(ClientOptions options)
      : options_{std::move(options)}, patience_{options_.timeout}, exports_{options_.fabric_module} {}

  [[nodiscard]] Result<std::unique_ptr<control::Channel>> make_channel(const control::Address& address) const;
  /// To a server with this store.
  [[nodiscard]] Result<std::unique_ptr<control::Channel>> make_channel_again(const control::Address& address) const;
  [[nodiscard]] Result<std::unique_ptr<control::Channel>> find_server_again() const;
  [[nodiscard]] Result<std::unique_ptr<control::Channel>> prefer_local(std::unique_ptr<control::Channel> channel,
                                                                       const control::ClientFacts& facts) const;
  [[nodiscard]] Result<std::shared_ptr<control::Channel>> channel();
  [[nodiscard]] Result<Received> call_by(control::Channel& channel, const request::Any& request) const;
  void reopen_all(control::Channel& channel);
  [[nodiscard]] Result<std::uint64_t> reopen(control::Channel& channel, Known& known) const;
  void lose(Known& known, std::string why) const;
  [[nodiscard]] Error lost(const Known& known) const;

  const ClientOptions options_;
  mutable Patience patience_;
  control::ServerFacts server_;
  bool maps_ = false;

  std::mutex connecting_;  ///< held while a new connection is made
  std::mutex mutex_;       ///< for the channel and what is known; never held while the server is asked
  std::shared_ptr<control::Channel> channel_;
  std::map<std::uint64_t, Known> objects_;
  std::map<std::uint64_t, std::uint64_t> object_of_use_;

  MemberExports exports_;
  std::mutex fabric_mutex_;
  std::shared_ptr<backends::Fabric> fabric_module_;
  std::shared_ptr<backends::FabricClient> fabric_;
  std::uint64_t fabric_session_ = 0;
};

}  // namespace psnam::nam
