// A fabric server in another process, whose memory the test sees by a mapping of the same file.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "backends/fabric.hpp"

namespace psnam::test {

using namespace psnam::backends;

/// This process's, of the network: a provider's pairs of sockets, by which its threads wake each other, reach
/// nobody else.
inline std::set<int> network_sockets() {
  std::set<int> found;
  for (const auto& entry : std::filesystem::directory_iterator{"/proc/self/fd"}) {
    const int fd = std::atoi(entry.path().filename().c_str());
    int family = 0;
    socklen_t bytes = sizeof family;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &bytes) == 0 && family != AF_UNIX) found.insert(fd);
  }
  return found;
}

/// A fabric_peer, killed when it goes.
class FabricPeer {
 public:
  struct Endpoint {
    int number = 0;
    std::string address;
  };
  struct Registration {
    int number = 0;
    std::uint64_t key = 0;
    std::uint64_t base = 0;
  };

  explicit FabricPeer(std::size_t bytes, const std::string& provider = {}) : bytes_{bytes} {
    const Fd file{::memfd_create("fabric_test", 0)};  // inherited
    if (::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) return;
    auto mapped = Mapping::map(file.get(), bytes, Protection::read_write, "memory of the test");
    if (mapped) memory_ = std::move(*mapped);
    start("/proc/self/fd/" + std::to_string(file.get()), provider);
    EXPECT_EQ(line(), "ready");
    provider_ = ask("provider");
  }
  FabricPeer(const FabricPeer&) = delete;
  FabricPeer& operator=(const FabricPeer&) = delete;
  ~FabricPeer() {
    kill();
    ::close(commands_);
    ::close(answers_);
  }

  [[nodiscard]] std::byte* memory() const { return memory_.data(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] const std::string& provider() const { return provider_; }

  Endpoint endpoint() {
    std::istringstream words{ask("endpoint")};
    Endpoint made;
    std::string digits;
    words >> made.number >> digits;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
      made.address += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
    return made;
  }
  Registration share(const Endpoint& with, std::size_t offset, std::size_t bytes, bool writable = true) {
    std::ostringstream command;
    command << "register " << with.number << ' ' << offset << ' ' << bytes << (writable ? " rw" : " ro");
    std::istringstream words{ask(command.str())};
    Registration made;
    words >> made.number >> made.key >> made.base;
    EXPECT_TRUE(words) << command.str();
    return made;
  }
  std::string ask(const std::string& command) {
    const std::string text = command + '\n';
    EXPECT_EQ(::write(commands_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return line();
  }

  void stop() const {
    ::kill(pid_, SIGSTOP);
    int status = 0;
    ::waitpid(pid_, &status, WUNTRACED);
  }
  void go_on() const { ::kill(pid_, SIGCONT); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  void start(const std::string& file, const std::string& provider) {
    int in[2];
    int out[2];
    if (::pipe(in) != 0 || ::pipe(out) != 0) std::abort();
    const std::string size = std::to_string(bytes_);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::close(in[1]);
      ::close(out[0]);
      ::execl(PSNAM_FABRIC_PEER, PSNAM_FABRIC_PEER, PSNAM_FABRIC_MODULE, file.c_str(), size.c_str(), provider.c_str(),
              nullptr);
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    commands_ = in[1];
    answers_ = out[0];
    // Not for the next peer, which would keep this one's input open.
    ::fcntl(commands_, F_SETFD, FD_CLOEXEC);
    ::fcntl(answers_, F_SETFD, FD_CLOEXEC);
  }
  std::string line() const {
    constexpr int kLimit_ms = 60'000;
    std::string text;
    for (char byte = 0;;) {
      pollfd ready{answers_, POLLIN, 0};
      if (::poll(&ready, 1, kLimit_ms) != 1 || ::read(answers_, &byte, 1) != 1) return text + "(no answer)";
      if (byte == '\n') return text;
      text += byte;
    }
  }

  std::size_t bytes_;
  Mapping memory_;
  pid_t pid_ = -1;
  int commands_ = -1;
  int answers_ = -1;
  std::string provider_;
};

/// The module of this build.
inline std::shared_ptr<Fabric> fabric() {
  auto opened = load_fabric(PSNAM_FABRIC_MODULE);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? *opened : nullptr;
}

/// A client of `endpoint`; null, with a failure, if there is none.
inline std::shared_ptr<FabricClient> connect(Fabric& fabric, const FabricPeer& peer,
                                             const FabricPeer::Endpoint& endpoint, const FabricOptions& options = {}) {
  auto client = fabric.connect(options, peer.provider(), endpoint.address);
  EXPECT_TRUE(client) << client.error().message;
  return client ? *client : nullptr;
}

/// One piece, as the span that RemoteMemory takes.
class One {
 public:
  One(std::uint64_t offset_bytes, std::byte* local, std::size_t bytes) : piece_{offset_bytes, local, bytes} {}
  operator std::span<const Piece>() const { return {&piece_, 1}; }

 private:
  Piece piece_;
};

}  // namespace psnam::test
