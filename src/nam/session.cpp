#include "nam/session.hpp"

#include <fmt/format.h>

#include <type_traits>

#include "base/log.hpp"

namespace psnam::nam {

Session::Session(HostParts& parts, const control::Peer& peer, std::uint64_t session)
    : parts_{parts},
      local_{peer.local},
      peer_ip_{peer.ip},
      own_ip_{peer.own_ip},
      shown_{peer.shown},
      hold_{std::make_shared<SessionHold>(
          Caller{.uid = peer.uid, .gids = peer.gids, .gid = peer.gid, .pid = peer.pid, .session = session}, peer.ip,
          peer.own_ip)},
      store_{parts.store->as(hold_->caller)} {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  hold_->facts = {
      .host = peer.facts.host,
      .ip = peer.ip,
      .method = control::to_string(peer.method),
      .began_unix_seconds = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(now).count())};
  parts_.sessions.add(hold_);
  log::debug("session {:x}: {}", session, shown_);
}

void Session::send(control::Reply& reply, Answered answered) {
  control::Message message;
  message.body = reply::encode(answered ? std::move(answered->reply) : reply::Any{answered.take_error()});
  if (answered) message.descriptors = std::move(answered->descriptors);
  if (message.body.size() > control::kMaxBodyBytes) {
    message.descriptors.clear();
    message.body =
        reply::encode(Error{Code::no_memory, fmt::format("the answer has {} bytes, more than a control message carries",
                                                         message.body.size())});
  }
  reply.send(std::move(message));
}

void Session::send(Owed& owed, Answered answered) {
  owed.meter->record(owed.kind, std::chrono::steady_clock::now() - owed.began,
                     answered ? std::nullopt : std::optional{answered.error().code});
  send(owed.reply, std::move(answered));
}

void Session::handle(control::Message message, control::Reply reply) {
  const auto began = std::chrono::steady_clock::now();
  hold_->requests.fetch_add(1, std::memory_order_relaxed);
  auto request = request::decode(message.body);
  if (!request && request.error().code == Code::corrupt) {
    // Unanswered: who sends what is no request loses its connection.
    log::info("{}: {}", shown_, request.error().message);
    return;
  }
  if (!request) return send(reply, request.take_error());
  Owed owed{std::move(reply), parts_.meter, request->index(), began};
  std::visit(
      [&](auto& value) {
        if constexpr (requires { answer(value); })
          send(owed, answer(value));
        else
          serve(value, std::make_shared<Owed>(std::move(owed)));
      },
      *request);
}

void Session::closed(bool goodbye) {
  log::debug("session {:x} has ended{}", number(), goodbye ? "" : " without a goodbye");
  parts_.parity.leave(number());
  // First what its client could still write to, then what was its own.
  hold_->memory.close();
  std::vector<std::shared_ptr<ServedAgent>> agents;
  {
    const std::lock_guard lock{hold_->mutex};
    for (auto& row : hold_->agents) agents.push_back(std::move(row.second));
    hold_->agents.clear();
    hold_->queues.clear();
  }
  if (!goodbye)
    for (const auto& agent : agents) agent->mourn(shown_);
  parts_.let_go(std::move(agents));
  const std::vector<SharedUse> left = parts_.sessions.remove(number());
  const auto ended = parts_.store->end_session(number());
  if (!ended)
    log::warn("what the session of {} has left stays until the next collection: {}", shown_, ended.error().message);
  parts_.nams.left(number());
  std::set<std::uint64_t> objects;
  for (const SharedUse& use : left) objects.insert(use.object_id);
  if (parts_.membership) parts_.membership->left(objects);
  for (const SharedUse& use : left)
    if (use.sessions.empty()) parts_.retire_released(std::vector(use.roots.begin(), use.roots.end()));
}

}  // namespace psnam::nam
