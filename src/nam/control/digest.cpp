#include "nam/control/digest.hpp"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha2.h>
#include <sys/random.h>

#include <cerrno>

#include "base/system.hpp"

namespace psnam::nam::control {
namespace {

static_assert(std::tuple_size_v<Digest> == SHA256_DIGEST_SIZE);

const std::uint8_t* octets(Piece bytes) noexcept { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

template <class Update>
void put_all(std::initializer_list<Piece> pieces, Update update) noexcept {
  for (const Piece each : pieces) {
    const std::uint64_t bytes = each.size();
    update(sizeof bytes, reinterpret_cast<const std::uint8_t*>(&bytes));
    update(each.size(), octets(each));
  }
}

}  // namespace

Digest sha256(std::initializer_list<Piece> pieces) noexcept {
  sha256_ctx context;
  sha256_init(&context);
  put_all(pieces, [&](std::size_t bytes, const std::uint8_t* data) { sha256_update(&context, bytes, data); });
  Digest digest;
  sha256_digest(&context, digest.size(), reinterpret_cast<std::uint8_t*>(digest.data()));
  return digest;
}

Digest hmac_sha256(Piece key, std::initializer_list<Piece> pieces) noexcept {
  hmac_sha256_ctx context;
  hmac_sha256_set_key(&context, key.size(), octets(key));
  put_all(pieces, [&](std::size_t bytes, const std::uint8_t* data) { hmac_sha256_update(&context, bytes, data); });
  Digest digest;
  hmac_sha256_digest(&context, digest.size(), reinterpret_cast<std::uint8_t*>(digest.data()));
  return digest;
}

bool equal_secrets(Piece one, Piece other) noexcept {
  return one.size() == other.size() && memeql_sec(one.data(), other.data(), one.size()) != 0;
}

Result<Nonce> random_nonce() {
  Nonce nonce;
  std::size_t filled = 0;
  while (filled < nonce.size()) {
    const ssize_t got = ::getrandom(nonce.data() + filled, nonce.size() - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return system_error("random numbers", errno);
    filled += static_cast<std::size_t>(got);
  }
  return nonce;
}

}  // namespace psnam::nam::control
