// Preloaded into namd: the wall clock that it sees is off by the number of seconds (8 bytes) in the file of TEST_CLOCK,
// at once when that changes. The monotonic clock is left alone, as no administrator can set that.
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int (*ClockGettime)(clockid_t, struct timespec*);

static ClockGettime find_real(void) {
  ClockGettime function;
  // The form that POSIX shows: ISO C has no cast from an object to a function.
  *(void**)&function = dlsym(RTLD_NEXT, "clock_gettime");
  return function;
}

static ClockGettime real_clock_gettime;
static const volatile int64_t* shift_seconds;

__attribute__((constructor)) static void open_clock(void) {
  real_clock_gettime = find_real();
  const char* const file = getenv("TEST_CLOCK");
  const int fd = file != NULL ? open(file, O_RDONLY | O_CLOEXEC) : -1;
  void* const page = fd >= 0 ? mmap(NULL, sizeof *shift_seconds, PROT_READ, MAP_SHARED, fd, 0) : MAP_FAILED;
  if (fd >= 0) close(fd);
  if (page == MAP_FAILED) {
    fprintf(stderr, "no file with a shift of the clock: %s\n", file != NULL ? file : "TEST_CLOCK is not set");
    exit(2);
  }
  shift_seconds = page;
  fprintf(stderr, "this is a shifted clock\n");
}

int clock_gettime(clockid_t id, struct timespec* now) {
  // Before the constructor somebody may ask already.
  if (real_clock_gettime == NULL) real_clock_gettime = find_real();
  const int rc = real_clock_gettime(id, now);
  if (rc == 0 && shift_seconds != NULL && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
    now->tv_sec += *shift_seconds;
  return rc;
}

time_t time(time_t* out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != NULL) *out = now.tv_sec;
  return now.tv_sec;
}

int gettimeofday(struct timeval* restrict now, void* restrict zone) {
  (void)zone;
  struct timespec exact;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
