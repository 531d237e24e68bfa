// MPICH waits in a loop that polls UCX and never gives up its processor. Where the ranks of a test, and tests beside
// it, are more than the processors, each of its waits costs the others a time slice; so here a rank that has polled in
// vain for a while rests between its polls. It rests instead of yielding, for a yield is charged as a whole time slice
// where others have work for it. With another transport than UCX nobody calls this function.
#include <dlfcn.h>
#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

namespace {

constexpr unsigned kPollsBeforeRest = 20;
constexpr timespec kRest{.tv_sec = 0, .tv_nsec = 20'000};

using Progress = unsigned (*)(void*);

Progress next_progress() {
  void* const found = ::dlsym(RTLD_NEXT, "ucp_worker_progress");
  if (found == nullptr) {
    std::fprintf(stderr, "the MPI library polls UCX, and there is no ucp_worker_progress: %s\n", ::dlerror());
    std::abort();
  }
  return reinterpret_cast<Progress>(found);
}

}  // namespace

// Found by the MPI library before UCX's own, for programs come first.
extern "C" [[gnu::visibility("default")]] unsigned ucp_worker_progress(void* worker);
extern "C" unsigned ucp_worker_progress(void* worker) {
  static const Progress progress = next_progress();
  thread_local unsigned polls_in_vain = 0;
  const unsigned done = progress(worker);
  if (done != 0)
    polls_in_vain = 0;
  else if (++polls_in_vain >= kPollsBeforeRest)
    ::ppoll(nullptr, 0, &kRest, nullptr);
  return done;
}
