#include "backends/fabric_objects.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <cstring>

namespace psnam::backends {
namespace {

// What is tried, the best first, and as what libfabric knows it. Never "sockets", which is slow and no longer kept up,
// and never "tcp;ofi_rxm", whose endpoints take a hundred times as long to make.
struct Provider {
  std::string_view name;
  std::string_view full_name;
  bool sockets;
};
constexpr std::array<Provider, 5> kProviders{{
    {"cxi", "cxi", false},
    {"efa", "efa", false},
    {"verbs", "verbs;ofi_rxm", false},
    {"tcp", "tcp", true},
    {"net", "net", true},  // what "tcp" was called before libfabric 1.18
}};
constexpr std::string_view kLoopback = "127.0.0.1";
constexpr std::size_t kCompletions = 1024;  // more than any connection has under way
constexpr std::uint32_t kApiVersion = FI_VERSION(1, 15);

std::string known_providers() {
  std::string names;
  for (const Provider& provider : kProviders) names += (names.empty() ? "" : ", ") + std::string{provider.name};
  return names;
}

Info make_hints(const Provider& provider, bool ordered) {
  Info hints{fi_allocinfo()};
  hints->caps = FI_RMA | FI_READ | FI_WRITE | FI_REMOTE_READ | FI_REMOTE_WRITE;
  hints->mode = FI_CONTEXT | FI_CONTEXT2;
  hints->ep_attr->type = FI_EP_RDM;
  hints->domain_attr->mr_mode = FI_MR_LOCAL | FI_MR_VIRT_ADDR | FI_MR_ALLOCATED | FI_MR_PROV_KEY | FI_MR_ENDPOINT;
  hints->domain_attr->threading = FI_THREAD_SAFE;
  hints->domain_attr->control_progress = FI_PROGRESS_MANUAL;
  hints->domain_attr->data_progress = FI_PROGRESS_MANUAL;
  if (ordered) hints->tx_attr->msg_order = FI_ORDER_RAW | FI_ORDER_WAW;
  hints->fabric_attr->prov_name = ::strndup(provider.full_name.data(), provider.full_name.size());
  return hints;
}

/// Null if the provider is not to be had.
Info ask(const Provider& provider, const std::string& local_address) {
  std::string address = local_address.empty() && provider.sockets ? std::string{kLoopback} : local_address;
  // As a socket for both families names an address of the older one.
  constexpr std::string_view kMapped = "::ffff:";
  if (address.starts_with(kMapped) && address.find('.') != std::string::npos) address.erase(0, kMapped.size());
  const char* const node = address.empty() ? nullptr : address.c_str();
  for (const bool ordered : {true, false}) {
    const Info hints = make_hints(provider, ordered);
    fi_info* first = nullptr;
    if (fi_getinfo(kApiVersion, node, nullptr, node == nullptr ? 0 : FI_SOURCE, hints.get(), &first) != 0) continue;
    const Info all{first};
    // A wanted name also brings layers over that provider; what is taken is the provider itself.
    for (const fi_info* info = first; info != nullptr; info = info->next)
      if (info->fabric_attr->prov_name == provider.full_name) return Info{fi_dupinfo(info)};
  }
  return nullptr;
}

std::string absence(const std::string& provider, const std::string& local_address) {
  std::string text = provider.empty() ? fmt::format("none of the fabric providers {} is to be had", known_providers())
                                      : fmt::format("the fabric provider {} is not to be had", provider);
  if (!local_address.empty()) text += fmt::format(" at the local address {}", local_address);
  const char* const foreign = std::getenv("FI_PROVIDER");
  if (foreign != nullptr) text += fmt::format("; FI_PROVIDER = \"{}\" in the environment may hide it", foreign);
  return text;
}

}  // namespace

Error fabric_error(std::string_view what, long code) {
  const int number = static_cast<int>(-code);
  const bool room = number == FI_ENOMEM || number == FI_EMFILE || number == FI_ENOSPC;
  return {room ? Code::no_memory : Code::system, fmt::format("{}: {}", what, fi_strerror(number)), number};
}

Result<Info> find_provider(const std::string& provider, const std::string& local_address) {
  bool known = provider.empty();
  for (const Provider& each : kProviders) {
    if (!provider.empty() && provider != each.name) continue;
    known = true;
    if (Info info = ask(each, local_address)) return info;
  }
  if (!known)
    return Error{Code::unsupported,
                 fmt::format("\"{}\" is none of the fabric providers {}", provider, known_providers())};
  return Error{Code::unsupported, absence(provider, local_address)};
}

std::string provider_name(const fi_info& info) {
  for (const Provider& each : kProviders)
    if (info.fabric_attr->prov_name == each.full_name) return std::string{each.name};
  return info.fabric_attr->prov_name;
}

bool over_sockets(const fi_info& info) noexcept {
  for (const Provider& each : kProviders)
    if (info.fabric_attr->prov_name == each.full_name) return each.sockets;
  return false;
}

bool descriptor_brings_thread(const fi_info& info) noexcept { return provider_name(info) == "tcp"; }

namespace {

Status open_completions(Domain& domain, Waiting waiting) {
  fi_cq_attr attributes{};
  attributes.format = FI_CQ_FORMAT_CONTEXT;
  attributes.size = kCompletions;
  attributes.wait_obj = waiting == Waiting::by_descriptor ? FI_WAIT_FD : FI_WAIT_NONE;
  fid_cq* queue = nullptr;
  int code = fi_cq_open(domain.domain.get(), &attributes, &queue, nullptr);
  if (code != 0 && attributes.wait_obj != FI_WAIT_NONE) {
    attributes.wait_obj = FI_WAIT_NONE;
    code = fi_cq_open(domain.domain.get(), &attributes, &queue, nullptr);
  }
  if (code != 0) return fabric_error("opening a completion queue of the fabric", code);
  domain.completions.reset(queue);
  if (attributes.wait_obj == FI_WAIT_FD && fi_control(&queue->fid, FI_GETWAIT, &domain.wait_fd) != 0)
    domain.wait_fd = -1;
  return {};
}

}  // namespace

Result<Domain> Domain::open(Info info, std::string local_address, Waiting waiting) {
  Domain domain;
  domain.local_address = std::move(local_address);
  domain.info = std::move(info);
  fid_fabric* fabric = nullptr;
  if (const int code = fi_fabric(domain.info->fabric_attr, &fabric, nullptr); code != 0)
    return fabric_error("opening the fabric", code);
  domain.fabric.reset(fabric);
  fid_domain* of_fabric = nullptr;
  if (const int code = fi_domain(fabric, domain.info.get(), &of_fabric, nullptr); code != 0)
    return fabric_error("opening a domain of the fabric", code);
  domain.domain.reset(of_fabric);
  fi_av_attr attributes{};
  attributes.type = domain.info->domain_attr->av_type;
  fid_av* peers = nullptr;
  if (const int code = fi_av_open(of_fabric, &attributes, &peers, nullptr); code != 0)
    return fabric_error("opening an address table of the fabric", code);
  domain.peers.reset(peers);
  PSNAM_CHECK(open_completions(domain, waiting));
  return domain;
}

Result<Fid<fid_ep>> Domain::make_endpoint() const {
  fid_ep* made = nullptr;
  if (const int code = fi_endpoint(domain.get(), info.get(), &made, nullptr); code != 0)
    return fabric_error(fmt::format("making an endpoint of the fabric at the local address \"{}\"", local_address),
                        code);
  Fid<fid_ep> endpoint{made};
  int code = fi_ep_bind(made, &peers->fid, 0);
  if (code == 0) code = fi_ep_bind(made, &completions->fid, FI_TRANSMIT | FI_RECV);
  if (code == 0) code = fi_enable(made);
  if (code != 0)
    return fabric_error(fmt::format("enabling an endpoint of the fabric at the local address \"{}\"", local_address),
                        code);
  return endpoint;
}

bool Domain::may_sleep() const noexcept {
  fid* waited_for = &completions->fid;
  return fi_trywait(fabric.get(), &waited_for, 1) == 0;
}

}  // namespace psnam::backends
