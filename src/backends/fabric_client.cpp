#include "backends/fabric_client.hpp"

#include <fmt/format.h>

#include "backends/fabric_connection.hpp"

namespace psnam::backends {
namespace {

class Region final : public RemoteMemory {
 public:
  Region(std::shared_ptr<Connection> connection, RemoteRange range, std::uint64_t bytes, Protection protection) noexcept
      : connection_{std::move(connection)}, range_{range}, bytes_{bytes}, protection_{protection} {}

  [[nodiscard]] Status write(std::span<const Piece> pieces) override {
    if (protection_ == Protection::read_only)
      return Error{Code::access, "writing to remote memory that may only be read"};
    PSNAM_CHECK(check(pieces));
    return connection_->write(range_, pieces);
  }
  [[nodiscard]] Status read(std::span<const Piece> pieces) override {
    PSNAM_CHECK(check(pieces));
    return connection_->read(range_, pieces);
  }
  [[nodiscard]] Status flush() override { return connection_->flush(); }
  [[nodiscard]] std::uint64_t size_bytes() const noexcept override { return bytes_; }

 private:
  /// All pieces before the first one moves.
  [[nodiscard]] Status check(std::span<const Piece> pieces) const {
    for (const Piece& piece : pieces)
      if (piece.offset_bytes > bytes_ || piece.bytes > bytes_ - piece.offset_bytes)
        return Error{Code::range, fmt::format("{} bytes at offset {} leave the remote memory of {} bytes", piece.bytes,
                                              piece.offset_bytes, bytes_)};
    return {};
  }

  std::shared_ptr<Connection> connection_;
  RemoteRange range_;
  std::uint64_t bytes_;
  Protection protection_;
};

class Client final : public FabricClient {
 public:
  explicit Client(std::shared_ptr<Connection> connection) noexcept : connection_{std::move(connection)} {}

  [[nodiscard]] std::shared_ptr<RemoteMemory> open(std::uint64_t key, std::uint64_t base, std::uint64_t bytes,
                                                   Protection protection) override {
    return std::make_shared<Region>(connection_, RemoteRange{key, base}, bytes, protection);
  }
  [[nodiscard]] Status flush() override { return connection_->flush(); }
  [[nodiscard]] std::uint64_t started() override { return connection_->started(); }
  [[nodiscard]] Status finish(std::uint64_t until) override { return connection_->finish(until); }
  [[nodiscard]] bool alive() const noexcept override { return connection_->alive(); }
  void abandon(std::string_view reason) override { connection_->abandon(reason); }

 private:
  std::shared_ptr<Connection> connection_;
};

}  // namespace

Result<std::shared_ptr<FabricClient>> connect_fabric(const FabricOptions& options, std::string_view provider,
                                                     std::string_view address, const std::stop_token& stop) {
  const auto decoded = format::decode_fabric_address(address);
  if (!decoded)
    return Error{Code::incompatible, fmt::format("{} bytes are no address of a fabric endpoint of version {}",
                                                 address.size(), format::kFabricAddressVersion)};
  PSNAM_TRY(Info info, find_provider(std::string{provider}, options.local_address));
  PSNAM_TRY(std::shared_ptr<Connection> connection, Connection::open(options, std::move(info), *decoded, stop));
  return std::shared_ptr<FabricClient>{std::make_shared<Client>(std::move(connection))};
}

}  // namespace psnam::backends
