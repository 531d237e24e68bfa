/* The plain way to the roundtrip: a main. */
#include "roundtrip.h"

int main(int argc, char** argv) { return roundtrip(argc, argv); }
