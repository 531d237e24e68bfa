#include "nam/lock_clients.hpp"

#include <fmt/format.h>

#include <climits>
#include <optional>
#include <string>
#include <vector>

#include "base/log.hpp"
#include "base/process.hpp"

namespace psnam::nam {
namespace {

using format::LockIdentity;
using format::LockOwner;

constexpr long kGuardSleepNanoseconds = 1'000'000;
constexpr std::size_t kRanksShown = 8;

std::uint64_t namespace_word(std::uint64_t pid_namespace, const format::Uuid& boot) noexcept {
  std::uint32_t hash = 2166136261U;  // FNV-1a
  for (const auto byte : boot.bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 16777619U;
  return std::uint64_t{hash} << 32 |
         static_cast<std::uint32_t>(pid_namespace);  // the kernel numbers namespaces with 32 bits
}

/// Where `word` is in the page's list of namespaces; it is added if need be.
Result<std::uint32_t> namespace_index(const LockPage& page, std::uint64_t word) {
  auto& list = page.header().namespaces;
  for (std::uint32_t i = 0; i < format::kLockNamespaces; ++i) {
    std::uint64_t found = 0;
    if (list[i].compare_exchange_strong(found, word) || found == word) return i;
  }
  return Error{
      Code::no_memory,
      fmt::format("processes of {} pid namespaces and boots have used the window's locks, more are not kept apart",
                  format::kLockNamespaces)};
}

/// What was taken from a client, in words.
class Loot {
 public:
  void add(const char* how, std::uint32_t rank) {
    if (++ranks_ <= kRanksShown) text_ += fmt::format("{}rank {} {}", text_.empty() ? "" : ", ", rank, how);
  }
  void add(std::string_view what) { text_ += fmt::format("{}{}", text_.empty() ? "" : ", ", what); }
  [[nodiscard]] std::string text() const {
    return ranks_ > kRanksShown ? fmt::format("{} and {} ranks more", text_, ranks_ - kRanksShown) : text_;
  }

 private:
  std::string text_;
  std::size_t ranks_ = 0;
};

void strip_cell(const LockPage& page, const RankCell& cell, std::uint32_t client, Loot& loot) {
  if (cell.waiters.test(client)) cell.waiters.clear(client);
  if (cell.readers.test(client)) {
    cell.readers.clear(client);
    page.call_owner(cell);
    loot.add("shared", cell.rank);
  }
  LockOwner owner = cell.head.owner.load();
  if ((owner & format::kLockOwnerMask) == client + 1) {
    cell.head.owner.store(0);
    loot.add((owner & format::kLockBlocked) != 0 ? "exclusively (next)" : "exclusively", cell.rank);
  }
  page.call_next(cell);
}

/// Takes everything from `client`, who does nothing any more. Under the guard. Every step may be repeated.
std::string strip(const LockPage& page, std::uint32_t client) {
  Loot loot;
  for (std::uint32_t i = 0; i < format::kLockStripes; ++i) {
    auto& stripe = page.stripe(i);
    if ((stripe.load() & format::kLockOwnerMask) != client + 1) continue;
    stripe.store(0);
    futex_wake(stripe, INT_MAX);
    loot.add(fmt::format("stripe {}", i));
  }
  const bool held_all = page.all_readers().test(client);
  if (held_all) {
    page.all_readers().clear(client);
    loot.add("all ranks shared");
  }
  for (std::uint32_t rank = 0; rank < page.shape().ranks; ++rank) {
    const RankCell cell = page.cell(rank);
    strip_cell(page, cell, client, loot);
    if (held_all) page.call_owner(cell);
  }
  for (auto& place : page.slot(client).places) place.store(0);
  return loot.text();
}

}  // namespace

/// The one who may change who has which slot. It is a word with the holder's identity, so a dead holder is found out
/// and its place taken; what it was about to do is repeated by whoever finds the slot still taken.
class LockClients::Guard {
 public:
  Guard(const LockPage& page, const LockClients& clients) noexcept : word_{page.header().guard} {
    std::uint64_t holder = 0;
    while (!word_.compare_exchange_strong(holder, clients.identity_)) {
      if (clients.has_ended(page, holder) && word_.compare_exchange_strong(holder, clients.identity_)) return;
      if (holder != 0) futex_wait(low_half(), static_cast<std::uint32_t>(holder), kGuardSleepNanoseconds);
      holder = 0;
    }
  }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() {
    word_.store(0);
    futex_wake(low_half(), 1);
  }

