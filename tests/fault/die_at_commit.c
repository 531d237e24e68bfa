/* Preloaded below the window library: the process of one rank dies by SIGKILL before or after its Nth commit to a
 * catalog. DIE_RANK=R  DIE_AT_COMMIT=N (from 1, since the process began)  DIE_WHEN=before|after Nothing is left of the
 * process that a crash of the machine's power would not leave too, but for what is in shared memory. */
#include <dlfcn.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct MDB_txn;

static int number_in(const char* name) {
  const char* text = getenv(name);
  return text != NULL ? atoi(text) : -1;
}

static void die(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

int mdb_txn_commit(struct MDB_txn* transaction) {
  static int commits = 0;
  int (*next)(struct MDB_txn*) = NULL;
  *(void**)&next = dlsym(RTLD_NEXT, "mdb_txn_commit");
  const char* when = getenv("DIE_WHEN");
  const int dies =
      when != NULL && number_in("PMI_RANK") == number_in("DIE_RANK") && ++commits == number_in("DIE_AT_COMMIT");
  if (dies && strcmp(when, "before") == 0) die();
  const int rc = next(transaction);
  if (dies) die();
  return rc;
}
