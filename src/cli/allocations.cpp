// namctl alloc and free: memory that is there before a job begins, for its windows and segments.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <limits>

#include "cli/allocation_report.hpp"
#include "cli/command.hpp"
#include "cli/text.hpp"

namespace psnam::cli {
namespace {

/// What a batch system's job finds the id in.
constexpr std::string_view kVariable = "SLURM_NAM_ALLOC_ID";

bool is_number(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// The number that is all of `text`, if it is one that fits.
std::optional<std::uint64_t> number_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> seconds_of(std::string_view text) {
  struct Unit {
    char suffix;
    std::uint64_t seconds;
  };
  constexpr std::array<Unit, 4> kUnits{{{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}}};
  std::uint64_t factor = 1;
  for (const Unit& unit : kUnits)
    if (text.ends_with(unit.suffix)) {
      factor = unit.seconds;
      text.remove_suffix(1);
      break;
    }
  const auto number = number_of(text);
  if (!number || *number > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
  return *number * factor;
}

/// The second at which `text` ends, counted as the system does.
Result<std::uint64_t> expiry_of(const std::string& text) {
  const auto now = static_cast<std::uint64_t>(std::time(nullptr));
  const bool absolute = text.starts_with('@');
  const auto seconds = absolute ? number_of(std::string_view{text}.substr(1)) : seconds_of(text);
  if (!seconds || *seconds > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
    return Error{Code::invalid_argument,
                 fmt::format("--expire {} is not a time: a number with s, m, h or d is a time from now, in seconds "
                             "without a letter; @NUMBER are seconds since 1970",
                             text)};
  const std::uint64_t expiry = absolute ? *seconds : now + *seconds;
  if (expiry <= now) return Error{Code::invalid_argument, fmt::format("--expire {} is not in the future", text)};
  return expiry;
}

Result<std::uint32_t> mode_of(const std::string& text) {
  std::uint32_t mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (error != std::errc{} || end != text.data() + text.size() || mode > 0777)
    return Error{Code::invalid_argument,
                 fmt::format("--mode {} is not a mode: known values are the octal numbers 0 to 0777", text)};
  return mode;
}

Result<nam::AllocationRequest> request_of(const AllocationWish& wish) {
  nam::AllocationRequest request;
  PSNAM_TRY(request.size_bytes, parse_bytes("size", wish.size));
  if (request.size_bytes == 0)
    return Error{Code::invalid_argument, fmt::format("size = \"{}\": an allocation has at least 1 byte", wish.size)};
  if (is_number(wish.name))
    return Error{Code::invalid_argument,
                 fmt::format("--name {}: a name of digits only would be taken for an id", wish.name)};
  request.name = wish.name;
  request.consistency = format::Consistency::persistent;
  request.reserve = wish.lazy ? format::Reserve::lazy : format::Reserve::full;
  if (!wish.mode.empty()) {
    PSNAM_TRY(request.mode, mode_of(wish.mode));
  }
  if (!wish.expiry.empty()) {
    PSNAM_TRY(request.expires_unix_seconds, expiry_of(wish.expiry));
  }
  return request;
}

std::string not_found(const std::string& text, const Invocation& invocation, const Contents& contents) {
  const std::string folder = invocation.place();
  if (const auto id = number_of(text)) {
    if (const auto* const report = contents.window(*id))
      return fmt::format("{} is no allocation but the window \"{}\"; namctl rm removes windows", text,
                         report->window.name);
    return fmt::format("no allocation has the id {} in {}", text, folder);
  }
  std::string message = fmt::format("no allocation is called \"{}\" in {}", text, folder);
  std::vector<std::string> known;
  for (const auto& report : contents.allocations())
    if (!report.allocation.name.empty()) known.push_back(report.allocation.name);
  if (const auto near = similar(text, known); !near.empty())
    message += fmt::format("; did you mean {}?", fmt::join(near, ", "));
  return message;
}

/// The id that `text` is, or that the allocation of this name has.
Result<std::uint64_t> id_of(nam::Service* store, const std::string& text) {
  const auto number = number_of(text);
  if (store == nullptr || (is_number(text) && !number)) return Error{Code::name_not_found, ""};
  if (number) return *number;
  PSNAM_TRY(const format::AllocationRecord allocation, store->find_allocation(std::string_view{text}));
  return allocation.id;
}

/// An id alone tells the NAM.
Result<nam::Service*> nam_with(nam::Service& manager, std::uint64_t id) {
  PSNAM_TRY(const auto nams, manager.nams());
  for (const auto& nam : nams)
    if (!nam.address.empty() && nam.index == format::nam_that_gave(id)) return manager.nam(nam.index);
  return &manager;
}

/// What became of one id or name.
struct Freed {
  std::uint64_t id = 0;
  std::string given;
  bool gone = false;
};

Result<Freed> free_one(nam::Service* store, const std::string& text, bool recursive) {
  PSNAM_TRY(const std::uint64_t id, id_of(store, text));
  PSNAM_TRY(store, nam_with(*store, id));
  PSNAM_TRY(const bool gone, store->free_allocation(id, recursive));
  return Freed{.id = id, .given = text, .gone = gone};
}

std::string freed_json(const std::vector<Freed>& freed, const std::vector<std::string>& failures) {
  JsonWriter json;
  json.begin_object().key("freed").begin_array();
  for (const auto& one : freed)
    json.begin_object().member("id", one.id).member("given", one.given).member("gone", one.gone).end_object();
  json.end_array().key("errors").begin_array();
  for (const auto& failure : failures) json.value(failure);
  return json.end_array().end_object().take();
}

}  // namespace

Result<Outcome> allocate(const Invocation& invocation, const AllocationWish& wish) {
  PSNAM_TRY(const nam::AllocationRequest request, request_of(wish));
  PSNAM_TRY(const auto store, open_or_make(invocation));
  PSNAM_TRY(const nam::AllocationUse made, store->allocate(request, {}));
  const std::uint64_t id = made.allocation.id;
  if (wish.for_eval) return Outcome{.output = fmt::format("export {}={}\n", kVariable, id)};
  if (!invocation.json) return Outcome{.output = fmt::format("{}\n", id)};
  JsonWriter json;
  json.begin_object().member("store", invocation.place());
  nam::AllocationReport report;
  report.allocation = made.allocation;
  report.largest_free_bytes = made.allocation.size_bytes;
  put_allocation(json, report, {});
  return Outcome{.output = json.end_object().take()};
}

Result<Outcome> free_allocations(const Invocation& invocation, const std::vector<std::string>& names,
                                 const FreeOptions& options) {
  PSNAM_TRY(const auto store, open_existing(invocation));
  std::vector<Freed> freed;
  Outcome outcome;
  for (const auto& text : names) {
    if (auto one = free_one(store.get(), text, options.recursive); one) {
      outcome.output += one->gone
                            ? fmt::format("{} freed\n", text)
                            : fmt::format("{} freed; its memory goes when the jobs that use it have ended\n", text);
      freed.push_back(std::move(*one));
    } else if (one.error().code != Code::name_not_found && one.error().code != Code::info_value) {
      outcome.failures.push_back(one.error().message);
    } else if (!options.if_exists) {
      PSNAM_TRY(const Contents contents, Contents::read(store.get()));
      outcome.failures.push_back(not_found(text, invocation, contents));
    }
  }
  if (invocation.json) outcome.output = freed_json(freed, outcome.failures);
  return outcome;
}

}  // namespace psnam::cli
