// Who uses a page of locks: entering, leaving, and taking back what the dead left. See nam/window_locks.hpp for why it
// works.
#pragma once

#include <cstdint>
#include <string>

#include "format/catalog.hpp"
#include "nam/lock_page.hpp"

namespace psnam::nam {

class LockClients {
 public:
  /// `process` is the calling one, `boot` the present boot. Code::unsupported when its identity does not fit the page.
  static Result<LockClients> of(const LockPage& page, const format::ProcessIdentity& process, const format::Uuid& boot);

  /// Takes a slot; that of a dead client when no other is left. Code::no_memory when there is none.
  [[nodiscard]] Result<std::uint32_t> enter(const LockPage& page) const;
  /// Gives back everything that `client`, a client of this process, holds, and its slot. What it held, in words.
  std::string leave(const LockPage& page, std::uint32_t client) const;
  /// True if `client` was dead: what it held is free then, and those who wait for it are called. Otherwise it changes
  /// nothing.
  bool take_back_if_dead(const LockPage& page, std::uint32_t client) const;

 private:
  class Guard;
  LockClients() = default;
  /// True only if it is certain that the process of `identity` has ended.
  [[nodiscard]] bool has_ended(const LockPage& page, std::uint64_t identity) const noexcept;

  std::uint64_t identity_ = 0;
  std::uint64_t name_space_ = 0;  ///< as in LockHeader::namespaces
};

}  // namespace psnam::nam
