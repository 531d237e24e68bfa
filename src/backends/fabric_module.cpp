// The one thing that the module exports.
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "backends/fabric_client.hpp"
#include "backends/fabric_objects.hpp"
#include "backends/fabric_server.hpp"
#include "backends/signal_guard.hpp"

namespace psnam::backends {
namespace {

/// libfabric looks for its providers when it is asked for the first time, and these may replace signal handlers.
class LibFabric final : public Fabric {
 public:
  [[nodiscard]] Result<std::unique_ptr<FabricServer>> open_server(const FabricOptions& options) override {
    const SignalGuard guard;
    prepare();
    return open_fabric_server(options);
  }
  [[nodiscard]] Result<std::shared_ptr<FabricClient>> connect(const FabricOptions& options, std::string_view provider,
                                                              std::string_view address, std::stop_token stop) override {
    const SignalGuard guard;
    prepare();
    return connect_fabric(options, provider, address, std::move(stop));
  }

 private:
  /// libfabric's cache of registrations puts hooks into the memory functions of the whole process, only for adapters
  /// that need registered memory; we do not use it. It is read once, so that an MPI library that was there first keeps
  /// its own.
  static void prepare() {
    std::error_code none;
    if (std::filesystem::exists("/sys/class/infiniband", none)) ::setenv("FI_MR_CACHE_MAX_COUNT", "0", 0);
  }
};

}  // namespace
}  // namespace psnam::backends

extern "C" __attribute__((visibility("default"))) psnam::backends::Fabric* psnam_fabric_open(const char* version) {
  using namespace psnam::backends;
  if (std::strcmp(version, kFabricVersion) != 0) return nullptr;
  return std::make_unique<LibFabric>().release();
}
