#include "checkpoint/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/system.hpp"

namespace psnam::checkpoint {
namespace {

constexpr std::string_view kUnfinished = ".unfinished";

Error failed(const char* what, const std::filesystem::path& path) {
  return psnam::system_error(fmt::format("cannot {} {}", what, path.string()), errno);
}

/// Nothing of a name leads to another folder.
std::string file_name_of(const std::string& series) {
  std::string name;
  for (const char c : series)
    if (c == '/' || c == '%')
      name += fmt::format("%{:02x}", static_cast<unsigned char>(c));
    else
      name += c;
  return name;
}

/// "NUMBER.STAMP".
std::optional<VersionKey> parse(std::string_view text) {
  VersionKey key;
  const char* const end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, key.number);
  if (number.ec != std::errc{} || number.ptr == end || *number.ptr != '.') return {};
  const auto stamp = std::from_chars(number.ptr + 1, end, key.stamp);
  if (stamp.ec != std::errc{} || stamp.ptr != end || !key) return {};
  return key;
}

struct FileName {
  VersionKey key;
  std::uint32_t rank = 0, ranks = 0;
};

/// PREFIX NUMBER.STAMP.RANKofRANKS.checkpoint
std::optional<FileName> parse_name(std::string_view prefix, std::string_view name) {
  constexpr std::string_view kEnd = ".checkpoint";
  if (!name.starts_with(prefix) || !name.ends_with(kEnd) || name.size() <= prefix.size() + kEnd.size()) return {};
  name = name.substr(prefix.size(), name.size() - prefix.size() - kEnd.size());
  const std::size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return {};
  const auto key = parse(name.substr(0, dot));
  const std::string_view who = name.substr(dot + 1);
  const std::size_t of = who.find("of");
  if (!key || of == std::string_view::npos) return {};
  FileName found{.key = *key};
  const char* const end = who.data() + who.size();
  const auto rank = std::from_chars(who.data(), end, found.rank);
  const auto ranks = std::from_chars(who.data() + of + 2, end, found.ranks);
  if (rank.ec != std::errc{} || rank.ptr != who.data() + of || ranks.ec != std::errc{} || ranks.ptr != end ||
      found.rank >= found.ranks)
    return {};
  return found;
}

/// What it is called, or is to be called when all of it is written.
std::string finished_name_of(const std::filesystem::path& path) {
  std::string name = path.filename().string();
  if (name.ends_with(kUnfinished)) name.resize(name.size() - kUnfinished.size());
  return name;
}

Status write_all(int descriptor, std::span<const std::byte> bytes, const std::filesystem::path& path,
                 std::atomic<std::uint64_t>* progress) {
  constexpr std::size_t kAtOnce = 16 << 20;
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), std::min(bytes.size(), kAtOnce));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    if (progress != nullptr) *progress += static_cast<std::uint64_t>(written);
  }
  if (::fsync(descriptor) != 0) return failed("sync", path);
  return {};
}

}  // namespace

Files::Files(std::filesystem::path folder, const std::string& series, std::uint32_t ranks, std::uint32_t rank)
    : folder_{std::move(folder)},
      series_{series},
      prefix_{file_name_of(series) + "."},
      suffix_{fmt::format(".{}of{}.checkpoint", rank, ranks)},
      ranks_{ranks},
      rank_{rank} {}

std::filesystem::path Files::path_of(const VersionKey& key) const {
  return folder_ / fmt::format("{}{}.{}{}", prefix_, key.number, key.stamp, suffix_);
}

std::vector<VersionKey> Files::versions() const {
  std::vector<VersionKey> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{folder_, error}) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix_) || !name.ends_with(suffix_) || name.size() <= prefix_.size() + suffix_.size())
      continue;
    const auto middle = std::string_view{name}.substr(prefix_.size(), name.size() - prefix_.size() - suffix_.size());
    if (const auto key = parse(middle)) found.push_back(*key);
  }
  std::ranges::sort(found, std::greater{});
  return found;
}

