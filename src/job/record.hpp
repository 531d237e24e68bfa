// The allocation that a job's control record is in. It is found by its name while the job has it, whoever is killed; a
// later job of the name takes it over when nobody uses it any more. The ranks have it in use, each for itself; those
// who ask only map it, so who uses it is who is left of the job.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "format/catalog.hpp"
#include "job/control.hpp"
#include "nam/service.hpp"

namespace psnam::job {

using ServicePointer = std::shared_ptr<nam::Service>;

/// By which the other ranks find it. Plain bytes.
struct RecordTicket {
  std::uint64_t allocation_id = 0;
  std::uint64_t challenge = 0;
};

/// A rank that was asked to leave its node when the job before ended.
struct Departure {
  std::uint32_t leaves = 0;
  format::Uuid node;
};

class Record {
 public:
  /// Of the job `facts`, made by its rank 0. `departures` is what a job of the name has left, by rank; it may be
  /// empty. Code::busy if a job of that name runs.
  static Result<std::unique_ptr<Record>> create(ServicePointer nam, const JobFacts& facts, std::uint32_t mode,
                                                std::vector<Departure>& departures);
  /// Taken into use by another rank.
  static Result<std::unique_ptr<Record>> connect(ServicePointer nam, const RecordTicket& ticket, std::uint32_t rank);
  Record(const Record&) = delete;
  Record& operator=(const Record&) = delete;
  /// Ends the use.
  ~Record();

  [[nodiscard]] const Control& control() const noexcept { return control_; }
  [[nodiscard]] RecordTicket ticket() const noexcept { return {use_.allocation.id, use_.allocation.challenge}; }
  /// From here on it is found by its name.
  Status keep();
  /// The name goes at once.
  Status remove();
  /// How many ranks are alive; an error if that cannot be known.
  [[nodiscard]] Result<std::uint64_t> living() const { return nam_->count_users(use_.allocation.id); }
  /// Code::name_not_found if the record is gone, or why the service cannot be asked.
  [[nodiscard]] Status check_there() const { return nam_->find_allocation(use_.allocation.id).status(); }

 private:
  Record(ServicePointer nam, nam::AllocationUse use, Control control)
      : nam_{std::move(nam)}, use_{std::move(use)}, control_{std::move(control)} {}

  ServicePointer nam_;
  nam::AllocationUse use_;
  Control control_;
};

/// A record as somebody finds it who is not of the job.
struct FoundRecord {
  format::AllocationRecord allocation;
  std::string job;
  std::uint64_t living = 0;  ///< processes of the job
  Control control;
};

/// Those that the caller may read, by name.
[[nodiscard]] Result<std::vector<FoundRecord>> find_records(nam::Service& nam);
/// The record of the caller's job of that name, else of another user's if the caller may see one.
/// Code::name_not_found, Code::access without that right, Code::unsupported where it cannot be mapped.
[[nodiscard]] Result<FoundRecord> find_record(nam::Service& nam, const std::string& job, nam::AccessRight right);

}  // namespace psnam::job
