// Accumulating operations on memory that this process does not map, as requests for whoever maps it: the sides of the
// operation packed, cut to what one request may hold, and the old values put where the program wants them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "backends/indivisible.hpp"
#include "backends/transfer.hpp"
#include "base/result.hpp"
#include "rma/remote_pieces.hpp"

namespace psnam::rma {

/// Has a request executed and returns what backends::execute() returned there.
using SendRequest = std::function<Result<std::vector<std::byte>>(const backends::IndivisibleRequest&)>;

/// As backends::accumulate(), with `target` relative to its region (relative_side()) and inside of it. MPI_NO_OP does
/// not look at `origin`. The first failure of `send` ends it: what was sent before has been executed. Code::corrupt for
/// an answer that is not as long as it should be.
[[nodiscard]] Status accumulate_remotely(backends::Op op, backends::Element element, const backends::Side& target,
                                         const backends::Side& origin, const backends::Side* result,
                                         const SendRequest& send);

/// As backends::compare_and_swap(), for the element at `offset_bytes` of its region.
[[nodiscard]] Status compare_and_swap_remotely(backends::Element element, std::uint64_t offset_bytes,
                                               const std::byte* origin, const std::byte* compare, std::byte* result,
                                               const SendRequest& send);

}  // namespace psnam::rma
