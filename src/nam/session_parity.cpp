// What a session has to do with parity that the server makes. Whoever joins may write to the area, and has an endpoint
// on its own host.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "nam/session.hpp"

namespace psnam::nam {
namespace {

constexpr std::uint64_t kLongestWaitUs = 100'000;

}  // namespace

Result<Answer> Session::answer(const request::JoinParity& request) {
  PSNAM_TRY(const auto record, parts_.store->find_allocation(request.allocation_id));
  const GrantedRange range{.root_id = record.root_id,
                           .offset_bytes = record.root_offset_bytes,
                           .bytes = record.size_bytes,
                           .right = AccessRight::read_write};
  PSNAM_CHECK(require_range(range).status());
  const auto open = [&]() -> Result<std::shared_ptr<ParityJob>> {
    PSNAM_TRY(auto mapping, parts_.map_root(record.root_id));
    PSNAM_TRY(const auto memory, mapping->part(record.root_offset_bytes, record.size_bytes));
    return ParityJob::open(std::move(mapping), memory, request);
  };
  if (request.data.bytes != 0) PSNAM_CHECK(check_member_address(request.provider, request.address, peer_ip_));
  PSNAM_CHECK(parts_.parity.join(
      number(), request, open,
      [hold = hold_, &parts = parts_, provider = request.provider, address = request.address](std::stop_token stop) {
        return hold->links.get(parts.fabric, provider, address, std::move(stop));
      }));
  return Answer{reply::Done{}};
}

void Session::serve(const request::AwaitParity& request, const Later& later) {
  auto job = parts_.parity.find(request.allocation_id, request.attempt);
  if (!job) return send(*later, job.take_error());
  const auto deadline = ParityJob::Clock::now() + std::chrono::microseconds{std::min(request.wait_us, kLongestWaitUs)};
  by_helper(later,
            [job = *job, deadline, &parts = parts_, session = number(), id = request.allocation_id]() -> Answered {
              auto done = job->await(session, deadline);
              parts.parity.forget(id);
              if (!done) return done.take_error();
              return Answer{reply::Parity{std::move(*done)}};
            });
}

Result<Answer> Session::answer(const request::LeaveParity& request) {
  PSNAM_TRY(const auto job, parts_.parity.find(request.allocation_id, request.attempt));
  std::string standing = job->standing();
  job->leave(number(), "has left");
  parts_.parity.forget(request.allocation_id);
  return Answer{reply::Text{std::move(standing)}};
}

}  // namespace psnam::nam
