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

Result<nam::Service*> Context::open_store(bool create) {
  const std::lock_guard lock{mutex_};
  if (store_) return store_.get();
  if (!allowed_.load(std::memory_order_acquire))
    return Error{Code::unsupported,
                 "PSNAM windows need MPI_Init or MPI_Init_thread; this program has opened MPI sessions only"};
  if (environment_error_) return *environment_error_;
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

Status Context::check_manager() const { return nam::check_manager(options_); }

Status Context::check_path(std::size_t nodes) const {
  if (options_.path == Path::fabric)
    return Error{Code::unsupported,
                 "PSNAM_PATH = \"fabric\": this version has no fabric; known values here: auto, mapped"};
  if (options_.path == Path::mapped && nodes > 1)
    return Error{
        Code::unreachable,
        fmt::format("PSNAM_PATH = \"mapped\": the ranks are on {} nodes and cannot map each other's memory", nodes)};
  return {};
}

bool Context::counts(format::Manifestation manifestation, bool mapped) const noexcept {
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
      return mapped;
    case ConType::mpi:
      return !mapped;
    case ConType::fabric:
      return false;
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
