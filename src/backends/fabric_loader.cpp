// Finds and opens the module of the fabric.
#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "backends/fabric.hpp"
#include "backends/signal_guard.hpp"
#include "psnam_version.hpp"

namespace psnam::backends {
namespace {

namespace fs = std::filesystem;

/// Files that may be the module, the likeliest first.
std::vector<std::string> candidates() {
  std::vector<std::string> files;
  Dl_info self{};
  if (::dladdr(reinterpret_cast<const void*>(&load_fabric), &self) != 0 && self.dli_fname != nullptr) {
    std::error_code unknown;
    fs::path of_code = fs::canonical(self.dli_fname, unknown);
    // A program is known by the name it was called by, which the search path may have completed.
    if (unknown) of_code = fs::read_symlink("/proc/self/exe", unknown);
    const fs::path here = of_code.parent_path();
    if (!unknown) {
      files.push_back(here / kFabricModule);
      files.push_back(here / "psnam" / kFabricModule);
    }
  }
  files.push_back(fs::path{kModuleFolder} / kFabricModule);
  return files;
}

Result<std::string> find_module() {
  std::string looked_at;
  for (const std::string& file : candidates()) {
    if (::access(file.c_str(), R_OK) == 0) return file;
    looked_at += (looked_at.empty() ? "" : ", ") + file;
  }
  return Error{Code::unsupported, fmt::format("memory on other hosts needs the module {}, which is in none of {}",
                                              kFabricModule, looked_at)};
}

/// What must be in the environment before libinfinipath and its like are loaded, so that they install no handlers.
void prepare_environment() {
  ::setenv("IPATH_NO_BACKTRACE", "1", 0);
  ::setenv("HFI_NO_BACKTRACE", "1", 0);
}

}  // namespace

Result<std::shared_ptr<Fabric>> load_fabric(const std::string& file) {
  std::string path = file;
  if (path.empty()) {
    PSNAM_TRY(path, find_module());
  }
  prepare_environment();
  const SignalGuard guard;
  // NODELETE: its threads and virtual functions may be in use to the end.
  void* const module = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (module == nullptr) {
    const char* const reason = ::dlerror();
    return Error{Code::unsupported, fmt::format("opening the fabric's module: {}", reason ? reason : path.c_str())};
  }
  const auto open = reinterpret_cast<FabricFactory>(::dlsym(module, kFabricFactory));
  if (open == nullptr) return Error{Code::incompatible, fmt::format("{} has no {}", path, kFabricFactory)};
  Fabric* const fabric = open(kFabricVersion);
  if (fabric == nullptr)
    return Error{Code::incompatible,
                 fmt::format("{} does not speak version {} of the fabric's interface", path, kFabricVersion)};
  return std::shared_ptr<Fabric>{fabric};
}

}  // namespace psnam::backends
