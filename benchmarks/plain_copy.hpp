// What PSNAM windows are measured against besides MPI: memcpy and a plain loop of non-temporal stores, from or to
// shared memory of the kind that the windows lie in (a mapped file of a memory file system). Written apart from the
// library on purpose.
#pragma once

#include <immintrin.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace psnam::bench {

[[gnu::target("avx512f")]] inline void stream_512(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < bytes; i += 64)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(to + i), _mm512_loadu_si512(from + i));
  _mm_sfence();
}

[[gnu::target("avx2")]] inline void stream_256(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  for (std::size_t i = 0; i < bytes; i += 32)
    _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i),
                        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
  _mm_sfence();
}

/// `to` aligned to 64, `bytes` a multiple of 64.
inline void stream_copy(std::byte* to, const std::byte* from, std::size_t bytes) noexcept {
  static const bool wide = __builtin_cpu_supports("avx512f") != 0;
  static const bool vectors = __builtin_cpu_supports("avx2") != 0;
  if (wide) return stream_512(to, from, bytes);
  if (vectors) return stream_256(to, from, bytes);
  std::memcpy(to, from, bytes);
}

/// A file of /dev/shm, mapped shared, every page touched, and without a name.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes) : bytes_{bytes} {
    std::string path{"/dev/shm/psnam-bench-XXXXXX"};
    const int fd = ::mkstemp(path.data());
    if (fd < 0 || ::unlink(path.c_str()) != 0 || ::ftruncate(fd, static_cast<off_t>(bytes)) != 0) fail("making");
    data_ = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (data_ == MAP_FAILED) fail("mapping");
    std::memset(data_, 1, bytes);
  }
  ~SharedMemory() { ::munmap(data_, bytes_); }
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }

 private:
  [[noreturn]] static void fail(const char* what) {
    std::fprintf(stderr, "rma_bench: %s a file in /dev/shm: %s\n", what, std::strerror(errno));
    std::exit(1);
  }

  std::size_t bytes_;
  void* data_ = nullptr;
};

}  // namespace psnam::bench
