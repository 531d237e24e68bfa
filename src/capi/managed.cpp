// psnam_checkpoint.h: managed checkpoints. What is collective goes by the table of functions that the header made.
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/log.hpp"
#include "base/options.hpp"
#include "capi/failure.hpp"
#include "capi/managed.hpp"
#include "capi/process.hpp"
#include "nam/embedded.hpp"
#include "psnam_checkpoint_team.h"

namespace psnam::capi {
namespace {

using checkpoint::Team;

/// The memory of this node: its store, or the manager's where that has the node's store for itself.
Result<ServicePointer> store_of_node(const ServicePointer& home) {
  PSNAM_TRY(const Options options, parse_options(environment_variable));
  if (options.manager.empty()) return home;
  auto store = nam::open_embedded(options, true);
  if (store || !home->maps()) return store;
  log::info("copies are kept at the manager: {}", store.error().message);
  return home;
}

/// Of whatever version of the header the program was compiled with: later ones have more at the end.
Result<psnam_checkpoint_options_t> complete(const psnam_checkpoint_options_t* given) {
  constexpr std::size_t kLeast = offsetof(psnam_checkpoint_options_t, policy);
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  if (given == nullptr)
    return Error{Code::invalid_argument, "psnam_checkpoint_open: the options are NULL; a name is needed"};
  if (given->bytes != kLeast && given->bytes != sizeof options)
    return Error{Code::incompatible, fmt::format("psnam_checkpoint_open: options of {} bytes; this library knows {}",
                                                 given->bytes, sizeof options)};
  std::memcpy(&options, given, given->bytes);
  if (options.policy == 0) options.policy = PSNAM_CHECKPOINT_BY_PARITY;
  if (options.versions == 0) options.versions = PSNAM_CHECKPOINT_VERSIONS;
  return options;
}

Result<checkpoint::ManagedOptions> read(const psnam_checkpoint_options_t* given) {
  constexpr unsigned kPolicies = PSNAM_CHECKPOINT_BY_PARITY | PSNAM_CHECKPOINT_BY_PARTNER;
  PSNAM_TRY(const psnam_checkpoint_options_t options, complete(given));
  if (options.name == nullptr) return Error{Code::invalid_argument, "psnam_checkpoint_open: the name is NULL"};
  if ((options.flags & ~PSNAM_CHECKPOINT_OR_OLDER) != 0 || (options.policy & ~kPolicies) != 0)
    return Error{Code::invalid_argument, fmt::format("psnam_checkpoint_open: unknown flags {:#x} or policy {:#x}",
                                                     options.flags, options.policy)};
  const bool has_parity = (options.policy & PSNAM_CHECKPOINT_BY_PARITY) != 0;
  if ((has_parity && options.parities < 1) || options.set_size < 0)
    return Error{Code::invalid_argument,
                 fmt::format("psnam_checkpoint_open: {} parities in sets of {}", options.parities, options.set_size)};
  PSNAM_TRY(const Options environment, parse_options(environment_variable));
  return checkpoint::ManagedOptions{.name = options.name,
                                    .parities = has_parity ? static_cast<std::uint32_t>(options.parities) : 0,
                                    .partners = (options.policy & PSNAM_CHECKPOINT_BY_PARTNER) != 0,
                                    .set_size = static_cast<std::uint32_t>(options.set_size),
                                    .kept = options.versions,
                                    .or_older = (options.flags & PSNAM_CHECKPOINT_OR_OLDER) != 0,
                                    .folder = options.to_file == nullptr ? "" : options.to_file,
                                    .reports = environment.progress,
                                    .timeout = {}};
}

Result<psnam_checkpoint_t*> open(const Team& team, const psnam_checkpoint_options_t* given) {
  checkpoint::ManagedOptions options;
  ServicePointer nam, store;
  const Status reached = checkpoint::locally([&]() -> Status {
    PSNAM_TRY(options, read(given));
    PSNAM_TRY(nam, process().store());
    PSNAM_TRY(store, store_of_node(nam));
    options.timeout = process().timeout();
    return {};
  });
  PSNAM_CHECK(team.agree(reached));
  PSNAM_TRY(auto managed, checkpoint::Managed::open(team, nam, store, options));
  psnam_checkpoint_t handle{};
  handle.ranks = team.size();
  handle.rank = team.rank();
  return process().managed().add(handle, std::make_shared<ManagedCheckpoint>(std::move(managed)));
}

}  // namespace

Result<std::shared_ptr<ManagedCheckpoint>> find(const char* function, const psnam_checkpoint_t* handle) {
  auto found = handle != nullptr ? process().managed().find(handle) : nullptr;
  if (found) return found;
  return Error{Code::invalid_argument,
               fmt::format("{}: {} is no handle of checkpoints of this process", function,
                           handle == nullptr ? "NULL" : fmt::format("{}", static_cast<const void*>(handle)))};
}

namespace {

int source_of(checkpoint::Origin origin) {
  switch (origin) {
    case checkpoint::Origin::own:
      return PSNAM_CHECKPOINT_OWN;
    case checkpoint::Origin::repaired:
      return PSNAM_CHECKPOINT_REPAIRED;
    case checkpoint::Origin::rebuilt:
      return PSNAM_CHECKPOINT_REBUILT;
    case checkpoint::Origin::file:
      return PSNAM_CHECKPOINT_FILE;
    case checkpoint::Origin::partner:
      return PSNAM_CHECKPOINT_PARTNER;
    case checkpoint::Origin::parts:
      return PSNAM_CHECKPOINT_PARTS;
    case checkpoint::Origin::nothing:
      break;
  }
  return PSNAM_CHECKPOINT_NOTHING;
}

Status restart(psnam_checkpoint_t* handle, std::uint64_t* version, int* source) {
  PSNAM_TRY(const auto one, find("psnam_checkpoint_restart", handle));
  PSNAM_TRY(one->restored, one->managed->restart(version == nullptr ? 0 : *version));
  if (version != nullptr) *version = one->restored.version;
  if (source != nullptr) *source = source_of(one->restored.origin);
  return {};
}

Status query(psnam_checkpoint_t* handle, psnam_checkpoint_info_t* info) {
  PSNAM_TRY(const auto one, find("psnam_checkpoint_query", handle));
  PSNAM_TRY(const auto found, one->managed->query());
  constexpr std::size_t kLeast = offsetof(psnam_checkpoint_info_t, bytes_to_flush);
  if (info == nullptr || (info->bytes != sizeof *info && info->bytes != kLeast))
    return Error{
        Code::invalid_argument,
        fmt::format("psnam_checkpoint_query: info {}",
                    info == nullptr ? "is NULL"
                                    : fmt::format("says {} bytes, this library knows {}", info->bytes, sizeof *info))};
  const auto number = [&](std::size_t place) {
    return place < found.complete.size() ? found.complete[place] : std::uint64_t{0};
  };
  const psnam_checkpoint_info_t all{.bytes = info->bytes,
                                    .sets = static_cast<std::int32_t>(found.sets),
                                    .set = static_cast<std::int32_t>(found.set),
                                    .members = static_cast<std::int32_t>(found.members),
                                    .member = static_cast<std::int32_t>(found.member),
                                    .parities = static_cast<std::int32_t>(found.parities),
                                    .lost = static_cast<std::int32_t>(found.lost.size()),
                                    .source = source_of(one->restored.origin),
                                    .restored = one->restored.version,
                                    .newest = number(0),
                                    .older = number(1),
                                    .payload_bytes = found.payload_bytes,
                                    .parity_bytes = found.parity_bytes,
                                    .bytes_to_flush = found.bytes_to_flush,
                                    .bytes_flushed = found.bytes_flushed};
  std::memcpy(info, &all, info->bytes);
  return {};
}

/// The handle ends; what is behind it too, as the communicator's other processes do the same.
void let_go(psnam_checkpoint_t* handle, const Team& team) {
  process().managed().remove(handle, {});
  team.release();
}

Status close(psnam_checkpoint_t* handle, bool removes) {
  PSNAM_TRY(const auto one, find(removes ? "psnam_checkpoint_remove" : "psnam_checkpoint_close", handle));
  PSNAM_CHECK(removes ? one->managed->end() : one->managed->close());
  let_go(handle, one->managed->team());
  return {};
}

}  // namespace
}  // namespace psnam::capi

