#include "nam/control/facts.hpp"

#include <unistd.h>

#include <array>

#include "nam/store.hpp"
#include "psnam_version.hpp"

namespace psnam::nam::control {

Result<ClientFacts> this_client() {
  ClientFacts facts;
  PSNAM_TRY(facts.process, this_process(0));
  PSNAM_TRY(facts.boot, this_boot());
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) == 0) facts.host = host.data();
  facts.library_version = kVersion;
  return facts;
}

const char* to_string(AuthMethod method) noexcept {
  switch (method) {
    case AuthMethod::kernel:
      return "kernel";
    case AuthMethod::munge:
      return "munge";
    case AuthMethod::secret:
      return "secret";
    case AuthMethod::plain:
      return "plain";
  }
  return "?";
}

}  // namespace psnam::nam::control
