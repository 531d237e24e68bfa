#include "backends/fabric_connection.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "backends/fabric_sockets.hpp"

namespace psnam::backends {
namespace {

constexpr std::size_t kMostUnderWay = 256;
constexpr std::size_t kSmallBytes = 4096;  // up to here a piece is held back to be sent with others
constexpr std::size_t kHeldBackBytes = 8192;
// After so many bytes completions are looked for, which takes an answer: a message and two system calls here, and as
// many there. Every 256 KiB they took up to a tenth of the rate of writes. A read behind the writes costs less than one
// of them that demands its acknowledgement, which took a twentieth every 2 MiB.
constexpr std::size_t kUnseenBytes = std::size_t{4} << 20;

bool keeps_order(const fi_info& info) noexcept {
  const std::uint64_t order = info.tx_attr->msg_order;
  const auto both = [order](std::uint64_t one, std::uint64_t other) { return (order & (one | other)) != 0; };
  return both(FI_ORDER_RAW, FI_ORDER_RMA_RAW) && both(FI_ORDER_WAW, FI_ORDER_RMA_WAW) &&
         info.ep_attr->max_order_raw_size > 0 && info.ep_attr->max_order_waw_size > 0;
}

RemotePiece in(const RemoteRange& range, const Piece& piece) noexcept {
  return {piece.local, range.base + piece.offset_bytes, range.key, piece.bytes};
}

}  // namespace

Connection::Connection(FabricOptions options, Domain domain) noexcept
    : options_{std::move(options)}, domain_{std::move(domain)} {
  const fi_info& info = *domain_.info;
  delivery_ = options_.completion == FabricCompletion::delivery || !keeps_order(info);
  staged_ = options_.staged || domain_.needs(FI_MR_LOCAL);
  inject_bytes_ = info.tx_attr->inject_size;
  chunk_bytes_ = std::min({std::max<std::size_t>(options_.chunk_bytes, kSmallBytes), info.ep_attr->max_msg_size,
                           staged_ ? Staging::kStageBytes : info.ep_attr->max_msg_size});
  most_pieces_ = std::max<std::size_t>(1, std::min(info.tx_attr->iov_limit, info.tx_attr->rma_iov_limit));
  const std::size_t most = info.tx_attr->size == 0 ? kMostUnderWay : std::min(info.tx_attr->size, kMostUnderWay);
  ring_.resize(std::max<std::size_t>(most, 4));
  held_back_ = Message{most_pieces_, std::min(kHeldBackBytes, chunk_bytes_)};
}

Result<std::shared_ptr<Connection>> Connection::open(const FabricOptions& options, Info info,
                                                     const format::FabricAddress& address,
                                                     const std::stop_token& stop) {
  // A thread of the provider's would make a broken connection anew at any time.
  const Waiting waiting = descriptor_brings_thread(*info) ? Waiting::by_looking : Waiting::by_descriptor;
  PSNAM_TRY(Domain domain, Domain::open(std::move(info), options.local_address, waiting));
  auto connection = std::make_shared<Connection>(options, std::move(domain));
  const std::stop_callback stops{stop, [&connection] { connection->abandon("nobody waits for it any more"); }};
  PSNAM_CHECK(connection->greet(address));
  return connection;
}

Status Connection::greet(const format::FabricAddress& address) {
  // From here on, as it may be abandoned meanwhile.
  Lock lock{mutex_};
  if (failure_) return failure();
  std::array<char, 128> text{};
  std::size_t bytes = text.size();
  peer_ = fi_av_straddr(domain_.peers.get(), address.name.data(), text.data(), &bytes);
  wake_ = Fd{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  if (!wake_.valid()) return system_error("making an event descriptor of the fabric", errno);
  PSNAM_TRY(endpoint_, domain_.make_endpoint());
  if (fi_av_insert(domain_.peers.get(), address.name.data(), 1, &server_, 0, nullptr) != 1)
    return Error{Code::unreachable,
                 fmt::format("{} is no address of the fabric provider {}", peer_, provider_name(*domain_.info))};
  hello_ = {address.key, address.base};
  if (staged_) PSNAM_CHECK(staging_.prepare(domain_, domain_.needs(FI_MR_LOCAL)));
  PSNAM_CHECK(post_read_behind(lock));
  PSNAM_CHECK(await(lock, [this] { return tail_ == head_; }));
  adopt_own_sockets(address.name);
  return {};
}

void Connection::adopt_own_sockets(std::string_view server_name) {
  if (!over_sockets(*domain_.info)) return;
  std::array<char, 128> own{};
  std::size_t bytes = own.size();
  if (fi_getname(&endpoint_->fid, own.data(), &bytes) != 0) bytes = 0;
  adopt_sockets(server_name, {own.data(), bytes}, options_.timeout);
}

Status Connection::write(const RemoteRange& range, std::span<const Piece> pieces) {
  Lock lock{mutex_};
  if (failure_) return failure();
  for (const Piece& piece : pieces) {
    if (piece.bytes == 0) continue;
    if (piece.bytes > kSmallBytes) {
      PSNAM_CHECK(write_large(lock, in(range, piece)));
      continue;
    }
    while (!held_back_.add(in(range, piece))) PSNAM_CHECK(write_held_back(lock, Answer::none));
  }
  return {};
}

Status Connection::write_large(Lock& lock, RemotePiece piece) {
  while (piece.bytes > 0) {
    const std::size_t now = std::min(piece.bytes, chunk_bytes_);
    Message message{1, now};
    [[maybe_unused]] const bool added = message.add({piece.local, piece.address, piece.key, now});
    PSNAM_CHECK(post_write(lock, message, Answer::none));
    piece.local += now;
    piece.address += now;
    piece.bytes -= now;
  }
  return {};
}

Status Connection::write_held_back(Lock& lock, Answer answer) {
  if (held_back_.empty()) return {};
  // Waiting for room first: from here on the pieces are held back or stand in the ring, where the flush of another
  // thread sees them. That thread may have sent them meanwhile.
  PSNAM_CHECK(make_room(lock, staged_));
  if (held_back_.empty()) return {};
  const Message message = held_back_;
  held_back_.clear();
  return post_write(lock, message, answer);
}

Status Connection::post_write(Lock& lock, const Message& message, Answer answer) {
  PSNAM_CHECK(make_room(lock, staged_));
  Stage* stage = nullptr;
  if (staged_) {
    stage = staging_.take();
    std::size_t filled = 0;
    for (const RemotePiece& piece : message.pieces()) {
      std::memcpy(stage->buffer + filled, piece.local, piece.bytes);
      filled += piece.bytes;
    }
  }
  const bool last_place = under_way() + 2 >= ring_.size() || (staged_ && !staging_.any_free());
  const bool answered = answer == Answer::demanded || delivery_ || waiting_ > 0 || last_place;
  std::uint64_t flags = FI_COMPLETION;
  if (answered) flags |= FI_DELIVERY_COMPLETE;
  if (!staged_ && message.bytes() <= inject_bytes_) flags |= FI_INJECT;
  PSNAM_CHECK(post(lock, message, stage, true, flags));
  uncovered_ = answered ? 0 : uncovered_ + 1;
  return keep_moving(lock, message.bytes());
}

Status Connection::read(const RemoteRange& range, std::span<const Piece> pieces) {
  Lock lock{mutex_};
  if (failure_) return failure();
  while (!pieces.empty()) {
    std::size_t count = pieces_of_one_span(pieces, Stage::kMostCopies, Staging::kStageBytes);
    if (count > most_pieces_) {
      PSNAM_CHECK(read_span(lock, range, pieces.first(count)));
    } else {
      // Up to the next place where a span may begin.
      count = std::max<std::size_t>(count, 1);
      PSNAM_CHECK(read_plain(lock, range, pieces.first(count)));
    }
    pieces = pieces.subspan(count);
  }
  return {};
}

Status Connection::read_span(Lock& lock, const RemoteRange& range, std::span<const Piece> pieces) {
  PSNAM_CHECK(make_room(lock, true));
  Stage* const stage = staging_.take();
  const std::uint64_t begin = pieces.front().offset_bytes;
  std::size_t bytes = 0;
  for (const Piece& piece : pieces) {
    const auto offset = static_cast<std::size_t>(piece.offset_bytes - begin);
    stage->copies.push_back({piece.local, offset, piece.bytes});
    bytes = offset + piece.bytes;
  }
  if (bytes == 0) {
    staging_.give_back(stage);
    return {};
  }
  Message message{1, bytes};
  [[maybe_unused]] const bool added = message.add({stage->buffer, range.base + begin, range.key, bytes});
  PSNAM_CHECK(post(lock, message, stage, false, FI_COMPLETION));
  uncovered_ = 0;
  return keep_moving(lock, bytes);
}

Status Connection::read_plain(Lock& lock, const RemoteRange& range, std::span<const Piece> pieces) {
  Message message{most_pieces_, chunk_bytes_};
  for (const Piece& piece : pieces) {
    RemotePiece rest = in(range, piece);
    while (rest.bytes > 0) {
      RemotePiece now = rest;
      now.bytes = std::min(rest.bytes, chunk_bytes_);
      while (!message.add(now)) {
        PSNAM_CHECK(post_read(lock, message));
        message.clear();
      }
      rest.local += now.bytes;
      rest.address += now.bytes;
      rest.bytes -= now.bytes;
    }
  }
  return message.empty() ? Status{} : post_read(lock, message);
}

Status Connection::post_read(Lock& lock, const Message& message) {
  PSNAM_CHECK(make_room(lock, staged_));
  Stage* stage = nullptr;
  if (staged_) {
    stage = staging_.take();
    std::size_t offset = 0;
    for (const RemotePiece& piece : message.pieces()) {
      stage->copies.push_back({piece.local, offset, piece.bytes});
      offset += piece.bytes;
    }
  }
  PSNAM_CHECK(post(lock, message, stage, false, FI_COMPLETION));
  uncovered_ = 0;
  return keep_moving(lock, message.bytes());
}

Status Connection::post_read_behind(Lock& lock) {
  // Into no stage and into the last place of the ring: who waits for room may have to do this first.
  std::byte* const here = staged_ ? staging_.word() : reinterpret_cast<std::byte*>(&hello_word_);
  Message message{1, sizeof hello_word_};
  [[maybe_unused]] const bool added = message.add({here, hello_.base, hello_.key, sizeof hello_word_});
  PSNAM_CHECK(post(lock, message, nullptr, false, FI_COMPLETION));
  uncovered_ = 0;
  return {};
}

Status Connection::post(Lock& lock, const Message& message, Stage* stage, bool write, std::uint64_t flags) {
  for (Patience patience = begin_waiting(); under_way() == ring_.size();)
    PSNAM_CHECK(step(lock, patience, kRetrySleep));
  Operation& operation = at(head_++);
  operation.complete = false;
  operation.stage = stage;
  std::array<iovec, Message::kMostPieces> here{};
  std::array<fi_rma_iov, Message::kMostPieces> there{};
  std::array<void*, Message::kMostPieces> descriptors{};
  const auto pieces = message.pieces();
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    here[i] = {pieces[i].local, pieces[i].bytes};
    there[i] = {pieces[i].address, pieces[i].bytes, pieces[i].key};
    descriptors[i] = staging_.descriptor();  // without a stage these lie beside the stages, or need none
  }
  std::size_t here_count = pieces.size();
  if (stage != nullptr) {
    here[0] = {stage->buffer, message.bytes()};
    descriptors[0] = stage->descriptor;
    here_count = 1;
  }
  const fi_msg_rma what{here.data(),  descriptors.data(), here_count,         server_,
                        there.data(), pieces.size(),      &operation.context, 0};
  for (Patience patience = begin_waiting();;) {
    const auto code = write ? fi_writemsg(endpoint_.get(), &what, flags) : fi_readmsg(endpoint_.get(), &what, flags);
    if (code == 0) return {};
    if (code != -FI_EAGAIN)
      fail({Code::unreachable, fmt::format("the fabric connection to {} refuses an operation: {}", peer_,
                                           fi_strerror(static_cast<int>(-code)))});
    if (failure_) return failure();
    PSNAM_CHECK(step(lock, patience, kRetrySleep));
  }
}

Status Connection::make_room(Lock& lock, bool stage) {
  if (stage) PSNAM_CHECK(staging_.prepare(domain_, domain_.needs(FI_MR_LOCAL)));
  const auto has_stage = [this, stage] { return !stage || staging_.any_free(); };
  while (ring_is_full() || !has_stage()) {
    PSNAM_CHECK(cover(lock));
    // Once full, the ring is emptied by half, so that the answer that this takes is worth it.
    const std::size_t wanted = ring_is_full() ? ring_.size() / 2 : ring_.size();
    PSNAM_CHECK(await(lock, [&] { return under_way() <= wanted && has_stage(); }));
  }
  return failure_ ? Status{failure()} : Status{};
}

Status Connection::flush() {
  Lock lock{mutex_};
  if (failure_) return failure();
  PSNAM_CHECK(write_held_back(lock, Answer::demanded));
  // What other threads started without an answer may still have stood before the provider when this one looked.
  do {
    PSNAM_CHECK(cover(lock));
    const std::uint64_t all = head_;
    PSNAM_CHECK(await(lock, [this, all] { return tail_ >= all; }));
  } while (uncovered_ > 0);
  return {};
}

std::uint64_t Connection::started() {
  const Lock lock{mutex_};
  return head_;
}

Status Connection::finish(std::uint64_t until) {
  Lock lock{mutex_};
  if (failure_) return failure();
  if (tail_ >= until) return {};
  PSNAM_CHECK(cover(lock));
  return await(lock, [this, until] { return tail_ >= until; });
}

Status Connection::keep_moving(Lock& lock, std::size_t bytes) {
  unseen_bytes_ += bytes;
  if (unseen_bytes_ < kUnseenBytes) return {};
  PSNAM_CHECK(cover(lock));
  progress();
  return failure_ ? Status{failure()} : Status{};
}

/// Sees to it that completions may be read.
Status Connection::cover(Lock& lock) { return uncovered_ == 0 ? Status{} : post_read_behind(lock); }

template <class Done>
Status Connection::await(Lock& lock, Done done) {
  ++waiting_;
  Patience patience = begin_waiting();
  Status status;
  while (status.ok() && !failure_ && !done()) status = step(lock, patience, options_.timeout);
  --waiting_;
  if (status.ok() && failure_) return failure();
  return status;
}

}  // namespace psnam::backends
