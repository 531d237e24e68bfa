/* Preloaded below the window library: the process of one rank dies by SIGKILL before or after it has sent its Nth
 * request to a NAM. DIE_RANK=R  DIE_AT_REQUEST=N (from 1, since the process began)  DIE_WHEN=before|after */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int number_in(const char* name) {
  const char* text = getenv(name);
  return text != NULL ? atoi(text) : -1;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

/* Others in the process, the MPI library for one, send messages of their own. */
static int is_ours(void* caller) {
  Dl_info from;
  return dladdr(caller, &from) != 0 && from.dli_fname != NULL && strstr(from.dli_fname, "libpsnam.so") != NULL;
}

ssize_t sendmsg(int fd, const struct msghdr* message, int flags) {
  static int requests = 0;
  ssize_t (*next)(int, const struct msghdr*, int) = NULL;
  *(void**)&next = dlsym(RTLD_NEXT, "sendmsg");
  const char* when = getenv("DIE_WHEN");
  const int dies = when != NULL && is_ours(__builtin_return_address(0)) &&
                   number_in("PMI_RANK") == number_in("DIE_RANK") && ++requests == number_in("DIE_AT_REQUEST");
  if (dies && strcmp(when, "before") == 0) die();
  const ssize_t sent = next(fd, message, flags);
  if (dies) die();
  return sent;
}
