/* What the producer saves, so that a job that was killed, or has lost a node, is gone on with: the number of the
 * time-step, the field, and the frames that were written so far. Needs libnam; without HEAT_CHECKPOINTS there is
 * none of it, and the producer is linked with nothing of the library. */
#ifndef HEAT_CHECKPOINT_H
#define HEAT_CHECKPOINT_H

#include <stdint.h>

/* What is asked for, and what there is. */
struct heat_checkpoint {
  long every;       /* time-steps; 0: nothing is saved */
  const char* name; /* of the series */
  long set_size;    /* most ranks that share their parity; 0: all */
  int64_t step;     /* that the data belong to */
  double* frames;   /* of this rank's block, one after the other */
  int64_t frame_cells;
  void* handle;
};

#ifdef HEAT_CHECKPOINTS

/* Collective. What an earlier job has saved is in `now`, `step` and `frames` then, and the time-step is returned; 0 if
 * there is nothing. Failures end the job, with a line that says why. */
int64_t heat_checkpoint_begin(struct heat_checkpoint* c, double* now, int64_t cells, int64_t frames,
                              int64_t frame_cells);
/* Collective. */
void heat_checkpoint_save(struct heat_checkpoint* c, double* now, int64_t cells, int64_t step);
/* Collective. All is computed: what was saved goes. */
void heat_checkpoint_end(struct heat_checkpoint* c);

#endif
#endif
