// The fabric: one-sided access to the memory of a server, for processes that do not map it.
//
// Whoever includes this needs no libfabric. The implementation is a module, libpsnam-fabric.so, that load_fabric opens
// when the first region is not reachable otherwise: libfabric brings libraries with it that cost time and memory, and
// that replace signal handlers.
//
// The server makes one endpoint for each client, and hands the endpoint's address, the provider's name and a key for
// each part of memory to the client over its control connection. What the client may reach ends with the endpoint:
//
// * A registration that is destroyed refuses every operation that arrives later. A write whose first bytes had arrived
//   before still lands in full, after the destructor has returned, and reports success; so it is with a read that is
//   being answered.
// * An endpoint that is destroyed stops these too: when its destructor has returned, nothing of its client lands or is
//   read any more.
//
// So memory that a client has had a key for is neither unmapped nor given to others until the endpoint of that client
// is gone. (On a network adapter that moves the bytes by itself, closing the registration already waits for them.)
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "backends/remote_memory.hpp"
#include "base/result.hpp"
#include "base/system.hpp"

namespace psnam::backends {

/// When a write is complete at a flush.
enum class FabricCompletion {
  automatic,    ///< as the provider can: read_behind, else delivery
  read_behind,  ///< many plain writes, and one small read behind them that overtakes none
  delivery,     ///< each write is acknowledged by the other side
};

struct FabricOptions {
  /// Name of a libfabric provider. Empty: the first of cxi, efa, verbs, tcp and net that works here; a client is told
  /// its server's.
  std::string provider;
  /// Numeric address of this side of the control connection. Empty: the loopback address with providers over TCP, and
  /// with others whatever the provider takes.
  std::string local_address;
  /// How long nothing may move before the connection counts as dead.
  std::chrono::milliseconds timeout{10'000};
  /// Larger operations are cut into such pieces.
  std::size_t chunk_bytes = std::size_t{1} << 20;
  FabricCompletion completion = FabricCompletion::automatic;
  /// Move all bytes through buffers registered once, as is done where the provider reaches registered memory only.
  bool staged = false;
};

/// A part of the server's memory that the clients of one endpoint may reach. Destroyed before its endpoint is.
class FabricRegistration {
 public:
  virtual ~FabricRegistration() = default;

  /// What a client needs to know. The key is a random number wherever the provider lets us choose it.
  [[nodiscard]] virtual std::uint64_t key() const noexcept = 0;
  /// The remote address of the part's first byte.
  [[nodiscard]] virtual std::uint64_t base() const noexcept = 0;
};

/// The server's end of one client's connection. Thread-safe.
class FabricEndpoint {
 public:
  virtual ~FabricEndpoint() = default;

  /// What a client connects to: bytes to hand over as they are. They give access to no memory of the server's user.
  [[nodiscard]] virtual const std::string& address() const noexcept = 0;
  /// Lets the client reach `memory`, which stays mapped until the endpoint is gone. Code::invalid_argument for no
  /// bytes.
  [[nodiscard]] virtual Result<std::unique_ptr<FabricRegistration>> register_memory(std::span<std::byte> memory,
                                                                                    Protection protection) = 0;
};

/// The server: a thread that serves all endpoints, and takes no processor time while nothing happens. Destroyed after
/// its endpoints. Thread-safe.
class FabricServer {
 public:
  virtual ~FabricServer() = default;

  /// The name that the clients need.
  [[nodiscard]] virtual const std::string& provider() const noexcept = 0;
  /// An endpoint for one client. `local_address`: where its control connection arrived; empty: as the server's options
  /// say.
  [[nodiscard]] virtual Result<std::unique_ptr<FabricEndpoint>> make_endpoint(std::string_view local_address = {}) = 0;
};

/// A connection to one endpoint of a server. After the first error it is dead: all that was under way fails, and the
/// owner makes another one. No call on a dead connection touches a buffer of the caller any more. Thread-safe.
class FabricClient {
 public:
  virtual ~FabricClient() = default;

  /// The part of the server's memory that `key` and `base` stand for. It keeps the connection. A wrong `bytes` or
  /// `protection` is found by the server when it is used: Code::unreachable, nothing is written, the connection is
  /// dead.
  [[nodiscard]] virtual std::shared_ptr<RemoteMemory> open(std::uint64_t key, std::uint64_t base, std::uint64_t bytes,
                                                           Protection protection) = 0;
  /// Completes all that was started on any part of the server's memory.
  [[nodiscard]] virtual Status flush() = 0;
  /// How far this client is in what it has started, for finish().
  [[nodiscard]] virtual std::uint64_t started() = 0;
  /// Completes the reads that were started until then; later ones go on.
  [[nodiscard]] virtual Status finish(std::uint64_t until) = 0;
  [[nodiscard]] virtual bool alive() const noexcept = 0;
  /// Makes the connection dead, with `reason` in the errors; whoever waits in it comes back. For an owner that knows
  /// from elsewhere that the server is gone.
  virtual void abandon(std::string_view reason) = 0;
};

/// The module.
class Fabric {
 public:
  virtual ~Fabric() = default;

  [[nodiscard]] virtual Result<std::unique_ptr<FabricServer>> open_server(const FabricOptions& options) = 0;
  /// Connects to the endpoint with this address, of a server with this provider. Code::unreachable when it does not
  /// answer within the limit or before a stop is requested, Code::incompatible when the address is none,
  /// Code::unsupported when the provider cannot be had.
  [[nodiscard]] virtual Result<std::shared_ptr<FabricClient>> connect(const FabricOptions& options,
                                                                      std::string_view provider,
                                                                      std::string_view address,
                                                                      std::stop_token stop = {}) = 0;
};

/// Opens the module `file`; without a name the one beside the program or library that this code is part of, in the
/// folder psnam there, or where psnam was installed. Signal handlers are as before when it returns. Code::unsupported
/// when there is none, Code::incompatible when it is of another version. Keep the result: each call looks anew.
[[nodiscard]] Result<std::shared_ptr<Fabric>> load_fabric(const std::string& file = {});

/// The only thing the module exports: `Fabric* psnam_fabric_open(const char* version)`, null if it is of another
/// version. To be raised with every change of the classes above.
inline constexpr std::string_view kFabricModule = "libpsnam-fabric.so";
inline constexpr const char* kFabricFactory = "psnam_fabric_open";
inline constexpr const char* kFabricVersion = "3";
using FabricFactory = Fabric* (*)(const char* version);

}  // namespace psnam::backends
