// What client and server tell each other about themselves when a connection begins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "format/catalog.hpp"

namespace psnam::nam::control {

/// What a client says of itself. Nothing of it gives a right: who the peer is, authentication says.
struct ClientFacts {
  format::ProcessIdentity process;
  format::Uuid boot;
  std::string host;             ///< for people
  std::string library_version;  ///< for people

  bool operator==(const ClientFacts&) const = default;
};

/// Those of this process. Fails where /proc is not to be had.
[[nodiscard]] Result<ClientFacts> this_client();

/// What a server says of itself.
struct ServerFacts {
  format::Uuid instance;  ///< random, of this run of the server
  format::Uuid store;
  format::Uuid boot;             ///< of its host
  std::string host;              ///< for people
  std::string store_path;        ///< of the folder, on its host
  std::string unix_socket;       ///< absolute path of its socket, for clients of the same boot; may be empty
  std::string name;              ///< of the NAM
  std::string software_version;  ///< for people

  bool operator==(const ServerFacts&) const = default;
};

/// How a peer was recognised.
enum class AuthMethod : std::uint8_t { kernel, munge, secret, plain };
[[nodiscard]] const char* to_string(AuthMethod method) noexcept;

/// Who is at the other end, as the server knows it.
struct Peer {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> gids;  ///< all groups, `gid` among them
  std::uint32_t pid = 0;            ///< local: in the server's pid namespace, from the kernel; else as the client says
  AuthMethod method = AuthMethod::kernel;
  bool local = false;     ///< over the Unix socket: descriptors can be sent
  bool loopback = false;  ///< over TCP, from a loopback address
  std::string ip;         ///< of the peer, numeric; empty if local
  std::string own_ip;     ///< of this end, numeric; empty if local
  ClientFacts facts;      ///< what it says of itself
  std::string shown;      ///< for the log: "uid 1000, process 4711 of node-a (10.0.0.7:41234, munge)"
};

}  // namespace psnam::nam::control
