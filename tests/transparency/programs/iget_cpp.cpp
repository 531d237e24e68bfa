// The same program in C++.
#include "iget.c"  // NOLINT
