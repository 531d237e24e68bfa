// namctl: looks after the windows of a NAM store.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "cli/jobs.hpp"
#include "cli/owner.hpp"
#include "psnam_version.hpp"

namespace psnam::cli {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

using Command = std::function<Result<Outcome>()>;

/// Everything that was given to namctl, and what is to be done.
struct Parsed {
  Invocation invocation;
  std::vector<std::string> names;
  std::string size;
  std::string owner;  ///< whom to act for
  AllocationWish wish;
  FreeOptions free;
  TopOptions top;
  CheckpointWish checkpoint;
  JobWish job;
  std::optional<std::uint32_t> nam;  ///< to be removed
  bool force = false;
  Command command;
};

void add_commands(CLI::App& app, Parsed& parsed) {
  const auto add = [&](const char* name, const char* help, Command command) {
    CLI::App* const added = app.add_subcommand(name, help);
    added->callback([&parsed, command = std::move(command)] { parsed.command = command; });
    added->fallthrough();
    return added;
  };
  add("list", "the windows and allocations of the store", [&] { return list_contents(parsed.invocation); });
  add("show", "one window with its regions and users, or one allocation with its segments",
      [&] { return show_object(parsed.invocation, parsed.names.front()); })
      ->add_option("name", parsed.names, "name of a window, or id or name of an allocation")
      ->required()
      ->expected(1);
  add("rm", "remove windows: the name at once, the memory when nobody uses it any more",
      [&] { return remove_windows(parsed.invocation, parsed.names); })
      ->add_option("name", parsed.names, "names of windows")
      ->required();
  add("gc", "release what ended jobs left", [&] { return collect_garbage(parsed.invocation); });
  add("capacity", "how much the store may hold; with SIZE: set it",
      [&] { return show_capacity(parsed.invocation, parsed.size); })
      ->add_option("size", parsed.size,
                   "bytes, with K, M, G or T; sets the capacity, and makes the store if there is none");
  add("sessions", "the clients of the manager", [&] { return list_sessions(parsed.invocation); });
  CLI::App* const nams = add("nams", "the memory nodes of the manager", [&] {
    return parsed.nam ? remove_nam(parsed.invocation, *parsed.nam, parsed.force) : list_nams(parsed.invocation);
  });
  CLI::App* const gone = nams->add_subcommand("rm", "forget a memory node that will not come back");
  gone->fallthrough();
  gone->add_option("index", parsed.nam, "its index")->required();
  gone->add_flag("--force", parsed.force, "even if windows lie in it, which are lost then");
  CLI::App* const top = add("top", "sessions, users and rates of the manager, again and again",
                            [&] { return watch(parsed.invocation, parsed.top); });
  top->add_option("--interval", parsed.top.interval_seconds, "seconds from page to page (default: 2)");
  top->add_option("--count", parsed.top.count, "how many pages (default: until it is interrupted)");
  add("env", "the environment variables and their values", [&] { return show_environment(parsed.invocation); });
  add("doctor", "what is installed, where the store is, how full, and what is wrong",
      [&] { return examine(parsed.invocation); });
}

void add_allocation_commands(CLI::App& app, Parsed& parsed, CLI::Option* json) {
  CLI::App* const alloc = app.add_subcommand("alloc", "take memory that stays until it is freed, and print its id");
  alloc->callback([&parsed] { parsed.command = [&parsed] { return allocate(parsed.invocation, parsed.wish); }; });
  alloc->fallthrough();
  alloc->add_option("size", parsed.wish.size, "bytes, with K, M, G or T")->required();
  alloc->add_option("--name", parsed.wish.name, "a name to find it by");
  alloc->add_option("--expire", parsed.wish.expiry,
                    "until when it stays: a time from now (90, 90s, 5m, 2h, 1d), or @SECONDS since 1970");
  alloc->add_option("--mode", parsed.wish.mode, "who may use it, octal as for a file (default: 0600)");
  alloc->add_flag("--lazy", parsed.wish.lazy, "take the memory only where it is touched");
  alloc->add_flag("--export", parsed.wish.for_eval, "print a line that sets SLURM_NAM_ALLOC_ID, for eval")
      ->excludes(json);

  CLI::App* const free = app.add_subcommand("free", "give back allocations that nothing is in");
  free->callback([&parsed] {
    parsed.command = [&parsed] { return free_allocations(parsed.invocation, parsed.names, parsed.free); };
  });
  free->fallthrough();
  free->add_option("id", parsed.names, "ids or names of allocations")->required();
  free->add_flag("--recursive", parsed.free.recursive, "with the windows that are in them");
  free->add_flag("--if-exists", parsed.free.if_exists, "what is not there is no error");
}

void add_checkpoint_commands(CLI::App& app, Parsed& parsed) {
  CLI::App* const all = app.add_subcommand("checkpoint", "checkpoints of jobs: managed ones, and libNAM's sets");
  all->fallthrough();
  all->require_subcommand(1);
  using Function = Result<Outcome> (*)(const Invocation&, const CheckpointWish&);
  const auto add = [&](const char* name, const char* help, Function function) {
    CLI::App* const added = all->add_subcommand(name, help);
    added->callback([&parsed, function] {
      parsed.command = [&parsed, function] { return function(parsed.invocation, parsed.checkpoint); };
    });
    added->fallthrough();
    added
        ->add_option("--copies", parsed.checkpoint.copies,
                     "folder of a further store, to look for copies in; may be repeated")
        ->allow_extra_args(false);
    return added;
  };
  const auto add_named = [&](const char* name, const char* help, Function function) {
    CLI::App* const added = add(name, help, function);
    added->add_option("name", parsed.checkpoint.name, "name or id of a series or set")->required();
    return added;
  };
  add("list", "all of them, with their newest versions", list_checkpoints);
  add_named("show", "versions, where each rank's copy is, what is missing, what is being saved", show_checkpoints);
  add_named("verify", "read copies and parity, compare all checksums, and compute the parity again", verify_checkpoints)
      ->add_option("--version", parsed.checkpoint.version, "only this one (default: all)");
  add_named("rm", "remove a series or set with all versions", remove_checkpoints)
      ->add_flag("--force", parsed.checkpoint.force, "even if a job uses it");
  CLI::App* const exported =
      add_named("export", "write a version to files, from which a job can restart", export_checkpoints);
  exported->add_option("folder", parsed.checkpoint.folder, "made if it is not there")->required();
  exported->add_option("--version", parsed.checkpoint.version, "which one (default: the newest)");
}

/// One thing that a job can be asked for.
CLI::App* add_job_request(CLI::App& to, Parsed& parsed, const char* name, const char* help, format::JobRequest what) {
  CLI::App* const added = to.add_subcommand(name, help);
  added->fallthrough();
  added->callback([&parsed, what] {
    parsed.job.request.what = what;
    parsed.command = [&parsed] { return ask_job(parsed.invocation, parsed.job); };
  });
  added->add_option("name", parsed.job.name, "name of the job")->required();
  CLI::Option* const wait =
      added->add_option("--wait", parsed.job.wait_seconds, "how many seconds to wait until it is done (default: 300)");
  added->add_flag("--no-wait", parsed.job.no_wait, "do not wait until it is done")->excludes(wait);
  return added;
}

void add_job_requests(CLI::App& job, Parsed& parsed) {
  using format::JobRequest;
  CLI::App* const save = add_job_request(job, parsed, "checkpoint", "save a version", JobRequest::checkpoint);
  CLI::Option* const term = save->add_flag("--term", parsed.job.term, "the job ends after it");
  save->add_flag("--stop", parsed.job.stop, "the job stays where it is after it, until it is continued")
      ->excludes(term);
  add_job_request(job, parsed, "continue", "a stopped job goes on", JobRequest::proceed);
  add_job_request(job, parsed, "restart", "the job goes back to its newest version, in place", JobRequest::restart);
  add_job_request(job, parsed, "migrate", "save a version and end; at the next start these ranks leave their nodes",
                  JobRequest::migrate)
      ->add_option("rank", parsed.job.request.leaving, "ranks")
      ->required();
  CLI::App* const quiesce = job.add_subcommand("quiesce", "stop a job at a safe point, with nothing under way");
  quiesce->fallthrough();
  quiesce->require_subcommand(1);
  add_job_request(*quiesce, parsed, "start", "it stops", JobRequest::quiesce_start);
  add_job_request(*quiesce, parsed, "checkpoint", "it saves a version, and stays", JobRequest::quiesce_checkpoint);
  add_job_request(*quiesce, parsed, "end", "it goes on", JobRequest::quiesce_end);
}

void add_job_commands(CLI::App& app, Parsed& parsed) {
  CLI::App* const job = app.add_subcommand("job", "running jobs that can be asked to save, to stop, to go on, to end");
  job->fallthrough();
  job->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Command command) {
    CLI::App* const added = job->add_subcommand(name, help);
    added->fallthrough();
    added->callback([&parsed, command = std::move(command)] { parsed.command = command; });
    return added;
  };
  add("list", "the jobs, and in which state they are", [&] { return list_jobs(parsed.invocation); });
  add("show", "one job, with its ranks and what became of the last request",
      [&] { return show_job(parsed.invocation, parsed.names.front()); })
      ->add_option("name", parsed.names, "name of the job")
      ->required()
      ->expected(1);
  add("rm", "remove what jobs that were killed left", [&] { return remove_jobs(parsed.invocation, parsed.names); })
      ->add_option("name", parsed.names, "names of jobs")
      ->required();
  add_job_requests(*job, parsed);
}

