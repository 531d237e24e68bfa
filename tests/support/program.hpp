// Runs a program with arguments and an environment, and gives back what it wrote and how it ended.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

namespace psnam::test {

struct ProgramResult {
  int status = -1;  ///< exit status, or minus the signal
  std::string out;
  std::string err;
};

namespace detail {

/// A file without a name, so that neither output can fill a pipe while the other is read.
inline std::FILE* unnamed_file() {
  std::FILE* const file = std::tmpfile();
  if (file == nullptr) std::abort();
  return file;
}

inline std::string take(std::FILE* file) {
  std::string text;
  std::rewind(file);
  std::array<char, 4096> buffer{};
  for (std::size_t bytes = 1; bytes != 0;) {
    bytes = std::fread(buffer.data(), 1, buffer.size(), file);
    text.append(buffer.data(), bytes);
  }
  std::fclose(file);
  return text;
}

}  // namespace detail

/// Runs `command` (path and arguments). Variables of `environment` are set, those with an empty value removed.
inline ProgramResult run_program(const std::vector<std::string>& command,
                                 const std::map<std::string, std::string>& environment = {}) {
  std::FILE* const out = detail::unnamed_file();
  std::FILE* const err = detail::unnamed_file();
  const pid_t pid = ::fork();
  if (pid == 0) {
    for (const auto& [name, value] : environment)
      value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
    ::dup2(::fileno(out), STDOUT_FILENO);
    ::dup2(::fileno(err), STDERR_FILENO);
    std::vector<char*> arguments;
    for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }
  int status = 0;
  ProgramResult result;
  if (pid > 0 && ::waitpid(pid, &status, 0) == pid)
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  result.out = detail::take(out);
  result.err = detail::take(err);
  return result;
}

}  // namespace psnam::test