using psnam::Result;
using psnam::Status;
using psnam::capi::boundary;
using psnam::capi::find;

extern "C" {

psnam_checkpoint_t* psnam_checkpoint_private_open(const nam_private_team_t* team,
                                                  const psnam_checkpoint_options_t* options) {
  return boundary(static_cast<psnam_checkpoint_t*>(nullptr), [&]() -> Result<psnam_checkpoint_t*> {
    PSNAM_CHECK(psnam::checkpoint::Team::check(team));
    auto opened = psnam::capi::open(psnam::checkpoint::Team{*team}, options);
    if (!opened) team->release(team->communicator);
    return opened;
  });
}

int psnam_checkpoint_save(psnam_checkpoint_t* checkpoint, uint64_t version) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_save", checkpoint));
    return one->managed->save(version).status();
  });
}

int psnam_checkpoint_start(psnam_checkpoint_t* checkpoint, uint64_t version) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_start", checkpoint));
    return one->managed->start(version);
  });
}

int psnam_checkpoint_test(psnam_checkpoint_t* checkpoint) {
  return boundary(-1, [&]() -> Result<int> {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_test", checkpoint));
    return one->managed->complete() ? 1 : 0;
  });
}

int psnam_checkpoint_wait(psnam_checkpoint_t* checkpoint, uint64_t* version) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_wait", checkpoint));
    PSNAM_TRY(const std::uint64_t saved, one->managed->wait());
    if (version != nullptr) *version = saved;
    return {};
  });
}

