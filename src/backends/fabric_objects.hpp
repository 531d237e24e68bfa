// libfabric's objects, owned; its errors; and which provider is taken.
#pragma once

#include <rdma/fabric.h>
#include <rdma/fi_cm.h>
#include <rdma/fi_domain.h>
#include <rdma/fi_endpoint.h>
#include <rdma/fi_errno.h>
#include <rdma/fi_rma.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace psnam::backends {

template <class F>
struct CloseFid {
  void operator()(F* object) const noexcept { fi_close(&object->fid); }
};
/// An object of libfabric that is closed when its owner goes. Others that it was made from outlive it.
template <class F>
using Fid = std::unique_ptr<F, CloseFid<F>>;

struct FreeInfo {
  void operator()(fi_info* info) const noexcept { fi_freeinfo(info); }
};
using Info = std::unique_ptr<fi_info, FreeInfo>;

/// "<what>: <text>", for a function of libfabric that returned the negative `code`.
[[nodiscard]] Error fabric_error(std::string_view what, long code);

/// How an endpoint for one-sided access over `provider` from `local_address` is made. Both may be empty, as in
/// FabricOptions. Code::unsupported when there is no such provider here.
[[nodiscard]] Result<Info> find_provider(const std::string& provider, const std::string& local_address);
/// The name to give to find_provider on the other side.
[[nodiscard]] std::string provider_name(const fi_info& info);
/// True if the bytes move over TCP sockets of this process.
[[nodiscard]] bool over_sockets(const fi_info& info) noexcept;
/// True if a descriptor to wait on costs a thread of the provider's, which then works at times of its own.
[[nodiscard]] bool descriptor_brings_thread(const fi_info& info) noexcept;

/// Whether somebody wants to sleep until there are completions.
enum class Waiting { by_looking, by_descriptor };

/// What endpoints of one local address share. Members are closed from the last to the first.
struct Domain {
  Info info;
  std::string local_address;  ///< as it was asked for
  Fid<fid_fabric> fabric;
  Fid<fid_domain> domain;
  Fid<fid_av> peers;
  Fid<fid_cq> completions;
  int wait_fd = -1;  ///< readable when `completions` may have something; -1: the provider has none

  [[nodiscard]] static Result<Domain> open(Info info, std::string local_address, Waiting waiting);
  /// A ready endpoint.
  [[nodiscard]] Result<Fid<fid_ep>> make_endpoint() const;
  /// True if it may be slept on wait_fd: nothing is there that it would not show.
  [[nodiscard]] bool may_sleep() const noexcept;
  [[nodiscard]] bool needs(int mr_mode) const noexcept { return (info->domain_attr->mr_mode & mr_mode) != 0; }
};

}  // namespace psnam::backends
