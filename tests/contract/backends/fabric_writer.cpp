// A client that writes without end, to be killed: fabric_writer MODULE PROVIDER ADDRESS KEY BASE BYTES. It writes one
// byte to standard output when the first write is complete.
#include <unistd.h>

#include <string>
#include <vector>

#include "backends/fabric.hpp"

int main(int count, char** arguments) {
  using namespace psnam::backends;
  if (count != 7) return 2;
  const std::string digits = arguments[3];
  std::string address;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
    address += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  const auto fabric = load_fabric(arguments[1]);
  if (!fabric) return 3;
  const auto client = (*fabric)->connect({}, arguments[2], address);
  if (!client) return 4;
  const std::size_t bytes = std::stoul(arguments[6]);
  const auto memory =
      (*client)->open(std::stoul(arguments[4]), std::stoul(arguments[5]), bytes, psnam::Protection::read_write);
  std::vector<std::byte> local(bytes);
  const Piece all{0, local.data(), bytes};
  for (bool told = false;;) {
    if (!memory->write({&all, 1}) || !memory->flush()) return 5;
    if (!told && ::write(STDOUT_FILENO, "x", 1) != 1) return 6;
    told = true;
  }
}
