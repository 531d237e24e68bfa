#include "nam/store_impl.hpp"
namespace psnam::nam {
namespace {
Error not_yet() { return Error{Code::unsupported, "allocations"}; }
}  // namespace
Result<AllocationUse> Store::allocate(const AllocationRequest&, std::span<const format::ProcessIdentity>) {
  return not_yet();
}
Status Store::set_allocation_consistency(std::uint64_t, format::Consistency) { return not_yet(); }
Result<AllocationUse> Store::open_allocation(std::uint64_t, std::optional<std::uint64_t>, AccessRight,
                                             std::span<const format::ProcessIdentity>) {
  return not_yet();
}
Result<format::AllocationRecord> Store::find_allocation(std::uint64_t) { return not_yet(); }
Result<format::AllocationRecord> Store::find_allocation(std::string_view) { return not_yet(); }
Result<bool> Store::free_allocation(std::uint64_t, bool) { return not_yet(); }
Result<std::vector<AllocationReport>> Store::allocations() { return not_yet(); }
}  // namespace psnam::nam
