// namctl doctor: the environment, the library, the MPI library, and the limits of the system.
#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "cli/doctor.hpp"
#include "cli/text.hpp"
#include "psnam_version.hpp"

namespace psnam::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLibrary = "libpsnam.so";

struct ClosePipe {
  void operator()(FILE* pipe) const noexcept { ::pclose(pipe); }
};

struct CloseLibrary {
  void operator()(void* library) const noexcept { ::dlclose(library); }
};

/// What `program --version` prints on standard output.
std::string version_output(const std::string& program) {
  std::string quoted;
  for (const char c : program) quoted += c == '\'' ? std::string{"'\\''"} : std::string{c};
  const std::unique_ptr<FILE, ClosePipe> pipe{::popen(fmt::format("'{}' --version 2>&1", quoted).c_str(), "re")};
  std::string output;
  std::array<char, 1024> buffer{};
  for (std::size_t bytes = 1; pipe && bytes != 0;) {
    bytes = std::fread(buffer.data(), 1, buffer.size(), pipe.get());
    output.append(buffer.data(), bytes);
  }
  return output;
}

/// The word after "Version:" in what Hydra, MPICH's mpiexec, says of itself; empty for any other.
std::string hydra_version(const std::string& output) {
  if (output.find("HYDRA") == std::string::npos) return {};
  const std::string_view mark = "Version:";
  const auto at = output.find(mark);
  const auto begin = at == std::string::npos ? at : output.find_first_not_of(' ', at + mark.size());
  if (begin == std::string::npos) return "?";
  return output.substr(begin, output.find_first_of(" \n", begin) - begin);
}

/// What the MPI library of the MPICH ABI that the dynamic loader finds says of itself; empty if it finds none. The
/// library needs no MPI_Init to tell its version.
std::string mpi_library_version() {
  constexpr int kLongest = 8192;  // MPI_MAX_LIBRARY_VERSION_STRING of MPICH
  for (const char* name : {"libmpich.so.12", "libmpi.so.12"}) {
    const std::unique_ptr<void, CloseLibrary> library{::dlopen(name, RTLD_LAZY | RTLD_LOCAL)};
    if (!library) continue;
    const auto ask = reinterpret_cast<int (*)(char*, int*)>(::dlsym(library.get(), "MPI_Get_library_version"));
    std::array<char, kLongest> text{};
    int length = 0;
    if (ask == nullptr || ask(text.data(), &length) != 0) continue;
    std::string line{text.data()};
    line.erase(std::min(line.size(), line.find('\n')));
    std::replace(line.begin(), line.end(), '\t', ' ');
    return fmt::format("{}: {}", name, line);
  }
  return {};
}

/// Folders in which libpsnam.so may be, seen from this program: installed in bin/ beside lib*/, or in the build folder.
std::string library_folders(const Invocation& invocation) {
  std::error_code error;
  const fs::path here = fs::read_symlink("/proc/self/exe", error).parent_path();
  std::string folders = here.string();
  for (const char* lib : {"lib", "lib64"}) {
    const fs::path folder = here.parent_path() / lib;
    folders += fmt::format(":{}", folder.string());
    for (const auto& entry : fs::directory_iterator{folder, error})
      if (entry.is_directory(error)) folders += fmt::format(":{}", entry.path().string());
  }
  if (const auto path = invocation.variable("LD_LIBRARY_PATH")) folders += fmt::format(":{}", *path);
  return folders;
}

struct Limit {
  decltype(RLIMIT_AS) which;
  std::string_view name;
  std::uint64_t least;
  std::string_view why;
  std::string_view hint;
};

constexpr std::uint64_t kMegabyte = std::uint64_t{1} << 20;

constexpr std::array kLimits{
    Limit{RLIMIT_AS, "address space", 4096 * kMegabyte, "the catalog and every region are mapped",
          "ulimit -v unlimited"},
    Limit{RLIMIT_FSIZE, "file size", 64 * kMegabyte, "each allocation is a file", "ulimit -f unlimited"},
    Limit{RLIMIT_NOFILE, "descriptors", 64, "the store and the MPI library hold some", "ulimit -n 1024"},
};

std::string limit_text(rlim_t value, bool bytes) {
  if (value == RLIM_INFINITY) return "unlimited";
  return bytes ? size_text(value) : std::to_string(value);
}

