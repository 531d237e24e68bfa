// namctl capacity: how much the store may hold.
#include <fmt/format.h>

#include "base/options.hpp"
#include "cli/command.hpp"
#include "cli/json.hpp"
#include "cli/text.hpp"

namespace psnam::cli {

Result<Outcome> show_capacity(const Invocation& invocation, const std::string& size) {
  std::uint64_t wanted = 0;
  if (!size.empty()) {
    PSNAM_TRY(wanted, parse_bytes("capacity", size));
  }
  nam::StoreOptions options;
  options.folder = invocation.folder();
  options.create = !size.empty();
  PSNAM_TRY(const auto store, nam::Store::open(options));
  if (!size.empty()) PSNAM_CHECK(store->set_capacity(wanted));
  PSNAM_TRY(const nam::StoreSummary summary, store->summary());
  if (invocation.json) {
    JsonWriter json;
    json.begin_object()
        .member("store", summary.folder.string())
        .member("capacity_bytes", summary.capacity_bytes)
        .member("reserved_bytes", summary.reserved_bytes)
        .end_object();
    return Outcome{.output = json.take()};
  }
  return Outcome{.output = fmt::format("{}: {} of {} reserved\n", summary.folder.string(),
                                       size_text(summary.reserved_bytes), size_text(summary.capacity_bytes))};
}

}  // namespace psnam::cli
