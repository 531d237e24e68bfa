// A server of the NAM in this process, with a store of its own, and clients of it.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "nam/client.hpp"
#include "nam/host.hpp"
#include "support/store_fixture.hpp"
#include "support/temporary_folder.hpp"

namespace psnam::test {

/// A server that runs until it is stopped. It may be started again on the same store.
class TestHost {
 public:
  ~TestHost() { stop(); }
  [[nodiscard]] nam::HostOptions options() const {
    nam::HostOptions options;
    options.store.folder = folder_.path() / "store";
    options.store.capacity_bytes = kCapacity;
    options.listen.push_back(socket());
    options.listen.push_back({.path = {}, .host = "127.0.0.1", .port = port_});
    options.fabric_module = PSNAM_FABRIC_MODULE;
    options.name = "test";
    return options;
  }
  void start() {
    auto host = nam::NamHost::start(options());
    ASSERT_TRUE(host) << host.error().message;
    host_ = std::move(*host);
    for (const auto& address : host_->listening())
      if (!address.local()) port_ = address.port;
    thread_ = std::thread{[this] {
      const Status ran = host_->run();
      EXPECT_TRUE(ran) << ran.error().message;
    }};
  }
  void stop() {
    if (!host_) return;
    host_->stop();
    thread_.join();
    host_.reset();
  }
  [[nodiscard]] nam::NamHost& host() { return *host_; }
  [[nodiscard]] std::filesystem::path store_folder() const { return folder_.path() / "store"; }
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }
  [[nodiscard]] nam::control::Address socket() const {
    nam::control::Address address;
    address.path = (folder_.path() / "socket").string();
    return address;
  }
  [[nodiscard]] nam::control::Address tcp() const { return {.path = {}, .host = "127.0.0.1", .port = port_}; }

  [[nodiscard]] nam::ClientOptions client_options(Path path, bool over_tcp = false) const {
    nam::ClientOptions options{.address = over_tcp ? tcp() : socket()};
    options.path = path;
    options.timeout = std::chrono::seconds{10};
    options.fabric_module = PSNAM_FABRIC_MODULE;
    return options;
  }
  [[nodiscard]] std::unique_ptr<nam::Client> client(Path path = Path::automatic, bool over_tcp = false) const {
    auto client = nam::Client::connect(client_options(path, over_tcp));
    if (!client) {
      ADD_FAILURE() << client.error().message;
      return nullptr;
    }
    return std::move(*client);
  }

 private:
  TemporaryFolder folder_;
  std::uint16_t port_ = 0;
  std::unique_ptr<nam::NamHost> host_;
  std::thread thread_;
};

inline std::vector<format::ProcessIdentity> users_of(nam::Service& service) {
  auto user = service.user(0);
  if (user) return {*user};
  ADD_FAILURE() << user.error().message;
  return {};
}

/// Writes and reads memory by whatever way it is reached; complete on return.
inline Status write_to(nam::Memory& memory, std::uint64_t offset, std::string text) {
  if (!memory.remote) {
    std::memcpy(memory.mapping.data() + offset, text.data(), text.size());
    return {};
  }
  const backends::Piece piece{offset, reinterpret_cast<std::byte*>(text.data()), text.size()};
  Status started = memory.remote->write({&piece, 1});
  Status flushed = memory.remote->flush();
  return started ? std::move(flushed) : std::move(started);
}
inline Result<std::string> read_from(nam::Memory& memory, std::uint64_t offset, std::size_t bytes) {
  std::string text(bytes, '\0');
  if (!memory.remote) {
    std::memcpy(text.data(), memory.mapping.data() + offset, bytes);
    return text;
  }
  const backends::Piece piece{offset, reinterpret_cast<std::byte*>(text.data()), bytes};
  Status started = memory.remote->read({&piece, 1});
  PSNAM_CHECK(memory.remote->flush());
  PSNAM_CHECK(std::move(started));
  return text;
}

/// A window with its memory.
inline nam::WindowUse make_window(nam::Service& service, const std::string& name,
                                  const std::vector<std::uint64_t>& sizes,
                                  const std::vector<format::ProcessIdentity>& users) {
  auto use = service.create(draft_of(name, sizes), {}, users);
  if (!use) {
    ADD_FAILURE() << use.error().message;
    return {};
  }
  for (const auto& region : use->window.regions) {
    auto memory = service.create_memory(region.allocation_id, region.size_bytes, format::Reserve::full);
    if (!memory) ADD_FAILURE() << memory.error().message;
  }
  return std::move(*use);
}

inline void make_persistent(nam::Service& service, std::uint64_t window_id) {
  const auto kept = service.set_consistency(window_id, format::Consistency::persistent, false);
  EXPECT_TRUE(kept) << (kept ? "" : kept.error().message);
}

class PatientWaiter final : public nam::Waiter {
 public:
  void poll() noexcept override { ++polls; }
  std::atomic<unsigned> polls{0};
};

}  // namespace psnam::test
