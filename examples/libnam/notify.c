/* Two processes: one puts pieces of work into memory of the NAM and says so by a notification for each, the other waits
 * for them. The first hands its record of the allocation to the second through a pipe; any other way is as good. */
#include <nam.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECES = 5, PIECE_BYTES = 64 };

static int failed(const char* what) {
  fprintf(stderr, "%s: %s\n", what, nam_strerror());
  return 1;
}

/* Waits for each piece and prints it. The last notification is PIECES. */
static int consume(int from) {
  nam_allocation_t memory;
  if (read(from, &memory, sizeof(memory)) != (ssize_t)sizeof(memory))
    return 1; /* the producer failed and has said so */
  if (nam_connect_allocation(&memory) != 0) return failed("nam_connect_allocation");
  for (;;) {
    uint64_t piece = 0;
    char text[PIECE_BYTES];
    if (nam_wait_notification(&memory, &piece, -1) != 0) return failed("nam_wait_notification");
    if (piece == PIECES) break;
    if (nam_get_sync(text, (size_t)piece * PIECE_BYTES, PIECE_BYTES, &memory) < 0) return failed("nam_get_sync");
    printf("%s\n", text);
  }
  return nam_free(&memory) == 0 ? 0 : failed("nam_free");
}

/* The memory lives as long as somebody uses it: the producer keeps it until the consumer has ended. */
static int produce(int to, nam_allocation_t** made) {
  nam_allocation_t* const memory = *made = nam_calloc(PIECES, PIECE_BYTES);
  if (memory == NULL) return failed("nam_calloc");
  if (write(to, memory, sizeof(*memory)) != (ssize_t)sizeof(*memory)) return 1;
  for (int i = 0; i < PIECES; ++i) {
    char text[PIECE_BYTES] = "";
    snprintf(text, sizeof(text), "piece %d of %d", i + 1, PIECES);
    if (nam_put_notify(text, (size_t)i * PIECE_BYTES, sizeof(text), (uint64_t)i, memory) < 0)
      return failed("nam_put_notify");
  }
  return nam_put_notify(NULL, 0, 0, PIECES, memory) < 0 ? failed("nam_put_notify") : 0;
}

int main(void) {
  int ends[2], status = 1, mine;
  nam_allocation_t* memory = NULL;
  pid_t child;
  if (pipe(ends) != 0) return 1;
  child = fork(); /* before anything of the NAM is used: a child has none of its parent's handles */
  if (child < 0) return 1;
  if (child == 0) {
    close(ends[1]);
    return consume(ends[0]);
  }
  close(ends[0]);
  mine = produce(ends[1], &memory);
  close(ends[1]);
  if (waitpid(child, &status, 0) != child || status != 0) mine = 1;
  if (memory != NULL && nam_free(memory) != 0) return failed("nam_free");
  return mine;
}