void examine_limit(const Limit& limit, Diagnosis& diagnosis) {
  rlimit value{};
  if (::getrlimit(limit.which, &value) != 0) return;
  const std::string text = fmt::format("{}: {}", limit.name, limit_text(value.rlim_cur, limit.which != RLIMIT_NOFILE));
  if (value.rlim_cur >= limit.least)
    diagnosis.push_back({Verdict::good, "limits", text});
  else
    diagnosis.push_back(
        {Verdict::wrong, "limits", fmt::format("{}, too little: {}", text, limit.why), std::string{limit.hint}});
}

}  // namespace

std::string find_in(std::string_view path, std::string_view name) {
  while (!path.empty()) {
    const std::string_view folder = path.substr(0, path.find(':'));
    path.remove_prefix(std::min(path.size(), folder.size() + 1));
    if (folder.empty()) continue;
    const fs::path file = fs::path{folder} / name;
    std::error_code error;
    if (fs::is_regular_file(file, error)) return file.string();
  }
  return {};
}

void examine_environment(const Invocation& invocation, Diagnosis& diagnosis) {
  if (const auto options = parse_options(invocation.environment); options)
    diagnosis.push_back({Verdict::good, "environment", "every variable can be understood"});
  else
    diagnosis.push_back({Verdict::wrong, "environment", options.error().message, "namctl env shows what is known"});
}

void examine_library(const Invocation& invocation, Diagnosis& diagnosis) {
  diagnosis.push_back({Verdict::good, "psnam", fmt::format("version {}", kVersion)});
  const std::string library = find_in(library_folders(invocation), kLibrary);
  if (library.empty()) {
    diagnosis.push_back({Verdict::wrong, "psnam",
                         fmt::format("{} is neither beside namctl nor in LD_LIBRARY_PATH", kLibrary),
                         "install psnam, or add its folder to LD_LIBRARY_PATH"});
    return;
  }
  const auto preload = invocation.variable("LD_PRELOAD").value_or("");
  const bool loaded = preload.find("libpsnam.so") != std::string::npos;
  diagnosis.push_back(
      {Verdict::good, "psnam", library, loaded ? "" : fmt::format("use it with LD_PRELOAD={}", library)});
}

void examine_mpi(const Invocation& invocation, Diagnosis& diagnosis) {
  const std::string path = invocation.variable("PATH").value_or("");
  const std::string plain = find_in(path, "mpiexec");
  const std::string mpich = find_in(path, "mpiexec.mpich");
  const std::string version = plain.empty() ? "" : hydra_version(version_output(plain));
  if (!version.empty())
    diagnosis.push_back({Verdict::good, "mpiexec", fmt::format("{}: MPICH {}", plain, version)});
  else if (!mpich.empty())
    diagnosis.push_back({Verdict::note, "mpiexec",
                         fmt::format("{} is not MPICH's; {} is", plain.empty() ? "mpiexec" : plain, mpich),
                         "start jobs with mpiexec.mpich"});
  else
    diagnosis.push_back({Verdict::wrong, "mpiexec",
                         plain.empty() ? "there is none on PATH" : fmt::format("{} is not MPICH's", plain),
                         "install MPICH (Debian: the package mpich), or put its mpiexec on PATH"});
  const std::string library = mpi_library_version();
  if (library.empty())
    diagnosis.push_back({Verdict::wrong, "MPI library",
                         "no library of the MPICH ABI (libmpich.so.12, libmpi.so.12) is found",
                         "install MPICH (Debian: the package libmpich12), or add its folder to LD_LIBRARY_PATH"});
  else
    diagnosis.push_back({Verdict::good, "MPI library", library});
}

void examine_limits(const Invocation& invocation, Diagnosis& diagnosis) {
  for (const auto& limit : kLimits) examine_limit(limit, diagnosis);
  rlimit locked{};
  if (::getrlimit(RLIMIT_MEMLOCK, &locked) == 0)
    diagnosis.push_back(
        {Verdict::good, "limits",
         fmt::format("locked memory: {} (mapped windows need none)", limit_text(locked.rlim_cur, true))});
  struct statvfs room {};
  const std::string parent = invocation.folder().parent_path().string();
  if (::statvfs(parent.c_str(), &room) != 0) return;
  const std::uint64_t bytes = std::uint64_t{room.f_blocks} * room.f_frsize;
  // What container engines give by default.
  if (bytes <= 64 * kMegabyte)
    diagnosis.push_back({Verdict::wrong, "limits", fmt::format("{} has {}: few windows fit", parent, size_text(bytes)),
                         "give the container more (--shm-size), or name another folder with PSNAM_STORE"});
}

}  // namespace psnam::cli
