// Copies with partners: each rank's copy is sent, over the program's MPI, to a rank on another node, which keeps it in
// the store of that node. Sent when the end of a version is heard, as the thread that saves makes no call of MPI.
#include <fmt/format.h>

#include <algorithm>

#include "checkpoint/exchange.hpp"
#include "checkpoint/managed.hpp"

namespace psnam::checkpoint {
namespace {

/// A copy that goes from one rank to another. Plain bytes.
struct Parcel {
  std::uint64_t payload_bytes = 0;
  std::uint32_t block_bytes = 0;
  std::uint32_t good = 0;

  [[nodiscard]] std::uint64_t row_bytes() const noexcept {
    return format::CheckpointCopyShape{payload_bytes, block_bytes}.blocks() * sizeof(std::uint32_t);
  }
};

/// What comes in until it is committed.
struct Incoming {
  CopyView copy;
  Parcel parcel;
  std::vector<std::uint32_t> row{};
};

void send(Exchange& exchange, std::uint32_t to, const CopyView& copy, const Parcel& parcel) {
  exchange.send(to, {copy.payload(), {}}, Runs{parcel.payload_bytes});
  exchange.send(to, {std::as_bytes(std::span{copy.checksums(), parcel.row_bytes() / sizeof(std::uint32_t)}), {}},
                Runs{parcel.row_bytes()});
}

Result<Incoming> receive(Exchange& exchange, std::uint32_t from, LocalCopy& place, const Parcel& parcel) {
  PSNAM_TRY(const CopyView copy, place.make_room(parcel.payload_bytes, parcel.block_bytes));
  Incoming incoming{copy, parcel, std::vector<std::uint32_t>(parcel.row_bytes() / sizeof(std::uint32_t))};
  exchange.receive(from, copy.room(parcel.payload_bytes, parcel.block_bytes), Runs{parcel.payload_bytes});
  exchange.receive(from, std::as_writable_bytes(std::span{incoming.row}), Runs{parcel.row_bytes()});
  return incoming;
}

void commit_all(const std::vector<Incoming>& all, const VersionKey& key) {
  for (const Incoming& one : all)
    one.copy.commit(key, one.parcel.payload_bytes, one.parcel.block_bytes, one.row.data());
}

}  // namespace

Status Managed::hear_partners(std::vector<RankState>& states) const {
  if (series_.partner_of.empty()) return {};
  std::vector<std::uint64_t> mine;
  for (const auto& [ward, copies] : wards_) {
    mine.push_back(ward);
    for (const LocalCopy& copy : copies) {
      const VersionKey key = copy.version();
      mine.insert(mine.end(), {key.number, key.stamp});
    }
  }
  PSNAM_TRY(const auto all, team_.gather_words(mine));
  for (const auto& said : all)
    for (std::size_t at = 0; at < said.size(); at += 1 + 2 * series_.kept)
      for (std::size_t index = 0; index < series_.kept; ++index)
        states[said[at]].partners[index] = {said[at + 1 + 2 * index], said[at + 2 + 2 * index]};
  return {};
}

/// `before`: complete versions, which the partners have too.
Status Managed::send_to_partners(const VersionKey& key, const std::vector<VersionKey>& before,
                                 const std::vector<bool>& ranks) {
  if (series_.partner_of.empty() || std::ranges::find(ranks, true) == ranks.end()) return {};
  Parcel mine;
  const LocalCopy* const own = copy_of(key);
  if (own != nullptr) mine = {own->view().payload().size(), own->view().block_bytes(), 1};
  PSNAM_TRY(const auto parcels, team_.gather(mine));
  Exchange exchange{team_};
  std::vector<Incoming> incoming;
  const Status prepared = locally([&]() -> Status {
    if (mine.good == 0) return Error{Code::corrupt, fmt::format("the copy of version {} is gone", key.number)};
    const std::uint32_t partner = series_.partner_of[rank()];
    if (ranks[rank()] && partner != rank()) send(exchange, partner, own->view(), mine);
    for (auto& [ward, copies] : wards_) {
      if (!ranks[ward]) continue;
      PSNAM_TRY(Incoming one, receive(exchange, ward, to_overwrite(copies, before), parcels[ward]));
      incoming.push_back(std::move(one));
    }
    return {};
  });
  PSNAM_CHECK(team_.agree(prepared));
  PSNAM_CHECK(exchange.carry_out());
  commit_all(incoming, key);
  return {};
}

Status Managed::protect_with_partners(const Survey& survey, const VersionKey& key) {
  if (series_.partner_of.empty()) return {};
  std::vector<bool> ranks;
  for (std::uint32_t one = 0; one < series_.ranks(); ++one)
    ranks.push_back(!survey.has_partner(key, one) && series_.partner_of[one] != one);
  return send_to_partners(key, survey.complete(), ranks);
}

Result<bool> Managed::fetch_from_partners(const Survey& survey, const VersionKey& key, std::vector<Condition>& all) {
  if (series_.partner_of.empty()) return false;
  std::vector<std::uint32_t> wanted;
  for (std::uint32_t one = 0; one < all.size(); ++one)
    if (!all[one].whole() && survey.has_partner(key, one)) wanted.push_back(one);
  if (wanted.empty()) return false;
  // A damaged copy is nobody's.
  std::vector<std::uint64_t> mine;
  for (const auto& [ward, copies] : wards_) {
    const auto copy = std::ranges::find(copies, key, &LocalCopy::version);
    if (std::ranges::find(wanted, ward) == wanted.end() || copy == copies.end()) continue;
    if (copy->view().count_damaged() != 0) continue;
    mine.insert(mine.end(), {ward, copy->view().payload().size(), copy->view().block_bytes()});
  }
  PSNAM_TRY(const auto said, team_.gather_words(mine));
  Exchange exchange{team_};
  std::vector<Incoming> incoming;
  const Status prepared = locally([&]() -> Status {
    for (std::uint32_t holder = 0; holder < said.size(); ++holder) {
      for (std::size_t at = 0; at < said[holder].size(); at += 3) {
        const auto ward = static_cast<std::uint32_t>(said[holder][at]);
        const Parcel parcel{said[holder][at + 1], static_cast<std::uint32_t>(said[holder][at + 2]), 1};
        if (holder == rank())
          send(exchange, ward, std::ranges::find(wards_.at(ward), key, &LocalCopy::version)->view(), parcel);
        if (ward == rank()) {
          LocalCopy* const damaged = copy_of(key);
          LocalCopy& place = damaged != nullptr ? *damaged : to_overwrite(copies_, survey.complete());
          PSNAM_TRY(Incoming one, receive(exchange, holder, place, parcel));
          incoming.push_back(std::move(one));
        }
        all[ward] = {};
      }
    }
    return {};
  });
  PSNAM_CHECK(team_.agree(prepared));
  PSNAM_CHECK(exchange.carry_out());
  commit_all(incoming, key);
  return !incoming.empty();
}

}  // namespace psnam::checkpoint
