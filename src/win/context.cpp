#include "win/context.hpp"

#include <fmt/format.h>

#include "base/log.hpp"
#include "nam/embedded.hpp"

namespace psnam::win {

Result<nam::Service*> Context::store() { return open_store(true); }

Result<nam::Service*> Context::existing_store() {
  auto store = open_store(false);
  if (!store && store.error().code == Code::name_not_found) return static_cast<nam::Service*>(nullptr);
  return store;
}

Result<nam::Service*> Context::manager() {
  if (options_.manager.empty()) return static_cast<nam::Service*>(nullptr);
  const std::lock_guard lock{mutex_};
  if (manager_) return manager_.get();
  PSNAM_CHECK(check_usable());
  PSNAM_TRY(manager_, nam::open_service(options_, true));
  return manager_.get();
}

Result<std::vector<nam::Service*>> Context::existing_services() {
  std::vector<nam::Service*> services;
  PSNAM_TRY(nam::Service* const manager, this->manager());
  if (manager != nullptr) services.push_back(manager);
  PSNAM_TRY(nam::Service* const store, existing_store());
  if (store != nullptr) services.push_back(store);
  return services;
}

Status Context::check_usable() const {
  if (!allowed_.load(std::memory_order_acquire))
    return Error{Code::unsupported,
                 "PSNAM windows need MPI_Init or MPI_Init_thread; this program has opened MPI sessions only"};
  if (environment_error_) return *environment_error_;
  return {};
}

Result<nam::Service*> Context::open_store(bool create) {
  const std::lock_guard lock{mutex_};
  if (store_) return store_.get();
  PSNAM_CHECK(check_usable());
  PSNAM_TRY(store_, nam::open_embedded(options_, create));
  return store_.get();
}

void Context::fail_with(Error error) {
  const std::lock_guard lock{mutex_};
  environment_error_ = std::move(error);
}

Status Context::load_defaults() {
  auto pairs = parse_defaults(options_.defaults);
  defaults_are_broken_ = !pairs;
  if (!pairs) return pairs.take_error();
  default_pairs_ = std::move(*pairs);
  return {};
}

Status Context::check_path(std::size_t nodes) const {
  if (options_.path == Path::fabric && options_.manager.empty())
    return Error{Code::unsupported,
                 "PSNAM_PATH = \"fabric\": the fabric leads to a manager, and PSNAM_MANAGER names none"};
  if (options_.path == Path::mapped && nodes > 1)
    return Error{
        Code::unreachable,
        fmt::format("PSNAM_PATH = \"mapped\": the ranks are on {} nodes and cannot map each other's memory", nodes)};
  return {};
}

bool Context::counts(format::Manifestation manifestation, Carrier carrier) const noexcept {
  switch (options_.histogram.contype) {
    case ConType::all:
      return true;
    case ConType::libnam:
      return manifestation == format::Manifestation::libnam;
    case ConType::pershm:
      return manifestation == format::Manifestation::persistent_shm;
    case ConType::segment:
      return manifestation == format::Manifestation::segment;
    case ConType::mapped:
      return carrier == Carrier::mapped;
    case ConType::mpi:
      return carrier == Carrier::mpi;
    case ConType::fabric:
      return carrier == Carrier::fabric;
  }
  return false;
}

void Context::warn_unknown_keys(const std::vector<KeyValue>& pairs) {
  for (const std::string& key : unknown_keys(pairs)) {
    {
      const std::lock_guard lock{mutex_};
      if (!warned_keys_.insert(key).second) continue;
    }
    log::warn("info key \"{}\" is unknown and ignored", key);
  }
}

}  // namespace psnam::win
