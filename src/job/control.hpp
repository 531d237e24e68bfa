// The control record of a job as a process reaches it: mapped, or, on another host, read and written over the fabric.
// Nothing in it is believed more than it has to be: whoever may write to it may be wrong.
//
// Who writes what. `control` goes from one request to the next by a compare-and-swap of those who ask, who take turns
// by the mutex, and only from a state in which the job takes requests; from there on rank 0 of the job alone writes
// it, apart from the step from requested to pending. Outcomes are written by rank 0, before the `control` that says so.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"
#include "format/job_page.hpp"
#include "nam/service.hpp"

namespace psnam::job {

/// What a record says of its job, once and for all.
struct JobFacts {
  std::string name;
  std::uint32_t ranks = 0;
  std::uint32_t abilities = 0;
  std::uint64_t started_unix_seconds = 0;
  format::Uuid id = {};
  bool operator==(const JobFacts&) const = default;
};

/// What a record says of a rank.
struct SeatFacts {
  std::uint64_t count = 0;
  std::uint32_t leaving = format::kJobStays;
  format::Uuid node;
  std::uint32_t pid = 0;
  bool operator==(const SeatFacts&) const = default;
};

struct Outcome {
  std::uint32_t sequence = 0;
  bool failed = false;
  std::uint64_t version = 0;
  std::uint64_t safe_point = 0;
  std::string text;
  bool operator==(const Outcome&) const = default;
};

/// A new record in memory of zeros of format::job_page_bytes(facts.ranks) bytes.
void prepare(std::byte* memory, const JobFacts& facts);

class Control {
 public:
  /// Code::corrupt if what lies there is no record, Code::incompatible for one of another version.
  static Result<Control> over(nam::Memory memory);
  Control(Control&&) noexcept = default;
  Control& operator=(Control&&) noexcept = default;

  [[nodiscard]] bool mapped() const noexcept { return memory_.remote == nullptr; }
  /// The record itself. Precondition: mapped().
  [[nodiscard]] format::JobPage& page() const noexcept;
  [[nodiscard]] format::JobSeat& seat(std::uint32_t rank) const noexcept;
  [[nodiscard]] std::uint32_t ranks() const noexcept { return facts_.ranks; }

  /// As they are now.
  [[nodiscard]] Result<JobFacts> facts() const;
  [[nodiscard]] Result<std::vector<SeatFacts>> seats() const;
  [[nodiscard]] Result<format::JobControl> word() const;
  /// Nothing if it was overwritten by a later one, or is not there yet.
  [[nodiscard]] Result<std::optional<Outcome>> outcome(std::uint32_t sequence) const;

  /// `word` is what is said from now on, and whoever waits for a change hears it.
  Status say(const format::JobControl& word) const;
  Status publish(const Outcome& outcome) const;
  Status set_abilities(std::uint32_t abilities) const;
  Status set_seat(std::uint32_t rank, const format::Uuid& node, std::uint32_t pid, std::uint32_t leaving) const;
  Status set_leaving(std::uint32_t rank, std::uint32_t leaving) const;

  /// Whether `from` was said and is not any more. Precondition: mapped().
  [[nodiscard]] bool exchange(const format::JobControl& from, const format::JobControl& to) const;
  /// What is said, as soon as it is not `seen` any more, or when `limit`, less than a second, is over.
  [[nodiscard]] Result<format::JobControl> await_other_than(const format::JobControl& seen,
                                                            std::chrono::milliseconds limit) const;

 private:
  explicit Control(nam::Memory memory) noexcept : memory_{std::move(memory)} {}
  Status read(std::uint64_t offset_bytes, void* to, std::size_t bytes) const;
  Status write(std::uint64_t offset_bytes, const void* from, std::size_t bytes) const;
  void ring() const noexcept;

  nam::Memory memory_;
  JobFacts facts_;
};

}  // namespace psnam::job
