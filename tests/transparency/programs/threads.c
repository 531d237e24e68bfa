/* No MPI here: threads, a forked child, and an exec, each with an output. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kThreads = 4, kTurns = 10000 };

static atomic_int g_sum;

static void* add(void* unused) {
  (void)unused;
  for (int i = 0; i < kTurns; ++i) atomic_fetch_add(&g_sum, 1);
  return NULL;
}

int main(void) {
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i)
    if (pthread_create(&threads[i], NULL, add, NULL) != 0) return 2;
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  printf("sum %d\n", atomic_load(&g_sum));
  fflush(stdout);
  const pid_t child = fork();
  if (child < 0) return 2;
  if (child == 0) {
    execl("/bin/echo", "echo", "from the child", (char*)NULL);
    _exit(2);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != 0) return 2;
  return 7;
}
