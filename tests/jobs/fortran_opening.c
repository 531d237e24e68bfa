/* What a Fortran program needs of C: the functions that take a communicator are inline, compiled against the program's
 * MPI. All others are called through ISO_C_BINDING. docs/checkpoint.md has it. */
#include <psnam_checkpoint.h>
#include <psnam_job.h>

psnam_checkpoint_t* open_checkpoint(const char* name, MPI_Fint comm);
psnam_job_t* open_job(const char* name, psnam_checkpoint_t* checkpoint, MPI_Fint comm);
int safe_point(psnam_job_t* job, int* what);

psnam_checkpoint_t* open_checkpoint(const char* name, MPI_Fint comm) {
  psnam_checkpoint_options_t options = PSNAM_CHECKPOINT_OPTIONS_INIT;
  options.name = name;
  return psnam_checkpoint_open(&options, MPI_Comm_f2c(comm));
}

psnam_job_t* open_job(const char* name, psnam_checkpoint_t* checkpoint, MPI_Fint comm) {
  psnam_job_options_t options = PSNAM_JOB_OPTIONS_INIT;
  options.name = name;
  return psnam_job_open(&options, checkpoint, MPI_Comm_f2c(comm));
}

int safe_point(psnam_job_t* job, int* what) { return psnam_job_safe_point(job, what); }
