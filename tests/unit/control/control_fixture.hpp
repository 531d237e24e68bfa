// A server in this process, whose sessions do what the first byte of a request says:
//
//   e: the rest comes back; q: the same, quick; d: the answer is kept until release(); l: the next byte says how many
//   MiB come back; f: a descriptor of a file with the rest in it comes back; r: what the descriptors of the request
//   hold comes back; w: waits until release() in handle(); x: throws; u: leaves the request unanswered
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "nam/control/channel.hpp"
#include "nam/control/server.hpp"

namespace psnam::nam::control::test {

using std::chrono::milliseconds;
using namespace std::chrono_literals;

inline constexpr milliseconds kPatience = 20s;  // for what must come

inline Message message(std::string_view text) {
  const auto bytes = std::as_bytes(std::span{text});
  return {.body = {bytes.begin(), bytes.end()}, .descriptors = {}};
}
inline std::string text_of(const Message& message) {
  return {reinterpret_cast<const char*>(message.body.data()), message.body.size()};
}
inline Fd file_with(std::string_view text) {
  Fd fd{::memfd_create("psnam-test", MFD_CLOEXEC)};
  EXPECT_EQ(::pwrite(fd.get(), text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  return fd;
}
inline std::string text_in(const Fd& fd) {
  std::string text(100, '\0');
  const ssize_t bytes = ::pread(fd.get(), text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(bytes, 0)));
  return text;
}

/// What the sessions have seen.
class Board {
 public:
  void note(const std::function<void()>& change) {
    const std::lock_guard lock{mutex_};
    change();
    changed_.notify_all();
  }
  template <class Condition>
  [[nodiscard]] bool await(Condition condition) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, kPatience, condition);
  }
  /// One of the lists, as it is now.
  template <class List>
  [[nodiscard]] List copy_of(const List& list) {
    const std::lock_guard lock{mutex_};
    return list;
  }
  void release() {
    std::vector<Reply> replies;
    note([&] {
      released = true;
      replies.swap(kept);
    });
    for (Reply& reply : replies) reply.send(message("released"));
  }

  std::vector<Peer> peers = {};
  std::vector<Reply> kept = {};
  std::vector<bool> closed = {};  // with goodbye or not
  std::vector<std::string> handled = {};
  std::size_t in_handle = 0;
  bool released = false;
  std::optional<Error> refuse = {};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
};

class TestSession : public SessionHandler {
 public:
  explicit TestSession(Board& board) noexcept : board_{board} {}

  bool is_quick(std::span<const std::byte> body) override { return !body.empty() && body.front() == std::byte{'q'}; }
  void handle(Message request, Reply reply) override {
    const std::string text = text_of(request);
    const std::string rest = text.empty() ? "" : text.substr(1);
    board_.note([&] { board_.handled.push_back(text.substr(0, 40)); });
    switch (text.empty() ? 'e' : text.front()) {
      case 'e':
      case 'q':
        return reply.send(message(rest));
      case 'd':
        return board_.note([&] { board_.kept.push_back(std::move(reply)); });
      case 'l':
        return reply.send(
            {.body = std::vector<std::byte>(static_cast<std::size_t>(rest.at(0)) << 20), .descriptors = {}});
      case 'f': {
        Message answer = message("file");
        answer.descriptors.push_back(file_with(rest));
        return reply.send(std::move(answer));
      }
      case 'r': {
        std::string all;
        for (const Fd& fd : request.descriptors) all += text_in(fd);
        return reply.send(message(all));
      }
      case 'w':
        board_.note([&] { ++board_.in_handle; });
        if (!board_.await([&] { return board_.released; })) return;
        return reply.send(message("waited"));
      case 'x':
        throw std::runtime_error{"a bug"};
      default:
        return;
    }
  }
  void closed(bool goodbye) override {
    board_.note([&] { board_.closed.push_back(goodbye); });
  }

 private:
  Board& board_;
};