std::vector<std::uint32_t> Files::numbers_of_ranks() const {
  // What a name alone says is not believed: whoever goes on with it makes room for as many ranks.
  std::map<std::uint32_t, std::set<std::uint32_t>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{folder_, error})
    if (const auto name = parse_name(prefix_, entry.path().filename().string())) found[name->ranks].insert(name->rank);
  std::vector<std::uint32_t> numbers;
  for (const auto& [ranks, with_file] : found)
    if (with_file.size() == ranks) numbers.push_back(ranks);
  return numbers;
}

void Files::remove_of_others(const VersionKey& key) const {
  std::error_code error;
  std::vector<std::filesystem::path> old;
  for (const auto& entry : std::filesystem::directory_iterator{folder_, error}) {
    const auto name = parse_name(prefix_, finished_name_of(entry.path()));
    if (name && name->ranks != ranks_ && name->key <= key) old.push_back(entry.path());
  }
  for (const auto& path : old) std::filesystem::remove(path, error);
}

std::uint64_t Files::bytes_of_all(const VersionKey& key) const {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator{folder_, error}) {
    const auto name = parse_name(prefix_, finished_name_of(entry.path()));
    if (!name || name->key != key) continue;
    const auto size = entry.file_size(error);
    if (!error) bytes += size;
  }
  return bytes;
}

Status Files::add(const CopyView& copy, std::atomic<std::uint64_t>* written_bytes) const {
  const VersionKey key = copy.version();
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  const std::filesystem::path path = path_of(key);
  const std::filesystem::path unfinished = path.string() + std::string{kUnfinished};
  const Fd file{::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
  if (file.get() < 0) return failed("make", unfinished);
  Status written = write_all(file.get(), copy.whole(), unfinished, written_bytes);
  if (written && ::rename(unfinished.c_str(), path.c_str()) != 0) written = failed("name", path);
  if (!written) {
    ::unlink(unfinished.c_str());
    return written;
  }
  const Fd folder{::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (folder.get() < 0 || ::fsync(folder.get()) != 0) return failed("sync", folder_);
  return {};
}

void Files::remove_older(const VersionKey& key, std::size_t kept) const {
  auto all = versions();
  std::erase_if(all, [&](const VersionKey& one) { return one > key; });
  std::error_code error;
  for (std::size_t index = kept; index < all.size(); ++index) std::filesystem::remove(path_of(all[index]), error);
}

void Files::remove_unfinished() const {
  const std::string end = suffix_ + std::string{kUnfinished};
  std::error_code error;
  std::vector<std::filesystem::path> left;
  for (const auto& entry : std::filesystem::directory_iterator{folder_, error}) {
    const std::string name = entry.path().filename().string();
    if (!name.ends_with(end) || !name.starts_with(prefix_) || name.size() <= prefix_.size() + end.size()) continue;
    const auto middle = std::string_view{name}.substr(prefix_.size(), name.size() - prefix_.size() - end.size());
    if (parse(middle)) left.push_back(entry.path());
  }
  for (const auto& path : left) std::filesystem::remove(path, error);
}

Result<std::vector<std::byte>> Files::read(const VersionKey& key, CopyOwner& owner) const {
  const std::filesystem::path path = path_of(key);
  std::ifstream file{path, std::ios::binary | std::ios::ate};
  if (!file) return failed("open", path);
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.tellg()));
  file.seekg(0);
  if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())))
    return failed("read", path);
  format::CheckpointCopyHeader header{};
  if (bytes.size() >= sizeof header) std::memcpy(&header, bytes.data(), sizeof header);
  owner = {.series = {}, .ranks = ranks_, .rank = rank_};
  std::ranges::copy(header.series, owner.series.bytes.begin());
  const CopyView copy{bytes, owner};
  if (copy.version() != key || copy.count_damaged() != 0)
    return Error{Code::corrupt, fmt::format("the file {} is not as it was written", path.string())};
  return bytes;
}

Status Files::remove_all() const {
  for (const VersionKey& key : versions())
    if (::unlink(path_of(key).c_str()) != 0 && errno != ENOENT) return failed("remove", path_of(key));
  return {};
}

}  // namespace psnam::checkpoint
