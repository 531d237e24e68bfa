#include "nam/sigbus_guard.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <vector>

#include "base/system.hpp"

namespace psnam::nam {

struct GuardEntry {
  std::atomic<std::uint32_t> number{0};  ///< odd while the others change
  std::atomic<bool> faulted{false};
  std::atomic<std::uintptr_t> begin{0};
  std::atomic<std::uintptr_t> end{0};

  void set(std::uintptr_t new_begin, std::uintptr_t new_end) noexcept {
    number.fetch_add(1);
    begin.store(new_begin);
    end.store(new_end);
    faulted.store(false);
    number.fetch_add(1);
  }
  /// Whether `address` is in it; false for one that is changing.
  [[nodiscard]] bool has(std::uintptr_t address) const noexcept {
    const std::uint32_t before = number.load();
    const bool inside = address >= begin.load() && address < end.load();
    return inside && (before & 1) == 0 && number.load() == before;
  }
};

namespace {

struct Chunk {
  std::array<GuardEntry, 1024> entries;
  std::atomic<Chunk*> next{nullptr};
};

struct Guard {
  std::mutex mutex;
  std::vector<GuardEntry*> free;
  Chunk* last = nullptr;
  std::atomic<Chunk*> first{nullptr};
  std::uintptr_t page_bytes = 0;
  struct sigaction former {};
  bool set = false;
};

Guard& guard() {
  static auto* const guard = new Guard;
  return *guard;
}

GuardEntry* entry_of(const Guard& guard, std::uintptr_t address) noexcept {
  for (Chunk* chunk = guard.first.load(); chunk != nullptr; chunk = chunk->next.load())
    for (GuardEntry& entry : chunk->entries)
      if (entry.has(address)) return &entry;
  return nullptr;
}

/// As if this handler were not there. One that was left to the system is left to it again: the access is repeated when
/// the handler returns, and ends the process as it would have.
void hand_on(const Guard& guard, int signal, siginfo_t* info, void* context) noexcept {
  const struct sigaction& former = guard.former;
  if ((former.sa_flags & SA_SIGINFO) != 0) {
    former.sa_sigaction(signal, info, context);
  } else if (former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN) {
    former.sa_handler(signal);
  } else {
    struct sigaction standard {};
    standard.sa_handler = SIG_DFL;
    ::sigaction(signal, &standard, nullptr);
    if (info->si_code <= 0) ::raise(signal);  // it was sent, so nothing is repeated
  }
}

void handle(int signal, siginfo_t* info, void* context) noexcept {
  const int error = errno;
  const Guard& all = guard();
  const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
  GuardEntry* const entry = info->si_code > 0 ? entry_of(all, address) : nullptr;
  bool healed = false;
  if (entry != nullptr) {
    void* const page = reinterpret_cast<void*>(address & ~(all.page_bytes - 1));
    healed = ::mmap(page, all.page_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
             MAP_FAILED;
    if (healed) entry->faulted.store(true);
  }
  errno = error;
  if (!healed) hand_on(all, signal, info, context);
}

/// The caller has the mutex.
Status set_handler(Guard& all) {
  if (all.set) return {};
  all.page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  // Known before the handler is in place, so that it never goes to a former one that it does not know.
  if (::sigaction(SIGBUS, nullptr, &all.former) != 0) return system_error("asking for the handler of SIGBUS", errno);
  struct sigaction action {};
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART;
  if (::sigaction(SIGBUS, &action, nullptr) != 0) return system_error("setting a handler of SIGBUS", errno);
  all.set = true;
  return {};
}

/// The caller has the mutex.
GuardEntry* take_entry(Guard& all) {
  if (all.free.empty()) {
    auto* const chunk = new Chunk;
    all.free.reserve(chunk->entries.size());
    for (GuardEntry& entry : chunk->entries) all.free.push_back(&entry);
    (all.last == nullptr ? all.first : all.last->next).store(chunk);
    all.last = chunk;
  }
  GuardEntry* const entry = all.free.back();
  all.free.pop_back();
  return entry;
}

}  // namespace

Result<GuardedRange> GuardedRange::over(std::byte* data, std::size_t bytes) {
  if (bytes == 0) return GuardedRange{};
  Guard& all = guard();
  const std::lock_guard lock{all.mutex};
  PSNAM_CHECK(set_handler(all));
  const std::uintptr_t in_page = all.page_bytes - 1;
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  GuardEntry* const entry = take_entry(all);
  entry->set(begin & ~in_page, (begin + bytes + in_page) & ~in_page);
  return GuardedRange{entry};
}

GuardedRange& GuardedRange::operator=(GuardedRange&& other) noexcept {
  if (this != &other) {
    release();
    entry_ = std::exchange(other.entry_, nullptr);
  }
  return *this;
}

bool GuardedRange::faulted() const noexcept { return entry_ != nullptr && entry_->faulted.load(); }

void GuardedRange::release() noexcept {
  if (entry_ == nullptr) return;
  Guard& all = guard();
  const std::lock_guard lock{all.mutex};
  entry_->set(0, 0);
  all.free.push_back(std::exchange(entry_, nullptr));  // has room: it came from there
}

}  // namespace psnam::nam