 private:
  // What the kernel compares; of this (little-endian) machine.
  [[nodiscard]] const std::atomic<std::uint32_t>& low_half() const noexcept {
    return reinterpret_cast<const std::atomic<std::uint32_t>&>(word_);
  }
  std::atomic<std::uint64_t>& word_;
};

Result<LockClients> LockClients::of(const LockPage& page, const format::ProcessIdentity& process,
                                    const format::Uuid& boot) {
  if (process.pid == 0 || process.pid > LockIdentity::kMaxPid || process.start_time_ticks > LockIdentity::kMaxStart)
    return Error{Code::unsupported,
                 fmt::format("process {}, started at tick {}, does not fit the page of the window's locks", process.pid,
                             process.start_time_ticks)};
  LockClients clients;
  clients.name_space_ = namespace_word(process.pid_namespace, boot);
  PSNAM_TRY(const std::uint32_t index, namespace_index(page, clients.name_space_));
  clients.identity_ = LockIdentity{process.pid, index, process.start_time_ticks}.encode();
  return clients;
}

bool LockClients::has_ended(const LockPage& page, std::uint64_t identity) const noexcept {
  if (identity == 0 || identity == identity_) return false;
  const LockIdentity process = LockIdentity::decode(identity);
  const std::uint64_t name_space = page.header().namespaces[process.name_space].load();
  if (name_space >> 32 != name_space_ >> 32) return true;  // of an earlier boot
  // A process in another namespace cannot be judged from here.
  return name_space == name_space_ && process_has_ended(process.pid, process.start_time_ticks);
}

Result<std::uint32_t> LockClients::enter(const LockPage& page) const {
  const std::uint32_t limit = page.shape().clients;
  for (bool tidied = false;; tidied = true) {
    {
      const Guard guard{page, *this};
      for (std::uint32_t client = 0; client < limit; ++client) {
        if (page.slot(client).identity.load() != 0) continue;
        auto& used = page.header().clients_used;
        if (used.load() <= client) used.store(client + 1);
        page.slot(client).identity.store(identity_);
        return client;
      }
    }
    bool found = false;
    if (!tidied)
      for (std::uint32_t client = 0; client < limit; ++client) found |= take_back_if_dead(page, client);
    if (!found)
      return Error{
          Code::no_memory,
          fmt::format("the locks of a window of {} ranks have room for {} users on a node, and all of them are there",
                      page.shape().ranks, limit)};
  }
}

std::string LockClients::leave(const LockPage& page, std::uint32_t client) const {
  const Guard guard{page, *this};
  std::string held = strip(page, client);
  page.slot(client).identity.store(0);
  return held;
}

bool LockClients::take_back_if_dead(const LockPage& page, std::uint32_t client) const {
  if (client >= page.shape().clients) return false;
  const std::uint64_t identity = page.slot(client).identity.load();
  if (!has_ended(page, identity)) return false;
  std::string loot;
  {
    const Guard guard{page, *this};
    if (page.slot(client).identity.load() != identity) return true;  // somebody else was faster
    loot = strip(page, client);
    page.slot(client).identity.store(0);
  }
  const std::uint32_t pid = LockIdentity::decode(identity).pid;
  if (loot.empty())
    log::info("process {} has ended without letting go of a window's locks; it held none", pid);
  else
    log::warn("process {} has ended while it held of a window's locks: {}; they are free again", pid, loot);
  return true;
}

}  // namespace psnam::nam
