// Who has a store's folder: any number of processes that embed it, or one server. DIR/serving is what they lock, the
// former together, the latter alone; the system gives the lock back when its holder dies. The server writes into it who
// it is, so that others can say by which name the store is reached. What is in it means nothing without the lock.
//
//   psnam-serving 1
//   process PID
//   address ADDRESS
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/system.hpp"
#include "nam/folder.hpp"

namespace psnam::nam {

/// The server of a folder.
struct Server {
  std::uint32_t pid = 0;  ///< 0 in the moment in which it has not said so yet
  std::string address;    ///< of its socket; may be empty
};

/// The lock while it lives. Only the process that took it gives it back: a forked child has the same one.
class ServingLock {
 public:
  ServingLock() = default;
  /// For a process that embeds the store. Code::busy, naming the server, if there is one.
  static Result<ServingLock> share(const Folder& folder);
  /// For a server with this address. Code::busy if the folder is served, or embedded, by somebody else.
  static Result<ServingLock> own(const Folder& folder, const std::string& address);
  ServingLock(ServingLock&& other) noexcept = default;
  ServingLock& operator=(ServingLock&& other) noexcept;
  ServingLock(const ServingLock&) = delete;
  ServingLock& operator=(const ServingLock&) = delete;
  ~ServingLock();

 private:
  ServingLock(Fd fd, pid_t process) noexcept : fd_{std::move(fd)}, process_{process} {}
  void give_back() noexcept;

  Fd fd_;
  pid_t process_ = 0;
};

/// The server of the store at `path`, if one has it now.
[[nodiscard]] Result<std::optional<Server>> server_of(const std::filesystem::path& path);

}  // namespace psnam::nam
