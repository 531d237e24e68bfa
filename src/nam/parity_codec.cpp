#include "nam/parity_codec.hpp"

#include <algorithm>

namespace psnam::nam::codec {
namespace {

/// As fi_getname() and the header in front of it may make it, and as providers are called.
constexpr std::size_t kLongestAddress = 512;
constexpr std::size_t kLongestProvider = 64;

void put(schema::Exported::Builder out, const ExportedPart& from) {
  out.setKey(from.key);
  out.setBase(from.base);
  out.setBytes(from.bytes);
}

ExportedPart part_of(schema::Exported::Reader in) {
  return {.key = in.getKey(), .base = in.getBase(), .bytes = in.getBytes()};
}

}  // namespace

void put_parity(schema::Request::Builder out, const request::JoinParity& from) {
  auto to = out.initJoinParity();
  to.setAllocationId(from.allocation_id);
  to.setAttempt(from.attempt);
  to.setRebuild(from.work == ParityWork::rebuild);
  to.setVersion(from.version);
  to.setNote({from.note.data(), from.note.size()});
  to.setMember(from.member);
  to.setLost(from.lost);
  to.setProvider(from.provider);
  to.setAddress(data_of(std::as_bytes(std::span{from.address})));
  put(to.initData(), from.data);
  put(to.initChecksums(), from.checksums);
}

request::JoinParity join_of(schema::JoinParity::Reader in, Fields& fields) {
  request::JoinParity to{.allocation_id = in.getAllocationId(),
                         .attempt = in.getAttempt(),
                         .work = in.getRebuild() ? ParityWork::rebuild : ParityWork::encode,
                         .version = in.getVersion(),
                         .member = in.getMember(),
                         .lost = in.getLost(),
                         .provider = {},
                         .address = {},
                         .data = part_of(in.getData()),
                         .checksums = part_of(in.getChecksums())};
  const auto note = in.getNote();
  fields.require(note.size() == to.note.size(), "note");
  if (note.size() == to.note.size()) std::copy(note.begin(), note.end(), to.note.begin());
  const auto provider = in.getProvider();
  fields.require(provider.size() <= kLongestProvider, "provider");
  const auto address = in.getAddress();
  fields.require(address.size() <= kLongestAddress, "address");
  if (fields.failure()) return to;
  to.provider = text_of(provider);
  to.address = {address.asChars().begin(), address.size()};
  return to;
}

void put_parity(schema::Request::Builder out, const request::AwaitParity& from) {
  auto to = out.initAwaitParity();
  to.setAllocationId(from.allocation_id);
  to.setAttempt(from.attempt);
  to.setWaitUs(from.wait_us);
}
request::AwaitParity await_of(schema::AwaitParity::Reader in) {
  return {.allocation_id = in.getAllocationId(), .attempt = in.getAttempt(), .wait_us = in.getWaitUs()};
}

void put_parity(schema::Request::Builder out, const request::LeaveParity& from) {
  auto to = out.initLeaveParity();
  to.setAllocationId(from.allocation_id);
  to.setAttempt(from.attempt);
}
request::LeaveParity leave_of(schema::LeaveParity::Reader in) {
  return {.allocation_id = in.getAllocationId(), .attempt = in.getAttempt()};
}

void put_parity(schema::Reply::Builder out, const reply::Parity& from) {
  auto to = out.initParity();
  to.setOver(from.done.has_value());
  if (!from.done) return;
  const ParityDone& done = *from.done;
  to.setVersion(done.version);
  to.setStripes(done.stripes);
  to.setStripesKept(done.stripes_kept);
  to.setBytesRead(done.bytes_read);
  auto rebuilt = to.initRebuilt(static_cast<unsigned>(done.rebuilt.size()));
  for (unsigned i = 0; i < rebuilt.size(); ++i) rebuilt.set(i, done.rebuilt[i]);
  auto repaired =
      to.initRepaired(static_cast<unsigned>(std::min<std::size_t>(done.repaired.size(), ParityDone::kMostRepaired)));
  for (unsigned i = 0; i < repaired.size(); ++i) {
    repaired[i].setPiece(done.repaired[i].piece);
    repaired[i].setBlock(done.repaired[i].block);
  }
}

reply::Parity parity_of(schema::Parity::Reader in, Fields& fields) {
  if (!in.getOver()) return {};
  ParityDone done{.version = in.getVersion(),
                  .stripes = in.getStripes(),
                  .stripes_kept = in.getStripesKept(),
                  .bytes_read = in.getBytesRead(),
                  .rebuilt = {},
                  .repaired = {}};
  fields.require(in.getRebuilt().size() <= format::kParityMaxPieces, "rebuilt");
  fields.require(in.getRepaired().size() <= ParityDone::kMostRepaired, "repaired");
  if (fields.failure()) return {};
  for (const std::uint32_t member : in.getRebuilt()) done.rebuilt.push_back(member);
  for (const auto block : in.getRepaired()) done.repaired.push_back({block.getPiece(), block.getBlock()});
  return {std::move(done)};
}

}  // namespace psnam::nam::codec
