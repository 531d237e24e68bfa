#include "backends/processor.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace psnam::backends {
namespace {

Processor examine() noexcept {
  Processor found;
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) {
    // Its makers promise that an aligned load of 16 bytes is one access where there is AVX.
    constexpr unsigned kBoth = bit_CMPXCHG16B | bit_AVX;
    found.exchanges_16_bytes = (ecx & kBoth) == kBoth;
  }
  // ThreadSanitizer does not know transactions and would call what they write a race.
#if !defined(__SANITIZE_THREAD__)
  constexpr unsigned kAlwaysAborts = 1U << 11;  // of edx
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0)
    found.transactions = (ebx & bit_RTM) != 0 && (edx & kAlwaysAborts) == 0;
#endif
#endif
  return found;
}

}  // namespace

const Processor kProcessor = examine();

}  // namespace psnam::backends