int psnam_checkpoint_restart(psnam_checkpoint_t* checkpoint, uint64_t* version, int* source) {
  return boundary(-1, [&] { return psnam::capi::restart(checkpoint, version, source); });
}

int psnam_checkpoint_query(psnam_checkpoint_t* checkpoint, psnam_checkpoint_info_t* info) {
  return boundary(-1, [&] { return psnam::capi::query(checkpoint, info); });
}

int psnam_checkpoint_versions(psnam_checkpoint_t* checkpoint, uint64_t* versions, int room) {
  return boundary(-1, [&]() -> Result<int> {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_versions", checkpoint));
    PSNAM_TRY(const auto found, one->managed->query());
    if (room < 0 || (room > 0 && versions == nullptr))
      return psnam::Error{psnam::Code::invalid_argument,
                          fmt::format("psnam_checkpoint_versions: room for {} versions at {}", room,
                                      static_cast<const void*>(versions))};
    const auto count = std::min(found.complete.size(), static_cast<std::size_t>(room));
    std::copy_n(found.complete.begin(), count, versions);
    return static_cast<int>(found.complete.size());
  });
}

int psnam_checkpoint_flush(psnam_checkpoint_t* checkpoint) {
  return boundary(-1, [&]() -> Status {
    PSNAM_TRY(const auto one, find("psnam_checkpoint_flush", checkpoint));
    return one->managed->flush();
  });
}

int psnam_checkpoint_close(psnam_checkpoint_t* checkpoint) {
  return boundary(-1, [&] { return psnam::capi::close(checkpoint, false); });
}

int psnam_checkpoint_remove(psnam_checkpoint_t* checkpoint) {
  return boundary(-1, [&] { return psnam::capi::close(checkpoint, true); });
}

}  // extern "C"
