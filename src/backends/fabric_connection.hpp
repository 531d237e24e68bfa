// A client's connection to one endpoint: operations under way, what completes them, and the end of every wait.
//
// Operations stand in a ring in the order in which they were started; a flush waits until the ring's tail has passed
// all that stood there when it began. One mutex guards everything; nobody holds it while sleeping. Of the threads that
// wait, one sleeps on the completion queue's descriptor, the others for that one.
//
// When is a write complete? With FabricCompletion::delivery each is acknowledged. With read_behind most are not,
// because an acknowledgement costs the server a system call: the connection keeps order, so the acknowledgement of the
// last, or the answer to a read behind it, stands for all before. Therefore the newest small pieces are held back until
// they are known to be the last or not.
//
// Providers over TCP make a broken connection anew without a word, and whatever had left this process without a demand
// for an answer is lost then. They do so only while completions are read. So nobody reads completions while the last
// write that was started is one without an answer: such a write is *uncovered* until a later operation demands an
// answer.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>

#include "backends/fabric.hpp"
#include "backends/fabric_message.hpp"
#include "backends/fabric_objects.hpp"
#include "backends/fabric_pace.hpp"
#include "backends/fabric_staging.hpp"
#include "format/fabric_address.hpp"

namespace psnam::backends {

class Connection {
 public:
  /// Opens an endpoint and sees that the server answers, unless a stop is requested before.
  [[nodiscard]] static Result<std::shared_ptr<Connection>> open(const FabricOptions& options, Info info,
                                                                const format::FabricAddress& address,
                                                                const std::stop_token& stop);
  Connection(FabricOptions options, Domain domain) noexcept;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  /// What is still under way ends before what it refers to.
  ~Connection() { endpoint_.reset(); }

  /// `pieces` are inside what the server registered; those of zero bytes are skipped.
  [[nodiscard]] Status write(const RemoteRange& range, std::span<const Piece> pieces);
  [[nodiscard]] Status read(const RemoteRange& range, std::span<const Piece> pieces);
  [[nodiscard]] Status flush();
  /// Place in the ring behind all that was started, and the wait until the ring's tail is there.
  [[nodiscard]] std::uint64_t started();
  [[nodiscard]] Status finish(std::uint64_t until);
  [[nodiscard]] bool alive() const noexcept { return alive_.load(std::memory_order_acquire); }
  void abandon(std::string_view reason);

 private:
  using Lock = std::unique_lock<std::mutex>;
  using Clock = std::chrono::steady_clock;
  enum class Answer { none, demanded };
  // Of who waits for what no descriptor tells.
  static constexpr std::chrono::milliseconds kRetrySleep{1};

  struct Operation {
    fi_context2 context{};  // first: its address is what a completion names
    Stage* stage = nullptr;
    bool complete = true;
  };
  /// How long a thread has waited without seeing anything move.
  struct Patience {
    std::uint64_t seen = 0;
    Clock::time_point since;
  };

  [[nodiscard]] Status greet(const format::FabricAddress& address);
  void adopt_own_sockets(std::string_view server_name);

  [[nodiscard]] Status write_large(Lock& lock, RemotePiece piece);
  [[nodiscard]] Status write_held_back(Lock& lock, Answer answer);
  [[nodiscard]] Status post_write(Lock& lock, const Message& message, Answer answer);
  [[nodiscard]] Status read_span(Lock& lock, const RemoteRange& range, std::span<const Piece> pieces);
  [[nodiscard]] Status read_plain(Lock& lock, const RemoteRange& range, std::span<const Piece> pieces);
  [[nodiscard]] Status post_read(Lock& lock, const Message& message);
  [[nodiscard]] Status post_read_behind(Lock& lock);
  /// Hands the operation of `message` to the provider, through `stage` if there is one.
  [[nodiscard]] Status post(Lock& lock, const Message& message, Stage* stage, bool write, std::uint64_t flags);

  /// Until there is a place in the ring, and a free stage if one is wanted: both are there when it returns.
  [[nodiscard]] Status make_room(Lock& lock, bool stage);
  /// Lets the sockets take and bring what they can, now and then while operations are started.
  [[nodiscard]] Status keep_moving(Lock& lock, std::size_t bytes);
  [[nodiscard]] Status cover(Lock& lock);
  template <class Done>
  [[nodiscard]] Status await(Lock& lock, Done done);
  /// Reads completions, and waits a moment if there were none.
  [[nodiscard]] Status step(Lock& lock, Patience& patience, std::chrono::milliseconds longest_sleep);
  void block(Lock& lock, Clock::time_point until);
  void progress();
  void complete(Operation& operation);
  void read_failure();
  /// The connection is dead: nothing of it touches the callers' memory any more.
  void fail(Error error);
  [[nodiscard]] Error failure() const { return {failure_->code, failure_->message, failure_->detail}; }
  [[nodiscard]] Patience begin_waiting() const { return {completed_, Clock::now()}; }
  [[nodiscard]] std::size_t under_way() const noexcept { return static_cast<std::size_t>(head_ - tail_); }
  // The last place is for a read behind writes.
  [[nodiscard]] bool ring_is_full() const noexcept { return under_way() + 1 >= ring_.size(); }
  [[nodiscard]] Operation& at(std::uint64_t number) noexcept { return ring_[number % ring_.size()]; }

  const FabricOptions options_;
  std::string peer_;  // for messages
  std::mutex mutex_;
  std::condition_variable changed_;
  Domain domain_;
  Staging staging_;  // registered in the domain
  Fid<fid_ep> endpoint_;
  Fd wake_;  // wakes the thread that sleeps on the completion queue
  fi_addr_t server_ = FI_ADDR_UNSPEC;
  RemoteRange hello_;
  std::uint64_t hello_word_ = 0;

  bool delivery_;  // every write demands an answer
  bool staged_;
  std::size_t inject_bytes_;
  std::size_t chunk_bytes_;
  std::size_t most_pieces_;
  std::vector<Operation> ring_;
  std::uint64_t head_ = 0;        // operations ever started
  std::uint64_t tail_ = 0;        // of these complete, all before it too
  std::uint64_t completed_ = 0;   // completions ever seen
  std::size_t unseen_bytes_ = 0;  // moved since completions were last looked for
  std::size_t uncovered_ = 0;     // writes without an answer since the last operation with one
  Pace pace_;
  int waiting_ = 0;        // threads inside await
  bool sleeping_ = false;  // one sleeps on the descriptor
  Message held_back_;
  std::atomic<bool> alive_ = true;
  std::unique_ptr<Error> failure_;
};

}  // namespace psnam::backends
