/* The roundtrip as a function, for programs that reach it in another way than by their own main. */
#ifndef ROUNDTRIP_H
#define ROUNDTRIP_H
#ifdef __cplusplus
extern "C" {
#endif
__attribute__((visibility("default"))) int roundtrip(int argc, char** argv);
#ifdef __cplusplus
}
#endif
#endif
