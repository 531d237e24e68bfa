#include "win/access_checks.hpp"

#include <fmt/format.h>

namespace psnam::win {
namespace {

constexpr std::uintptr_t kFirstPageBytes = 4096;

}  // namespace

Status check_buffer(const char* what, const void* address, const backends::Layout& layout, std::uint64_t bytes) {
  if (address != nullptr || bytes == 0) return {};
  if (static_cast<std::uintptr_t>(layout.true_lb) >= kFirstPageBytes) return {};
  return Error{Code::buffer, fmt::format("{} is NULL although {} bytes are to be moved", what, bytes)};
}

Result<std::int64_t> displacement_bytes(std::int64_t displacement, std::uint64_t unit) {
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(displacement, static_cast<std::int64_t>(unit), &bytes))
    return Error{Code::range, fmt::format("target_disp = {} times the displacement unit {} leaves every region",
                                          displacement, unit)};
  return bytes;
}

}  // namespace psnam::win
