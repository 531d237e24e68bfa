// Writes the corpus of the fuzz target of the session: session_seeds FOLDER. One input for each kind of request, each
// after what it needs, and a few conversations.
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <span>
#include <vector>

#include "nam/request.hpp"
#include "support/requests.hpp"

using namespace psnam;
using namespace psnam::nam::request;

namespace {

// What the small numbers of an input stand for, in the order in which it is given (session_numbers.hpp).
constexpr std::uint64_t kSessionOfAlice = 2;
constexpr std::uint64_t kWindow = 5, kWindowUse = 6, kRegion = 7;  // of a window of one region, made first
constexpr std::uint64_t kAgent = 8;                                // opened next
constexpr std::uint64_t kAllocation = 5, kAllocationUse = 6;       // made first
constexpr std::uint8_t kAlice = 1, kAliceElsewhere = 2, kEve = 3;

class Input {
 public:
  Input& say(std::uint8_t who, const Any& request) {
    const auto body = encode(request);
    head(who, static_cast<std::uint16_t>(body.size()));
    bytes_.insert(bytes_.end(), body.begin(), body.end());
    return *this;
  }
  Input& end(std::uint8_t who) {
    head(who, 0xFFFF);
    return *this;
  }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  void head(std::uint8_t who, std::uint16_t length) {
    bytes_.push_back(static_cast<std::byte>(who));
    const auto two = std::as_bytes(std::span{&length, 1});
    bytes_.insert(bytes_.end(), two.begin(), two.end());
  }
  std::vector<std::byte> bytes_;
};

Users alice() { return {nam::session_user(1, 0, kSessionOfAlice)}; }

Input with_window(std::uint32_t mode = 0600) {
  format::WindowRecord draft = test::small_draft();
  draft.mode = mode;
  Input input;
  input.say(kAlice, CreateWindow{draft, {}, alice()});
  return input;
}
Input with_allocation(std::uint64_t bytes = 65536) {
  Input input;
  input.say(kAlice, Allocate{{.size_bytes = bytes, .mode = 0640, .name = "a"}, alice()});
  return input.say(kAlice, CreateMemory{kAllocation, bytes, format::Reserve::full, false});
}

Input persistent_window() {
  Input input = with_window(0644);
  input.say(kAlice, CreateMemory{kRegion, 4096, format::Reserve::full, false});
  input.say(kAlice, SetConsistency{kWindow, format::Consistency::persistent, false});
  input.say(kEve, OpenWindow{"w", nam::AccessRight::read_only, {nam::session_user(1, 0, 4)}});
  input.say(kEve, OpenRange{kRegion, 0, 4096, nam::AccessRight::read_only, false});
  input.end(kAlice).say(kAlice, Reopen{kWindow, nam::AccessRight::read_write});
  return input.say(kAlice, Publish{"s", "w"}).say(kEve, LookUp{"s"}).say(kAlice, RemoveWindow{"w"});
}
Input agent_of_a_window() {
  Input input = with_window();
  input.say(kAlice, CreateMemory{kRegion, 4096, format::Reserve::full, true}).say(kAlice, OpenAgent{kWindow});
  input.say(kAlice, Lock{kAgent, 0, nam::LockKind::exclusive, 10}).say(kAlice, Execute{kAgent, 0, test::sum_of_two()});
  input.say(kAlice, Unlock{kAgent, 0}).say(kAlice, Lock{kAgent, {}, nam::LockKind::shared, 10});
  return input.say(kAlice, CloseAgent{kAgent}).say(kAlice, Close{kWindowUse});
}
Input pages_of_a_window() {
  Input input = with_window();
  input.say(kAlice, CreateControl{kWindowUse, 4096}).say(kAlice, OpenControl{kWindowUse, 4096});
  input.say(kAlice, OpenLocks{kWindow, 1}).say(kAlice, DropControl{kWindowUse});
  return input.say(kAlice, Duplicate{kWindowUse}).say(kAlice, Close{8}).end(kAlice);
}
Input segment_of_an_allocation() {
  Input input = with_allocation();
  const nam::AllocationSource part{nam::AllocationSource::Kind::segment, kAllocation, {}, 64};
  input.say(kAlice, CreateWindow{test::small_draft(), {part}, alice()});
  return input.say(kAlice, Persist{kAllocation, 0, 4096}).say(kAlice, FreeAllocation{kAllocation, true});
}
Input notifications() {
  Input input = with_allocation();
  input.say(kAlice, OpenNotifications{kAllocation}).say(kAlice, PostNotification{kAllocation, 5, 10});
  input.say(kAlice, CountNotifications{kAllocation}).say(kAlice, TakeNotification{kAllocation, 10});
  return input.say(kAliceElsewhere, Close{kAllocationUse}).say(kAlice, Close{kAllocationUse});
}

bool write(const std::filesystem::path& file, const Input& input) {
  std::ofstream out{file, std::ios::binary};
  out.write(reinterpret_cast<const char*>(input.bytes().data()), static_cast<std::streamsize>(input.bytes().size()));
  return out.good();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s FOLDER\n", argv[0]);
    return 2;
  }
  const std::filesystem::path folder = argv[1];
  std::filesystem::create_directories(folder);
  bool good = write(folder / "persistent_window", persistent_window()) &&
              write(folder / "agent", agent_of_a_window()) && write(folder / "pages", pages_of_a_window()) &&
              write(folder / "segment", segment_of_an_allocation()) && write(folder / "notifications", notifications());
  for (const Any& request : test::every_request()) {
    Input input;
    input.say(0, request);
    good = good && write(folder / kNames[request.index()], input);
  }
  return good ? 0 : 1;
}
