/* Gather, scatter and broadcast of uneven parts through memory of the NAM: rank r has r + 1 numbers, and the last rank
 * is the root. For any number of ranks and any MPI. */
#include <nam_ext.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int good, const char* what) {
  if (good) return;
  fprintf(stderr, "%s: %s\n", what, nam_strerror());
  MPI_Abort(MPI_COMM_WORLD, 1);
}

int main(int argc, char** argv) {
  int rank, ranks, root, all;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  root = ranks - 1;
  all = ranks * (ranks + 1) / 2;

  const size_t my_bytes = (size_t)(rank + 1) * sizeof(int), all_bytes = (size_t)all * sizeof(int);
  int *mine = (int*)malloc(my_bytes), *everything = (int*)calloc((size_t)all, sizeof(int));
  nam_ext_allocation_t* memory = nam_malloc_all(all_bytes, root, MPI_COMM_WORLD);
  check(memory != NULL && mine != NULL && everything != NULL, "nam_malloc_all");

  for (int i = 0; i <= rank; ++i) mine[i] = 100 * rank + i;
  check(nam_gather(0, mine, my_bytes, everything, all_bytes, root, memory) == 0, "nam_gather");
  if (rank == root)
    for (int i = 0; i < all; ++i) everything[i] += 1000;
  check(nam_scatter(0, everything, all_bytes, mine, my_bytes, root, memory) == 0, "nam_scatter");
  printf("rank %d: my last number is %d\n", rank, mine[rank]);

  check(nam_bcast(0, everything, all_bytes, root, memory) == 0, "nam_bcast");
  printf("rank %d: the first number of the root is %d\n", rank, everything[all - ranks]);

  check(nam_free_all(memory) == 0, "nam_free_all");
  free(mine);
  free(everything);
  MPI_Finalize();
  return 0;
}