class TestAcceptor : public Acceptor {
 public:
  explicit TestAcceptor(Board& board) noexcept : board_{board} {}
  Result<std::unique_ptr<SessionHandler>> opened(const Peer& peer, std::uint64_t session) override {
    EXPECT_NE(session, 0U);
    std::optional<Error> refuse;
    board_.note([&] {
      board_.peers.push_back(peer);
      refuse = board_.refuse;
    });
    if (refuse) return std::move(*refuse);
    return std::unique_ptr<SessionHandler>{std::make_unique<TestSession>(board_)};
  }

 private:
  Board& board_;
};

/// A folder of the test's own, open to all users.
class Folder {
 public:
  Folder() {
    std::string name = "/dev/shm/psnam-test-XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
    std::filesystem::permissions(path_, std::filesystem::perms{0755});
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { std::filesystem::remove_all(path_); }
  [[nodiscard]] std::string at(std::string_view name) const { return path_ + "/" + std::string{name}; }

 private:
  std::string path_;
};

inline ServerFacts some_facts() {
  ServerFacts facts;
  facts.instance = format::random_uuid();
  facts.store = format::random_uuid();
  facts.boot = format::random_uuid();
  facts.host = "node-a";
  facts.store_path = "/dev/shm/nam";
  facts.name = "test";
  facts.software_version = "1.2.3";
  return facts;
}

inline ClientFacts facts_of_this_process() {
  auto facts = this_client();
  EXPECT_TRUE(facts.ok());
  return facts ? *facts : ClientFacts{};
}

/// Without MUNGE, so that the tests do not depend on what else runs on the machine.
inline ServerOptions plain_options() {
  ServerOptions options;
  options.auth.munge = false;
  options.facts = some_facts();
  return options;
}
inline Credentials no_credentials() { return {.munge = false, .munge_socket = {}, .secret_file = {}}; }

/// Listens at a Unix socket and at a loopback port.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = plain_options(), std::string tcp = "127.0.0.1:0") {
    auto made = Server::create(std::move(options), acceptor);
    EXPECT_TRUE(made.ok()) << (made ? "" : made.error().message);
    if (!made) return;
    server = std::move(*made);
    for (const std::string& where : {folder.at("socket"), tcp}) {
      const auto address = Address::parse(where);
      EXPECT_TRUE(address.ok());
      const Status listening = server->listen(*address);
      EXPECT_TRUE(listening.ok()) << (listening ? "" : listening.error().message);
    }
    thread_ = std::thread{[this] { EXPECT_TRUE(server->run().ok()); }};
  }
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  ~TestServer() { stop(); }
  void stop() {
    board.release();
    if (server) server->stop();
    if (thread_.joinable()) thread_.join();
  }

  [[nodiscard]] Address local() const { return server->listening().front(); }
  [[nodiscard]] Address tcp() const { return server->listening().back(); }
  [[nodiscard]] Result<std::unique_ptr<Channel>> try_connect(const Address& address,
                                                             const Credentials& credentials = no_credentials(),
                                                             milliseconds timeout = kPatience) const {
    return Channel::connect(address, credentials, facts_of_this_process(), timeout);
  }
  [[nodiscard]] std::unique_ptr<Channel> connect(const Address& address,
                                                 const Credentials& credentials = no_credentials()) const {
    auto channel = try_connect(address, credentials);
    EXPECT_TRUE(channel.ok()) << (channel ? "" : channel.error().message);
    return channel ? std::move(*channel) : nullptr;
  }

  Folder folder;
  Board board;
  TestAcceptor acceptor{board};
  std::unique_ptr<Server> server;

 private:
  std::thread thread_;
};

/// The answer's text, or "error: ..." .
inline std::string ask(Channel& channel, std::string_view request, milliseconds timeout = kPatience) {
  const auto reply = channel.call(message(request), timeout);
  return reply ? text_of(*reply) : "error: " + reply.error().message;
}

}  // namespace psnam::nam::control::test
