// Opening the module and connecting: what is refused with which words, and what a process keeps of its own.
#include <dlfcn.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

#include "contract/backends/fabric_fixture.hpp"
#include "format/fabric_address.hpp"

namespace psnam::test {
namespace {

TEST(FabricModule, MissingIsSaidWithItsName) {
  const auto fabric = load_fabric("/nowhere/libpsnam-fabric.so");
  ASSERT_FALSE(fabric);
  EXPECT_EQ(fabric.error().code, Code::unsupported);
  EXPECT_NE(fabric.error().message.find("/nowhere/libpsnam-fabric.so"), std::string::npos) << fabric.error().message;
}

TEST(FabricModule, OfAnotherVersionIsNotOpened) {
  void* const module = ::dlopen(PSNAM_FABRIC_MODULE, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(module, nullptr) << ::dlerror();
  const auto open = reinterpret_cast<FabricFactory>(::dlsym(module, kFabricFactory));
  ASSERT_NE(open, nullptr);
  EXPECT_EQ(open("0"), nullptr);
}

void handler(int) {}

TEST(FabricModule, LeavesSignalHandlersAlone) {
  const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGINT, SIGTERM, SIGFPE, SIGUSR1};
  struct sigaction mine {};
  mine.sa_handler = handler;
  struct sigaction before[std::size(signals)]{};
  for (std::size_t i = 0; i < std::size(signals); ++i) ::sigaction(signals[i], &mine, &before[i]);
  auto opened = fabric();
  ASSERT_NE(opened, nullptr);
  const auto server = opened->open_server({});
  EXPECT_TRUE(server) << server.error().message;
  for (std::size_t i = 0; i < std::size(signals); ++i) {
    struct sigaction now {};
    ::sigaction(signals[i], &before[i], &now);
    EXPECT_EQ(now.sa_handler, handler) << signals[i];
  }
}

TEST(FabricModule, SocketsOfAClientCloseOnExec) {
  FabricPeer peer{4096};
  const auto opened = fabric();
  const auto before = network_sockets();
  const auto client = connect(*opened, peer, peer.endpoint());
  ASSERT_NE(client, nullptr);
  std::size_t made = 0;
  for (const int fd : network_sockets()) {
    if (before.contains(fd)) continue;
    ++made;
    EXPECT_NE(::fcntl(fd, F_GETFD) & FD_CLOEXEC, 0) << fd;
  }
  EXPECT_GE(made, 1U);
}

TEST(FabricModule, AClosedClientLeavesNoDescriptor) {
  FabricPeer peer{4096};
  const auto opened = fabric();
  const auto endpoint = peer.endpoint();
  const auto count = [] {
    return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, std::filesystem::directory_iterator{});
  };
  ASSERT_NE(connect(*opened, peer, endpoint), nullptr);  // what is opened once for all stays
  const auto before = count();
  for (int i = 0; i < 20; ++i) ASSERT_NE(connect(*opened, peer, endpoint), nullptr);
  EXPECT_EQ(count(), before);
}

TEST(FabricConnect, AnAddressThatIsNoneIsIncompatible) {
  const auto opened = fabric();
  for (const std::string& bad : {std::string{}, std::string{"x"}, std::string(24, 'x'), std::string(400, 'x')}) {
    const auto client = opened->connect({}, "", bad);
    ASSERT_FALSE(client);
    EXPECT_EQ(client.error().code, Code::incompatible) << client.error().message;
  }
}

TEST(FabricConnect, AnUnknownProviderIsSaidWithTheKnownOnes) {
  const auto opened = fabric();
  const auto client = opened->connect({}, "smoke-signals", format::encode(format::FabricAddress{1, 2, "name"}));
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Code::unsupported);
  EXPECT_NE(client.error().message.find("smoke-signals"), std::string::npos) << client.error().message;
  EXPECT_NE(client.error().message.find("verbs"), std::string::npos) << client.error().message;
}

TEST(FabricConnect, ALocalAddressThatThisHostHasNotIsSaid) {
  const auto opened = fabric();
  const auto server = opened->open_server({});
  ASSERT_TRUE(server) << server.error().message;
  const auto endpoint = (*server)->make_endpoint("198.51.100.77");
  ASSERT_FALSE(endpoint);
  EXPECT_NE(endpoint.error().message.find("198.51.100.77"), std::string::npos) << endpoint.error().message;
  const auto nearer = (*server)->make_endpoint("127.0.0.2");
  EXPECT_TRUE(nearer) << nearer.error().message;
}

TEST(FabricServer, RegistersNoEmptyMemory) {
  const auto opened = fabric();
  const auto server = opened->open_server({});
  ASSERT_TRUE(server) << server.error().message;
  const auto endpoint = (*server)->make_endpoint();
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  const auto registration = (*endpoint)->register_memory({}, Protection::read_only);
  ASSERT_FALSE(registration);
  EXPECT_EQ(registration.error().code, Code::invalid_argument);
}

TEST(FabricServer, KeysAreNotInARow) {
  const auto opened = fabric();
  const auto server = opened->open_server({});
  ASSERT_TRUE(server) << server.error().message;
  const auto endpoint = (*server)->make_endpoint();
  ASSERT_TRUE(endpoint) << endpoint.error().message;
  std::byte memory[64];
  std::vector<std::unique_ptr<FabricRegistration>> made;
  std::set<std::uint64_t> high_halves;
  for (int i = 0; i < 64; ++i) {
    auto registration = (*endpoint)->register_memory(memory, Protection::read_only);
    ASSERT_TRUE(registration) << registration.error().message;
    high_halves.insert((*registration)->key() >> 32);
    made.push_back(std::move(*registration));
  }
  EXPECT_GE(high_halves.size(), 60U);
}

TEST(FabricAddressFormat, IsTheBytesOfVersionOne) {
  const format::FabricAddress address{0x1122334455667788, 0x99, "ab"};
  const std::string bytes = format::encode(address);
  const std::string golden{"PNFA\1\0\0\0\x88\x77\x66\x55\x44\x33\x22\x11\x99\0\0\0\0\0\0\0ab", 26};
  EXPECT_EQ(bytes, golden);
  const auto back = format::decode_fabric_address(bytes);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->key, address.key);
  EXPECT_EQ(back->base, address.base);
  EXPECT_EQ(back->name, address.name);
  for (std::size_t bytes_left = 0; bytes_left < 25; ++bytes_left)
    EXPECT_FALSE(format::decode_fabric_address(std::string_view{bytes}.substr(0, bytes_left))) << bytes_left;
}

}  // namespace
}  // namespace psnam::test
