// A server of the fabric for tests, in a process of its own: it registers parts of a file that the test maps too.
//
//   fabric_peer MODULE FILE BYTES [PROVIDER]
//
// Each line of standard input is answered by one line:
//
//   provider                            NAME
//   endpoint                            NUMBER ADDRESS          the address in hexadecimal digits
//   register ENDPOINT OFFSET BYTES rw   NUMBER KEY BASE         rw or ro
//   deregister NUMBER                   done
//   churn ENDPOINT TIMES                done                    registers 64 parts and deregisters them, so often
//   close ENDPOINT                      done
//   processor                           MICROSECONDS            processor time of this process so far
//
// A failure is answered by "error", the code as a number, and the message.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include <array>
#include <iostream>
#include <map>
#include <sstream>

#include "backends/fabric.hpp"

namespace {

using namespace psnam;
using namespace psnam::backends;

std::string hexadecimal(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

class Peer {
 public:
  Status start(const std::string& module, const std::string& file, std::size_t bytes, const std::string& provider) {
    const Fd fd{::open(file.c_str(), O_RDWR | O_CLOEXEC)};
    if (!fd.valid()) return system_error(file, errno);
    PSNAM_TRY(memory_, Mapping::map(fd.get(), bytes, Protection::read_write, file));
    PSNAM_TRY(fabric_, load_fabric(module));
    FabricOptions options;
    options.provider = provider;
    PSNAM_TRY(server_, fabric_->open_server(options));
    return {};
  }

  Result<std::string> answer(const std::string& line) {
    std::istringstream words{line};
    std::string command;
    words >> command;
    if (command == "provider") return server_->provider();
    if (command == "endpoint") return endpoint();
    if (command == "register") return register_memory(words);
    if (command == "churn") return churn(words);
    if (command == "processor") return processor();
    int number = 0;
    words >> number;
    const bool known = command == "close" ? endpoints_.erase(number) == 1
                                          : command == "deregister" && registrations_.erase(number) == 1;
    if (!known) return Error{Code::invalid_argument, line};
    return std::string{"done"};
  }

 private:
  Result<std::string> endpoint() {
    PSNAM_TRY(auto endpoint, server_->make_endpoint());
    const std::string address = hexadecimal(endpoint->address());
    endpoints_[++last_] = std::move(endpoint);
    return fmt::format("{} {}", last_, address);
  }

  Result<std::string> register_memory(std::istream& words) {
    int of = 0;
    std::size_t offset = 0;
    std::size_t bytes = 0;
    std::string right;
    words >> of >> offset >> bytes >> right;
    const auto endpoint = endpoints_.find(of);
    if (endpoint == endpoints_.end() || offset > memory_.bytes() || bytes > memory_.bytes() - offset)
      return Error{Code::invalid_argument, "no such endpoint or memory"};
    PSNAM_TRY(auto registration,
              endpoint->second->register_memory({memory_.data() + offset, bytes},
                                                right == "ro" ? Protection::read_only : Protection::read_write));
    const std::string text = fmt::format("{} {} {}", ++last_, registration->key(), registration->base());
    registrations_[last_] = std::move(registration);
    return text;
  }

  Result<std::string> churn(std::istream& words) {
    int of = 0;
    int times = 0;
    words >> of >> times;
    const auto endpoint = endpoints_.find(of);
    if (endpoint == endpoints_.end()) return Error{Code::invalid_argument, "no such endpoint"};
    for (int time = 0; time < times; ++time) {
      std::array<std::unique_ptr<FabricRegistration>, 64> parts;
      for (auto& part : parts) {
        PSNAM_TRY(part, endpoint->second->register_memory({memory_.data(), 64}, Protection::read_only));
      }
    }
    return std::string{"done"};
  }

  static Result<std::string> processor() {
    rusage used{};
    ::getrusage(RUSAGE_SELF, &used);
    constexpr long kMillion = 1'000'000;
    const auto microseconds = [](const timeval& time) { return time.tv_sec * kMillion + time.tv_usec; };
    return fmt::format("{}", microseconds(used.ru_utime) + microseconds(used.ru_stime));
  }

  Mapping memory_;
  std::shared_ptr<Fabric> fabric_;
  std::unique_ptr<FabricServer> server_;
  std::map<int, std::unique_ptr<FabricEndpoint>> endpoints_;
  std::map<int, std::unique_ptr<FabricRegistration>> registrations_;
  int last_ = 0;
};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) return 2;
  Peer peer;
  if (const Status status =
          peer.start(arguments[1], arguments[2], std::stoul(arguments[3]), count > 4 ? arguments[4] : "");
      !status) {
    std::cout << "error " << static_cast<int>(status.error().code) << ' ' << status.error().message << std::endl;
    return 1;
  }
  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = peer.answer(line);
    if (text) {
      std::cout << *text << std::endl;
    } else {
      std::cout << "error " << static_cast<int>(text.error().code) << ' ' << text.error().message << std::endl;
    }
  }
  return 0;
}
