/* The same computation once more, by one process and by code of its own: what the viewer holds the window against. */
#ifndef HEAT_SERIAL_H
#define HEAT_SERIAL_H

#include <stdint.h>

/* What heat_serial_run hands over: the whole field, nx * ny values, x fastest, after `step` steps. */
typedef void (*heat_serial_visit)(void* context, int64_t frame, int64_t step, const double* field);

/* Computes `steps` steps on nx x ny cells and visits the start and each every-th step. 0 if memory is short. */
int heat_serial_run(int64_t nx, int64_t ny, int64_t steps, int64_t every, double number, heat_serial_visit visit,
                    void* context);

#endif
