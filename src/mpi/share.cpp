// Other libraries of ours in this process (libnam.so) use the store through this one, so that it is opened once.
#include <fmt/format.h>

#include "nam/embedded.hpp"
#include "psnam_version.hpp"

extern "C" __attribute__((visibility("default"))) void psnam_private_share_store(
    psnam::Result<std::shared_ptr<psnam::nam::Service>>& store, const char* version, const psnam::Options& options,
    bool create) {
  using psnam::Code;
  using psnam::Error;
  if (std::string_view{version} != psnam::kVersion)
    store =
        Error{Code::incompatible, fmt::format("libpsnam.so is of version {} and libnam.so of version {}: they share a "
                                              "store in one process only if the versions are the same",
                                              psnam::kVersion, version)};
  else
    store = psnam::nam::open_service(options, create);
}
