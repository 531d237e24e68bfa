// copy_bytes() and each of its streaming kernels against memcpy, with guard bytes, at every alignment.
#include "backends/copy.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace psnam::backends {
namespace {

constexpr std::size_t kGuard = 128;

std::vector<std::byte> pattern(std::size_t size) {
  std::vector<std::byte> bytes(size);
  std::uint32_t state = 12345;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
  return bytes;
}

/// A destination and a source that are shifted against the 64-byte lines as wanted.
class Copies {
 public:
  explicit Copies(std::size_t largest) : source_{pattern(largest + 64)}, to_(largest + 2 * kGuard + 64) {}

  /// Runs `copy(to, from, n)` and compares what is written, and what is not.
  template <class Copy>
  [[nodiscard]] ::testing::AssertionResult right(std::size_t to_shift, std::size_t from_shift, std::size_t n,
                                                 Copy copy) {
    std::byte* const begin = to_.data() + (64 - reinterpret_cast<std::uintptr_t>(to_.data()) % 64) % 64;
    std::byte* const to = begin + kGuard / 2 + to_shift;
    const std::byte* const from = source_.data() + from_shift;
    std::memset(to - kGuard / 2, 0x5A, n + kGuard);
    copy(to, from, n);
    for (std::size_t i = 1; i <= kGuard / 2; ++i)
      if (to[-static_cast<std::ptrdiff_t>(i)] != std::byte{0x5A} || to[n + i - 1] != std::byte{0x5A})
        return ::testing::AssertionFailure() << "guard byte " << i << " written";
    if (n != 0 && std::memcmp(to, from, n) != 0) return ::testing::AssertionFailure() << "other bytes than memcpy's";
    return ::testing::AssertionSuccess();
  }

 private:
  std::vector<std::byte> source_;
  std::vector<std::byte> to_;
};

TEST(CopyBytes, CopiesEveryShortLengthAtEveryAlignment) {
  Copies copies{300};
  for (std::size_t n = 0; n <= 200; ++n)
    for (std::size_t to = 0; to<64; to += n> 70 ? 7 : 1)
      for (std::size_t from = 0; from < 64; from += 5)
        ASSERT_TRUE(copies.right(to, from, n, [](auto t, auto f, auto m) { copy_bytes(t, f, m); }))
            << n << " " << to << " " << from;
}

TEST(CopyBytes, NeedsNoAddressForNoBytes) { copy_bytes(nullptr, nullptr, 0); }

TEST(CopyBytes, CopiesLengthsAroundTheThresholdsAtEveryAlignment) {
  constexpr std::size_t kPut = streaming_threshold(NextReader::another_process);
  Copies copies{kPut + 20'000};
  for (std::size_t shift = 0; shift < 64; ++shift)
    for (const std::size_t n : {kPut - 1, kPut, kPut + 1 + 97 * shift})
      ASSERT_TRUE(copies.right(shift, (shift * 13) % 64, n, [](auto t, auto f, auto m) { copy_bytes(t, f, m); }))
          << shift << " " << n;

  constexpr std::size_t kGet = streaming_threshold(NextReader::caller);
  Copies large{kGet + 200};
  for (const std::size_t n : {kGet - 1, kGet, kGet + 129})
    ASSERT_TRUE(large.right(3, 5, n, [](auto t, auto f, auto m) { copy_bytes(t, f, m, NextReader::caller); })) << n;
}

TEST(StreamKernels, EndWithOneThatEveryProcessorHas) { EXPECT_TRUE(detail::stream_kernels().back().supported); }

class StreamKernelTest : public ::testing::TestWithParam<detail::StreamKernel> {};

TEST_P(StreamKernelTest, CopiesWhatMemcpyCopies) {
  if (!GetParam().supported) GTEST_SKIP() << "this processor has no " << GetParam().name;
  Copies copies{70'000};
  const auto copy = [](auto to, auto from, auto n) { detail::copy_streaming(to, from, n, GetParam()); };
  for (std::size_t n = 0; n < 400; ++n) ASSERT_TRUE(copies.right(n % 64, n % 7, n, copy)) << n;
  for (std::size_t shift = 0; shift < 64; ++shift)
    for (const std::size_t n : {16'383UL, 16'384UL, 16'511UL, 16'512UL, 32'768UL + shift, 65'600UL + 31 * shift})
      ASSERT_TRUE(copies.right(shift, 64 - 1 - shift, n, copy)) << shift << " " << n;
}

INSTANTIATE_TEST_SUITE_P(Each, StreamKernelTest,
                         ::testing::ValuesIn(detail::stream_kernels().begin(), detail::stream_kernels().end()),
                         [](const auto& kernel) { return std::string{kernel.param.name}; });

}  // namespace
}  // namespace psnam::backends
