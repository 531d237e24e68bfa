// The server's side of one control connection: what its client asks for is checked against what the session is in, and
// done by the store under the client's identity.
//
// A client is believed nothing: it may name any id, size, offset, use or session. Whatever is not its own is refused
// and changes nothing. What the store does not know, the right of a use and which parts of memory it reaches, is kept
// and checked here.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.hpp"
#include "nam/control/server.hpp"
#include "nam/host_parts.hpp"
#include "nam/reply.hpp"
#include "nam/request.hpp"

namespace psnam::nam {

/// A reply and the descriptors that go with it.
struct Answer {
  template <class Reply>
  Answer(Reply value) : reply{std::move(value)} {}
  Answer(reply::Any value, Fd descriptor) : reply{std::move(value)} { descriptors.push_back(std::move(descriptor)); }

  reply::Any reply;
  std::vector<Fd> descriptors;
};

class Session final : public control::SessionHandler {
 public:
  Session(HostParts& parts, const control::Peer& peer, std::uint64_t session);

  /// Nothing is: the requests of a session stay in order, and what waits is given to helpers.
  [[nodiscard]] bool is_quick(std::span<const std::byte>) override { return false; }
  void handle(control::Message message, control::Reply reply) override;
  void closed(bool goodbye) override;

 private:
  using Answered = Result<Answer>;
  /// An answer that is owed, and what it is counted as.
  struct Owed {
    control::Reply reply;
    std::shared_ptr<RequestMeter> meter;
    std::size_t kind;
    std::chrono::steady_clock::time_point began;
  };
  using Later = std::shared_ptr<Owed>;

  // session_objects.cpp
  Answered answer(request::CreateWindow& request);
  Answered answer(const request::SetConsistency& request);
  Answered answer(const request::FindWindow& request);
  Answered answer(const request::GetWindow& request);
  Answered answer(const request::OpenWindow& request);
  Answered answer(const request::Duplicate& request);
  Answered answer(const request::Close& request);
  Answered answer(const request::Allocate& request);
  Answered answer(const request::SetAllocationConsistency& request);
  Answered answer(const request::OpenAllocation& request);
  Answered answer(const request::GetAllocation& request);
  Answered answer(const request::FindAllocation& request);
  Answered answer(const request::FreeAllocation& request);
  Answered answer(const request::Reopen& request);
  Answered reopen_window(const format::WindowRecord& window, AccessRight right);
  Answered reopen_allocation(const format::AllocationRecord& allocation, AccessRight right);
  Answered entered(WindowUse use, AccessRight right, const request::Users& users);
  Answered entered(AllocationUse use, AccessRight right, const request::Users& users);

  // session_administration.cpp
  Answered answer(const request::ListAllocations& request);
  Answered answer(const request::Publish& request);
  Answered answer(const request::LookUp& request);
  Answered answer(const request::Unpublish& request);
  Answered answer(const request::Summary& request);
  Answered answer(const request::ListWindows& request);
  Answered answer(const request::RemoveWindow& request);
  Answered answer(const request::SetCapacity& request);
  Answered answer(const request::Collect& request);
  Answered answer(const request::Check& request);
  Answered answer(const request::CountUsers& request);
  Answered answer(const request::Statistics& request);
  Answered answer(const request::JoinNam& request);
  Answered answer(const request::Nams& request);
  Answered answer(const request::RemoveNam& request);
  Answered answer(const request::DecideWindows& request);

  // session_ranges.cpp
  Answered answer(const request::CreateMemory& request);
  Answered answer(const request::OpenRange& request);
  Answered answer(const request::ReserveRange& request);
  Answered answer(const request::Persist& request);
  Answered answer(const request::ForgetMemory& request);
  Answered answer(const request::OpenFabric& request);
  Answered answer(const request::CreateControl& request);
  Answered answer(const request::OpenControl& request);
  Answered answer(const request::DropControl& request);
  Answered answer(const request::OpenLocks& request);
  Answered answer(const request::OpenNotifications& request);
  [[nodiscard]] Result<SharedUse> require_range(const GrantedRange& range);
  [[nodiscard]] Status require_local(std::string_view what) const;
  [[nodiscard]] Result<reply::Object> object_of(const SharedUse& use);
  Answered give_range(const GrantedRange& range, const SharedUse& use, bool remote);

  // session_parity.cpp
  Answered answer(const request::JoinParity& request);
  Answered answer(const request::LeaveParity& request);
  void serve(const request::AwaitParity& request, const Later& later);

  // session_waits.cpp
  Answered answer(const request::CloseAgent& request);
  void serve(const request::PostNotification& request, const Later& later);
  void serve(const request::TakeNotification& request, const Later& later);
  void serve(const request::CountNotifications& request, const Later& later);
  void serve(const request::OpenAgent& request, const Later& later);
  void serve(const request::Lock& request, const Later& later);
  void serve(const request::Unlock& request, const Later& later);
  void serve(request::Execute& request, const Later& later);
  [[nodiscard]] Result<std::shared_ptr<ServedAgent>> agent(std::uint64_t id);
  [[nodiscard]] Result<std::shared_ptr<NotificationQueue>> queue(std::uint64_t allocation_id);
  void by_helper(const Later& later, std::function<Answered()> job);

  static void send(control::Reply& reply, Answered answered);
  static void send(Owed& owed, Answered answered);
  [[nodiscard]] std::uint64_t number() const noexcept { return hold_->caller.session; }

  HostParts& parts_;
  const bool local_;
  const std::string peer_ip_;
  const std::string own_ip_;
  const std::string shown_;
  std::shared_ptr<SessionHold> hold_;
  std::unique_ptr<Store> store_;  ///< as the client sees it
};

}  // namespace psnam::nam
