// The NAM service of a manager: each call is a request to its server, and memory is mapped where it is on this host, or
// else reached over the fabric.
//
// Every call ends within the limit of the options, with Code::unreachable if the server does not answer. The next call
// connects again; see nam/client_link.hpp for what is there again then. Not to be used in a forked child.
#pragma once

#include <map>
#include <memory>
#include <mutex>

#include "nam/client_link.hpp"
#include "nam/service.hpp"

namespace psnam::nam {

/// Thread-safe.
class Client final : public Service {
 public:
  /// The manager of PSNAM_MANAGER, as the environment says. Code::invalid_argument, Code::unreachable, Code::access,
  /// Code::incompatible.
  [[nodiscard]] static Result<std::unique_ptr<Client>> connect(const Options& options);
  [[nodiscard]] static Result<std::unique_ptr<Client>> connect(ClientOptions options);

  Result<WindowUse> create(format::WindowRecord draft, std::span<const AllocationSource> sources,
                           std::span<const format::ProcessIdentity> users) override;
  Result<std::string> set_consistency(std::uint64_t window_id, format::Consistency consistency, bool in_doubt) override;
  Result<format::WindowRecord> find(std::string_view name) override;
  Result<WindowUse> open(std::string_view name, AccessRight right,
                         std::span<const format::ProcessIdentity> users) override;
  Result<format::WindowRecord> get(std::uint64_t window_id) override;
  Result<std::uint64_t> duplicate(std::uint64_t use_id) override;
  [[nodiscard]] std::shared_ptr<const void> share(std::uint64_t window_id, AccessRight right) override;
  Status close(std::uint64_t use_id) override;

  Result<AllocationUse> allocate(const AllocationRequest& request,
                                 std::span<const format::ProcessIdentity> users) override;
  Status set_allocation_consistency(std::uint64_t id, format::Consistency consistency) override;
  Result<AllocationUse> open_allocation(std::uint64_t id, std::optional<std::uint64_t> challenge, AccessRight right,
                                        std::span<const format::ProcessIdentity> users) override;
  Result<format::AllocationRecord> find_allocation(std::uint64_t id) override;
  Result<format::AllocationRecord> find_allocation(std::string_view name) override;
  Result<bool> free_allocation(std::uint64_t id, bool recursive) override;
  Result<std::vector<AllocationReport>> allocations() override;

  Status publish(std::string_view service, std::string_view port_name) override;
  Result<std::string> lookup(std::string_view service) override;
  Status unpublish(std::string_view service, std::string_view port_name) override;

  Result<Memory> create_memory(std::uint64_t allocation_id, std::uint64_t bytes, format::Reserve reserve) override;
  Result<Memory> open_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes,
                            Protection protection) override;
  Status reserve_range(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) override;
  Status persist(std::uint64_t root_id, std::uint64_t offset_bytes, std::uint64_t bytes) override;
  [[nodiscard]] bool maps() const noexcept override { return link_->maps(); }
  Result<Mapping> create_control(std::uint64_t use_id, std::uint64_t bytes) override;
  Result<Mapping> open_control(std::uint64_t use_id, std::uint64_t bytes) override;
  Status drop_control(std::uint64_t use_id) override;
  Result<Mapping> open_locks(std::uint64_t window_id, std::uint32_t ranks) override;
  Result<std::unique_ptr<WindowAgent>> open_agent(std::uint64_t window_id) override;
  Result<std::unique_ptr<NotificationQueue>> open_notifications(std::uint64_t allocation_id) override;

  [[nodiscard]] format::NodeRecord node() const override;
  /// The present session.
  [[nodiscard]] Result<format::ProcessIdentity> user(std::uint32_t rank) override;
  Result<std::uint64_t> count_users(std::uint64_t object_id) override;

  Result<StoreSummary> summary() override;
  Result<std::vector<WindowReport>> list() override;
  Result<bool> remove(std::string_view name) override;
  Status set_capacity(std::uint64_t bytes) override;
  Result<Collected> collect() override;
  /// Nothing: the server did that, before this client came.
  [[nodiscard]] Collected released_at_open() const override { return {}; }
  Result<Findings> check() override;
  Result<Statistics> statistics() override;
  Result<ParityDone> combine(const ParityPart& part, std::chrono::steady_clock::time_point deadline) override;

  Result<std::vector<NamReport>> nams() override;
  Result<Service*> nam(std::uint32_t index) override;
  Result<std::vector<std::string>> remove_nam(std::uint32_t index, bool force) override;

 private:
  explicit Client(std::shared_ptr<ClientLink> link) : link_{std::move(link)} {}
  [[nodiscard]] Result<WindowUse> opened(WindowUse use, AccessRight right);
  [[nodiscard]] Result<AllocationUse> opened(AllocationUse use, AccessRight right);
  [[nodiscard]] Result<Mapping> map_page(const request::Any& request, std::uint64_t bytes, std::string_view what);

  std::shared_ptr<ClientLink> link_;
  std::mutex nams_mutex_;
  std::map<std::uint32_t, std::unique_ptr<Client>> nams_;  ///< the memory nodes that were asked for
};

}  // namespace psnam::nam
