#include "nam/control/munge.hpp"

#include <dlfcn.h>
#include <fmt/format.h>
#include <munge.h>

#include <cstdlib>
#include <memory>

namespace psnam::nam::control {

/// The functions of libmunge that are used. It stays loaded: it is small, and unloading it would gain nothing.
struct Munge::Library {
  decltype(&::munge_encode) encode = nullptr;
  decltype(&::munge_decode) decode = nullptr;
  decltype(&::munge_strerror) strerror = nullptr;
  decltype(&::munge_ctx_create) ctx_create = nullptr;
  decltype(&::munge_ctx_destroy) ctx_destroy = nullptr;
  decltype(&::munge_ctx_set) ctx_set = nullptr;
  decltype(&::munge_ctx_strerror) ctx_strerror = nullptr;
};

/// A context of libmunge with our socket; null when there was no memory, which its functions take as the usual context.
class Munge::Context {
 public:
  Context(const Library& library, const std::string& socket) : library_{library}, context_{library.ctx_create()} {
    usable_ = context_ != nullptr &&
              (socket.empty() || library.ctx_set(context_, MUNGE_OPT_SOCKET, socket.c_str()) == EMUNGE_SUCCESS);
  }
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  ~Context() { library_.ctx_destroy(context_); }

  [[nodiscard]] munge_ctx_t get() const noexcept { return context_; }
  [[nodiscard]] bool usable() const noexcept { return usable_; }
  [[nodiscard]] std::string reason(munge_err_t error) const {
    const char* const detail = library_.ctx_strerror(context_);
    return detail != nullptr ? detail : library_.strerror(error);
  }

 private:
  const Library& library_;
  munge_ctx_t context_;
  bool usable_ = false;
};

namespace {

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

template <class Function>
bool find(void* handle, const char* name, Function& function) noexcept {
  function = reinterpret_cast<Function>(::dlsym(handle, name));
  return function != nullptr;
}

}  // namespace

Result<Munge> Munge::load(std::string socket) {
  constexpr const char* kLibrary = "libmunge.so.2";
  void* const handle = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return Error{Code::unsupported, fmt::format("MUNGE: {}", ::dlerror())};
  auto library = std::make_shared<Library>();
  if (!find(handle, "munge_encode", library->encode) || !find(handle, "munge_decode", library->decode) ||
      !find(handle, "munge_strerror", library->strerror) || !find(handle, "munge_ctx_create", library->ctx_create) ||
      !find(handle, "munge_ctx_destroy", library->ctx_destroy) || !find(handle, "munge_ctx_set", library->ctx_set) ||
      !find(handle, "munge_ctx_strerror", library->ctx_strerror))
    return Error{Code::unsupported, fmt::format("MUNGE: {} lacks a function that is needed", kLibrary)};
  Munge munge{std::move(library), std::move(socket)};
  // The library without its daemon is of no use.
  if (auto probe = munge.encode({}); !probe) return Error{Code::unsupported, probe.error().message};
  return munge;
}

Result<std::string> Munge::encode(std::span<const std::byte> payload) const {
  const Context context{*library_, socket_};
  if (!context.usable()) return Error{Code::unsupported, "MUNGE: no context for a credential"};
  char* text = nullptr;
  const munge_err_t error = library_->encode(&text, context.get(), payload.data(), static_cast<int>(payload.size()));
  const std::unique_ptr<char, Free> owned{text};
  if (error != EMUNGE_SUCCESS)
    return Error{Code::unsupported, fmt::format("MUNGE: no credential: {}", context.reason(error))};
  return std::string{text};
}

Result<MungeIdentity> Munge::decode(const std::string& credential) const {
  const Context context{*library_, socket_};
  if (!context.usable()) return Error{Code::unsupported, "MUNGE: no context for a credential"};
  void* payload = nullptr;
  int bytes = 0;
  uid_t uid = 0;
  gid_t gid = 0;
  const munge_err_t error = library_->decode(credential.c_str(), context.get(), &payload, &bytes, &uid, &gid);
  const std::unique_ptr<void, Free> owned{payload};
  // An expired or replayed credential is decoded, too, and refused all the same.
  if (error != EMUNGE_SUCCESS)
    return Error{Code::access, fmt::format("MUNGE refuses the credential: {}", context.reason(error))};
  MungeIdentity identity{.uid = uid, .gid = gid, .payload = {}};
  const auto* const first = static_cast<const std::byte*>(payload);
  if (bytes > 0) identity.payload.assign(first, first + bytes);
  return identity;
}

}  // namespace psnam::nam::control