void complain(const std::string& message) { std::fprintf(stderr, "namctl: %s\n", message.c_str()); }

int report(const Result<Outcome>& outcome) {
  if (!outcome) {
    complain(outcome.error().message);
    return kFailed;
  }
  std::fputs(outcome->output.c_str(), stdout);
  // Output that did not get out is a failure: a full disk, a closed pipe.
  if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
    complain("standard output cannot be written");
    return kFailed;
  }
  for (const auto& failure : outcome->failures) complain(failure);
  return outcome->failures.empty() && !outcome->failed ? 0 : kFailed;
}

int run(int argc, char** argv) {
  CLI::App app{"Looks after the windows of a NAM store.", "namctl"};
  Parsed parsed;
  app.set_version_flag("--version", std::string{"namctl (psnam) "} + kVersion);
  CLI::Option* const store =
      app.add_option("--store", parsed.invocation.store_argument,
                     "folder of the embedded store (default: PSNAM_STORE, else /dev/shm/psnam-UID)");
  app.add_option("--manager", parsed.invocation.manager_argument,
                 "the manager, a path or HOST[:PORT] (default: PSNAM_MANAGER, else the embedded store)")
      ->excludes(store);
  app.add_option("--nam", parsed.invocation.nam_argument,
                 "the NAM of the manager to work on: an index, or any: that with most left (default: the manager)");
  app.add_option("--owner", parsed.owner, "act for this user, a name or a number; root only");
  CLI::Option* const json = app.add_flag("--json", parsed.invocation.json, "output for programs");
  app.require_subcommand(1);
  add_commands(app, parsed);
  add_allocation_commands(app, parsed, json);
  add_checkpoint_commands(app, parsed);
  add_job_commands(app, parsed);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  if (!parsed.owner.empty())
    if (Status acting = become(parsed.owner); !acting) return report(acting.take_error());
  return report(parsed.command());
}

}  // namespace
}  // namespace psnam::cli

int main(int argc, char** argv) {
  try {
    return psnam::cli::run(argc, argv);
  } catch (const std::bad_alloc&) {
    std::fputs("namctl: no memory left\n", stderr);
    return psnam::cli::kFailed;
  }
}
