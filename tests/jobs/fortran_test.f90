! A job in Fortran: it saves a version and ends, and the next one goes on from there and removes it.
program fortran_test
  use, intrinsic :: iso_c_binding
  use mpi
  implicit none

  interface
    type(c_ptr) function open_checkpoint(name, comm) bind(c)
      import :: c_ptr, c_char
      character(kind=c_char), intent(in) :: name(*)
      integer, value :: comm
    end function
    type(c_ptr) function open_job(name, checkpoint, comm) bind(c)
      import :: c_ptr, c_char
      character(kind=c_char), intent(in) :: name(*)
      type(c_ptr), value :: checkpoint
      integer, value :: comm
    end function
    integer(c_int) function safe_point(job, what) bind(c)
      import :: c_ptr, c_int
      type(c_ptr), value :: job
      integer(c_int), intent(out) :: what
    end function
    integer(c_int) function psnam_checkpoint_register(checkpoint, id, address, bytes) bind(c)
      import :: c_ptr, c_int, c_int64_t, c_size_t
      type(c_ptr), value :: checkpoint, address
      integer(c_int64_t), value :: id
      integer(c_size_t), value :: bytes
    end function
    integer(c_int) function psnam_checkpoint_restart(checkpoint, version, source) bind(c)
      import :: c_ptr, c_int, c_int64_t
      type(c_ptr), value :: checkpoint
      integer(c_int64_t), intent(inout) :: version
      integer(c_int), intent(out) :: source
    end function
    integer(c_int) function psnam_checkpoint_save(checkpoint, version) bind(c)
      import :: c_ptr, c_int, c_int64_t
      type(c_ptr), value :: checkpoint
      integer(c_int64_t), value :: version
    end function
    integer(c_int) function psnam_checkpoint_close(checkpoint) bind(c)
      import :: c_ptr, c_int
      type(c_ptr), value :: checkpoint
    end function
    integer(c_int) function psnam_checkpoint_remove(checkpoint) bind(c)
      import :: c_ptr, c_int
      type(c_ptr), value :: checkpoint
    end function
    integer(c_int) function psnam_job_close(job) bind(c)
      import :: c_ptr, c_int
      type(c_ptr), value :: job
    end function
  end interface

  integer, parameter :: cells = 5000
  real(c_double), target :: field(cells)
  integer(c_int64_t) :: version
  integer(c_int) :: source, what
  integer :: rank, error, cell
  type(c_ptr) :: checkpoint, job

  call MPI_Init(error)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, error)
  checkpoint = open_checkpoint("fortran" // c_null_char, MPI_COMM_WORLD)
  if (.not. c_associated(checkpoint)) error stop "no checkpoints"
  job = open_job("fortran" // c_null_char, checkpoint, MPI_COMM_WORLD)
  if (.not. c_associated(job)) error stop "no job"
  call must(psnam_checkpoint_register(checkpoint, 1_c_int64_t, c_loc(field), int(8 * cells, c_size_t)), "register")
  field = -1
  version = 0
  call must(psnam_checkpoint_restart(checkpoint, version, source), "restart")
  call must(safe_point(job, what), "safe point")
  if (what /= 0) error stop "nothing was asked"
  call must(psnam_job_close(job), "close of the job")
  if (version == 0) then
    do cell = 1, cells
      field(cell) = 1000 * rank + 0.5d0 * cell
    end do
    call must(psnam_checkpoint_save(checkpoint, 0_c_int64_t), "save")
    call must(psnam_checkpoint_close(checkpoint), "close")
    if (rank == 0) print "(a)", "saved"
  else
    do cell = 1, cells
      if (field(cell) /= 1000 * rank + 0.5d0 * cell) error stop "the data are others"
    end do
    call must(psnam_checkpoint_remove(checkpoint), "remove")
    if (rank == 0) print "(a)", "went on"
  end if
  call MPI_Finalize(error)

contains

  subroutine must(result, what)
    integer(c_int), intent(in) :: result
    character(len=*), intent(in) :: what
    if (result == 0) return
    print "(2a)", what, " failed"
    error stop 1
  end subroutine
end program
