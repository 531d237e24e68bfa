#include "mpi/next.hpp"

#include <dlfcn.h>
#include <link.h>

#include <cstdlib>
#include <string>

#include "base/log.hpp"

namespace psnam::mpi {
namespace {

/// Where symbols are looked up: behind this library, or, if the program opened its MPI library privately (a Python
/// extension does), in that one.
class Scope {
 public:
  Scope() {
    if (::dlsym(RTLD_NEXT, "PMPI_Init") != nullptr) return;
    ::dl_iterate_phdr(find_mpi, this);
  }

  [[nodiscard]] void* find(const std::string& name) const {
    return ::dlsym(handle_ != nullptr ? handle_ : RTLD_NEXT, name.c_str());
  }

 private:
  static int find_mpi(dl_phdr_info* info, std::size_t, void* self) {
    if (info->dlpi_name == nullptr || info->dlpi_name[0] == '\0') return 0;
    Dl_info own{};
    ::dladdr(reinterpret_cast<void*>(&find_mpi), &own);
    if (reinterpret_cast<ElfW(Addr)>(own.dli_fbase) == info->dlpi_addr) return 0;
    void* const handle = ::dlopen(info->dlpi_name, RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) return 0;
    Dl_info found{};
    void* const init = ::dlsym(handle, "PMPI_Init");
    // A library that merely depends on the MPI library finds the symbol too: it counts only where it is defined.
    if (init == nullptr || ::dladdr(init, &found) == 0 ||
        reinterpret_cast<ElfW(Addr)>(found.dli_fbase) != info->dlpi_addr) {
      ::dlclose(handle);
      return 0;
    }
    static_cast<Scope*>(self)->handle_ = handle;
    return 1;
  }

  void* handle_ = nullptr;
};

const void* object_of(void* symbol) {
  Dl_info info{};
  return symbol != nullptr && ::dladdr(symbol, &info) != 0 ? info.dli_fbase : nullptr;
}

}  // namespace

bool resolve(Real& real, Next& next_mpi, Next& next_pmpi) {
  const Scope scope;
  bool tool_below = false;
#define PSNAM_FIND_REAL(name) real.name = reinterpret_cast<decltype(real.name)>(scope.find("PMPI_" #name));
  PSNAM_REAL_FUNCTIONS(PSNAM_FIND_REAL)
#undef PSNAM_FIND_REAL
#define PSNAM_FIND_NEXT(name)                                                                    \
  {                                                                                              \
    void* const mpi = scope.find("MPI_" #name);                                                  \
    void* const pmpi = scope.find("PMPI_" #name);                                                \
    const bool wrapped = mpi != nullptr && pmpi != nullptr && object_of(mpi) != object_of(pmpi); \
    next_mpi.name = reinterpret_cast<decltype(next_mpi.name)>(wrapped ? mpi : pmpi);             \
    next_pmpi.name = reinterpret_cast<decltype(next_pmpi.name)>(pmpi);                           \
    tool_below = tool_below || wrapped;                                                          \
  }
  PSNAM_WRAPPED_FUNCTIONS(PSNAM_FIND_NEXT)
#undef PSNAM_FIND_NEXT
  next_pmpi.fortran_win_get_attr = reinterpret_cast<FortranWinGetAttr>(scope.find("MPII_Win_get_attr"));
  if (next_pmpi.Init == nullptr) {
    log::error(
        "an MPI function was called, but no MPI library is loaded behind libpsnam.so (when linking, name psnam before "
        "the MPI library)");
    std::abort();
  }
  return tool_below;
}

}  // namespace psnam::mpi
