/* Managed checkpoints in the heat example: three regions, saved and restored. */
#include "heat_checkpoint.h"

#include <mpi.h>
#include <psnam_checkpoint.h>
#include <stdio.h>
#include <stdlib.h>

#include "example_common.h"

enum { STEP = 1, FIELD = 2, FRAMES = 3 };

/* All ranks fail alike, so one says it. */
static void require(int good, const char* what) {
  int rank = 0;
  if (good) {
    return;
  }
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  if (rank == 0) {
    fprintf(stderr, "heat_producer: %s: %s\n", what, nam_strerror());
  }
  MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
}

int64_t heat_checkpoint_begin(struct heat_checkpoint* c, double* now, int64_t cells, int64_t frames,
                              int64_t frame_cells) {
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  const size_t frame_bytes = (size_t)(frames * frame_cells) * sizeof(double);
  uint64_t version = 0;
  int source = PSNAM_CHECKPOINT_NOTHING;
  psnam_checkpoint_t* handle = NULL;
  c->frame_cells = frame_cells;
  c->frames = calloc((size_t)frames, (size_t)frame_cells * sizeof(double));
  if (c->frames == NULL) {
    fprintf(stderr, "heat_producer: no memory for %ld frames\n", (long)frames);
    MPI_Abort(MPI_COMM_WORLD, EXAMPLE_EXIT_FAILED);
  }
  options.name = c->name;
  options.set_size = (int32_t)c->set_size;
  handle = psnam_checkpoint_open(&options, MPI_COMM_WORLD);
  require(handle != NULL, "checkpoints cannot be opened");
  c->handle = handle;
  require(psnam_checkpoint_register(handle, STEP, &c->step, sizeof c->step) == 0 &&
              psnam_checkpoint_register(handle, FIELD, now, (size_t)cells * sizeof *now) == 0 &&
              psnam_checkpoint_register(handle, FRAMES, c->frames, frame_bytes) == 0,
          "data cannot be registered");
  require(psnam_checkpoint_restart(handle, &version, &source) == 0, "what was saved cannot be had again");
  return version == 0 ? 0 : c->step;
}

void heat_checkpoint_save(struct heat_checkpoint* c, double* now, int64_t cells, int64_t step) {
  psnam_checkpoint_t* const handle = c->handle;
  c->step = step;
  /* The field changes places from step to step. */
  require(psnam_checkpoint_unregister(handle, FIELD) == 0 &&
              psnam_checkpoint_register(handle, FIELD, now, (size_t)cells * sizeof *now) == 0,
          "the field cannot be registered");
  require(psnam_checkpoint_save(handle, 0) == 0, "a version cannot be saved");
}

void heat_checkpoint_end(struct heat_checkpoint* c) {
  require(psnam_checkpoint_remove(c->handle) == 0, "checkpoints cannot be removed");
  c->handle = NULL;
  free(c->frames);
  c->frames = NULL;
}
