// GoogleTest under MPI: every rank runs every test; a test has failed if it failed on any rank, and every rank says so.
#pragma once

#include <gtest/gtest.h>
#include <mpi.h>

#include <string>
#include <utility>
#include <vector>

namespace psnam::test {

[[nodiscard]] inline int rank_in(MPI_Comm comm) {
  int rank = 0;
  MPI_Comm_rank(comm, &rank);
  return rank;
}
[[nodiscard]] inline int size_of(MPI_Comm comm) {
  int size = 0;
  MPI_Comm_size(comm, &size);
  return size;
}
[[nodiscard]] inline int world_rank() { return rank_in(MPI_COMM_WORLD); }
[[nodiscard]] inline int world_size() { return size_of(MPI_COMM_WORLD); }

/// An info object that frees itself.
class Info {
 public:
  Info(std::initializer_list<std::pair<const char*, std::string>> pairs) {
    MPI_Info_create(&info_);
    for (const auto& [key, value] : pairs) set(key, value);
  }
  ~Info() { MPI_Info_free(&info_); }
  Info(const Info&) = delete;
  Info& operator=(const Info&) = delete;
  void set(const char* key, const std::string& value) { MPI_Info_set(info_, key, value.c_str()); }
  operator MPI_Info() const noexcept { return info_; }

 private:
  MPI_Info info_ = MPI_INFO_NULL;
};

[[nodiscard]] inline std::string info_value(MPI_Info info, const char* key) {
  char value[MPI_MAX_INFO_VAL + 1] = "";
  int flag = 0;
  MPI_Info_get(info, key, MPI_MAX_INFO_VAL, value, &flag);
  return flag != 0 ? value : "(absent)";
}

[[nodiscard]] inline std::string window_info(MPI_Win win, const char* key) {
  MPI_Info info = MPI_INFO_NULL;
  MPI_Win_get_info(win, &info);
  const std::string value = info_value(info, key);
  MPI_Info_free(&info);
  return value;
}

[[nodiscard]] inline int error_class(int code) {
  int error_class = -1;
  MPI_Error_class(code, &error_class);
  return error_class;
}

[[nodiscard]] inline std::string error_text(int code) {
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  return {text, static_cast<std::size_t>(length)};
}

/// The arguments that GoogleTest has left over, without the program's name.
[[nodiscard]] inline std::vector<std::string>& arguments() {
  static std::vector<std::string> arguments;
  return arguments;
}

}  // namespace psnam::test
