/* A program that knows nothing of MPI and opens a plug-in which does, privately (RTLD_LOCAL), as a Python extension is
 * opened. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  void* const plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (plugin == NULL) {
    fprintf(stderr, "private_main: %s\n", dlerror());
    return 2;
  }
  if (dlsym(RTLD_DEFAULT, "MPI_Barrier") != NULL) {
    fprintf(stderr, "private_main: the MPI library is not private, the test shows nothing\n");
    return 2;
  }
  int (*run)(int, char**) = NULL;
  *(void**)&run = dlsym(plugin, "roundtrip");
  return run != NULL ? run(argc - 1, argv + 1) : 2;
}
