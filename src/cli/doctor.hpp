// What namctl doctor looks at. Each examination adds what it found, good or wrong, with what to do about it.
#pragma once

#include <string>
#include <vector>

#include "cli/command.hpp"

namespace psnam::cli {

enum class Verdict { good, note, wrong };

struct Finding {
  Verdict verdict = Verdict::good;
  std::string subject;
  std::string text;
  std::string hint{};  ///< what to do; for what is wrong, and some notes
};

using Diagnosis = std::vector<Finding>;

void examine_environment(const Invocation& invocation, Diagnosis& diagnosis);
void examine_mpi(const Invocation& invocation, Diagnosis& diagnosis);
void examine_library(const Invocation& invocation, Diagnosis& diagnosis);
/// The embedded store.
void examine_store(const Invocation& invocation, Diagnosis& diagnosis);
/// The manager that is meant, if one is.
void examine_manager(const Invocation& invocation, Diagnosis& diagnosis);
/// What a service holds, and how full it is; its own user may compare its catalog with its files.
void examine_service(nam::Service& service, const std::string& subject, Diagnosis& diagnosis);
void examine_limits(const Invocation& invocation, Diagnosis& diagnosis);

/// The first file called `name` in the folders of `path`, separated by colons; empty if there is none.
[[nodiscard]] std::string find_in(std::string_view path, std::string_view name);

}  // namespace psnam::cli
