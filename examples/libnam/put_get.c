/* Allocates memory of the NAM, puts numbers there and gets them again, waiting for each transfer or overlapping it. */
#include <nam.h>
#include <stdio.h>
#include <stdlib.h>

enum { NUMBERS = 1000 };

static void check(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "%s: %s\n", what, nam_strerror());
  exit(1);
}

int main(void) {
  double mine[NUMBERS], back[NUMBERS];
  nam_async_request_t requests[2];
  nam_stat_t stat;
  nam_allocation_t* memory = nam_malloc(2 * sizeof(mine)); /* gone with this process; see nam_malloc_persistent */
  check(memory != NULL, "nam_malloc");
  check(nam_stat(memory, &stat) == 0, "nam_stat");
  printf("%zu bytes on NAM %d\n", (size_t)stat.size, stat.nam_index);

  for (int i = 0; i < NUMBERS; ++i) mine[i] = 0.5 * i;
  check(nam_put_sync(mine, 0, sizeof(mine), memory) == (ssize_t)sizeof(mine), "nam_put_sync");

  /* Two transfers at once; the buffers are ours again after the wait. */
  check(nam_put_async(mine, sizeof(mine), sizeof(mine), memory, &requests[0]) == 0, "nam_put_async");
  check(nam_get_async(back, 0, sizeof(back), memory, &requests[1]) == 0, "nam_get_async");
  check(nam_wait_all(2, requests) == 0, "nam_wait_all");
  printf("number 999 of the first half is %g\n", back[999]);

  check(nam_get_sync(back, sizeof(mine), sizeof(back), memory) == (ssize_t)sizeof(back), "nam_get_sync");
  printf("number 998 of the second half is %g\n", back[998]);

  /* An access that leaves the allocation is an error, and nothing is written. */
  if (nam_put_sync(mine, sizeof(mine) + 1, sizeof(mine), memory) < 0) printf("refused: %s\n", nam_strerror());

  check(nam_free(memory) == 0, "nam_free");
  check(nam_finalize() == 0, "nam_finalize");
  return 0;
}
