// namctl capacity: how much the store may hold.
#include <fmt/format.h>

#include "base/options.hpp"
#include "cli/command.hpp"
#include "cli/contents.hpp"
#include "cli/json.hpp"
#include "cli/text.hpp"

namespace psnam::cli {

namespace {

/// The free-standing allocations, and what of them is divided.
struct Granted {
  std::uint64_t allocations = 0;
  std::uint64_t bytes = 0;
  std::uint64_t taken_bytes = 0;
};

Result<Granted> granted_in(nam::Service& store) {
  PSNAM_TRY(const Contents contents, Contents::read(&store));
  Granted granted;
  for (const auto* const report : contents.free_standing()) {
    ++granted.allocations;
    granted.bytes += report->allocation.size_bytes;
    granted.taken_bytes += report->taken_bytes;
  }
  return granted;
}

std::string granted_text(const Granted& granted) {
  if (granted.allocations == 0) return "\n";
  return fmt::format("; {} of {}, {} in segments\n", count_text(granted.allocations, "free-standing allocation"),
                     size_text(granted.bytes), size_text(granted.taken_bytes));
}

}  // namespace

Result<Outcome> show_capacity(const Invocation& invocation, const std::string& size) {
  std::uint64_t wanted = 0;
  if (!size.empty()) {
    PSNAM_TRY(wanted, parse_bytes("capacity", size));
  }
  PSNAM_TRY(const auto store, size.empty() ? open_existing(invocation) : open_or_make(invocation));
  if (!store)
    return Error{Code::name_not_found, fmt::format("there is no store in {}; the first job makes it, or namctl "
                                                   "capacity SIZE",
                                                   invocation.place())};
  if (!size.empty()) PSNAM_CHECK(store->set_capacity(wanted));
  PSNAM_TRY(const nam::StoreSummary summary, store->summary());
  PSNAM_TRY(const Granted granted, granted_in(*store));
  if (invocation.json) {
    JsonWriter json;
    json.begin_object()
        .member("store", invocation.place())
        .member("capacity_bytes", summary.capacity_bytes)
        .member("reserved_bytes", summary.reserved_bytes)
        .member("catalog_bytes", summary.catalog_bytes)
        .member("catalog_limit_bytes", summary.catalog_limit_bytes)
        .member("free_standing_allocations", granted.allocations)
        .member("free_standing_bytes", granted.bytes)
        .member("free_standing_taken_bytes", granted.taken_bytes)
        .end_object();
    return Outcome{.output = json.take()};
  }
  return Outcome{.output = fmt::format("{}: {} of {} reserved", invocation.place(), size_text(summary.reserved_bytes),
                                       size_text(summary.capacity_bytes)) +
                           granted_text(granted)};
}

}  // namespace psnam::cli
