#include "capi/failure.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include "base/log.hpp"
#include "nam.h"

namespace psnam::capi {
namespace {

/// Fixed, so that keeping a message cannot fail.
thread_local std::array<char, 1024> last_message{"no error"};

}  // namespace

int errno_of(const Error& error) noexcept {
  switch (error.code) {
    case Code::no_memory:
      return ENOMEM;
    case Code::quota:
      return EDQUOT;
    case Code::access:
      return EACCES;
    case Code::name_not_found:
    case Code::service_not_found:
      return ENOENT;
    case Code::range:
      return ERANGE;
    case Code::busy:
    case Code::name_exists:
    case Code::service_exists:
      return EBUSY;
    case Code::peer_lost:
      return EPIPE;
    case Code::incompatible:
      return EPROTO;
    case Code::unsupported:
    case Code::unreachable:
      return ENOTSUP;
    case Code::system:
      return error.detail == ETIMEDOUT || error.detail == ENOSYS ? error.detail : EIO;
    case Code::corrupt:
    case Code::mpi:
      return EIO;
    default:  // a parameter, in one of the words that MPI has for it
      return EINVAL;
  }
}

void set_failure(const Error& error) noexcept {
  const std::size_t length = std::min(error.message.size(), last_message.size() - 1);
  std::memcpy(last_message.data(), error.message.data(), length);
  last_message[length] = '\0';
  if (log::level() >= log::Level::info) log::write(log::Level::info, last_message.data());
  errno = errno_of(error);
}

const char* last_failure() noexcept { return last_message.data(); }

}  // namespace psnam::capi

extern "C" const char* nam_strerror(void) { return psnam::capi::last_failure(); }
