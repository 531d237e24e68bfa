! The roundtrip (see roundtrip.c) with the mpi module or, if MPIF_H is defined, with mpif.h, or, if MPI_F08 is, with the mpi_f08
! module, whose handles are types of their own and whose calls reach the library by other names; with derived types, MPI_BOTTOM,
! both kinds of base pointer and errors besides.
#ifdef MPI_F08
#define HANDLE(kind) type(kind)
#else
#define HANDLE(kind) integer
#endif
program roundtrip_mpi
#if defined(MPI_F08)
  use mpi_f08
#elif !defined(MPIF_H)
  use mpi
#endif
  use, intrinsic :: iso_c_binding
  implicit none
#ifdef MPIF_H
  include 'mpif.h'
#endif
  integer, parameter :: ints = 16, place = 3
  integer :: ierror, rank, ranks
  character(len=32) :: what, service

  call MPI_Init(ierror)
  call MPI_Comm_rank(MPI_COMM_WORLD, rank, ierror)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks, ierror)
  call get_command_argument(1, what)
  call get_command_argument(2, service)
  if (what == 'produce') then
    call produce
  else
    call consume
  end if
  if (rank == 0) print '(a,a)', trim(what), ' ok'
  call MPI_Finalize(ierror)

contains

  subroutine check(holds, text)
    logical, intent(in) :: holds
    character(len=*), intent(in) :: text
    integer :: ignored
    if (holds) return
    print '(a,i0,2a)', 'roundtrip: rank ', rank, ': wrong: ', text
    call MPI_Abort(MPI_COMM_WORLD, 1, ignored)
  end subroutine

  subroutine produce
    HANDLE(MPI_Info) :: info
    HANDLE(MPI_Win) :: win
    integer :: left
    integer, asynchronous :: got(ints)
    integer, asynchronous :: value
    integer(kind=MPI_ADDRESS_KIND) :: where, bytes
#ifdef MPIF_H
    integer(kind=MPI_ADDRESS_KIND) :: base
    base = 1
#else
    type(c_ptr) :: base
    integer, target :: somewhere
    base = c_loc(somewhere)
#endif
    bytes = 4 * ints
    where = place
    left = mod(rank + ranks - 1, ranks)
    call MPI_Info_create(info, ierror)
    call MPI_Info_set(info, 'psnam_manifestation', 'psnam_manifestation_pershm', ierror)
    call MPI_Info_set(info, 'psnam_consistency', 'psnam_consistency_persistent', ierror)
    call MPI_Win_allocate(bytes, 4, info, MPI_COMM_WORLD, base, win, ierror)
    call check(ierror == MPI_SUCCESS, 'MPI_Win_allocate succeeds')
#ifdef MPIF_H
    call check(base == 0, 'the base is 0')
#else
    call check(.not. c_associated(base), 'the base is C_NULL_PTR')
#endif
    call check_attributes(win)
    value = 100 + rank
    call MPI_Win_fence(0, win, ierror)
    call MPI_Put(value, 1, MPI_INTEGER, mod(rank + 1, ranks), where, 1, MPI_INTEGER, win, ierror)
    call check(ierror == MPI_SUCCESS, 'MPI_Put succeeds')
    call put_derived(win)
    call MPI_Win_fence(0, win, ierror)
    got = -1
    where = 0
    call MPI_Get(got, ints, MPI_INTEGER, rank, where, ints, MPI_INTEGER, win, ierror)
    call MPI_Win_fence(MPI_MODE_NOSUCCEED, win, ierror)
    call check(got(place + 1) == 100 + left, 'the neighbour''s put is read')
    call check(all(got(9:15:2) == [1, 2, 3, 4]) .and. all(got(10:16:2) == 0), 'a put of a derived type from MPI_BOTTOM')
    call check_errors(win)
    if (rank == 0) call publish(win)
    call MPI_Win_free(win, ierror)
    call check(win == MPI_WIN_NULL, 'the freed handle is MPI_WIN_NULL')
    call MPI_Info_free(info, ierror)
  end subroutine

  ! Four integers, one after another in memory, found by an absolute address, to every second place of the own region.
  subroutine put_derived(win)
    HANDLE(MPI_Win), intent(in) :: win
    integer, save, asynchronous :: values(4) = [1, 2, 3, 4]
    HANDLE(MPI_Datatype) :: origin_type, target_type
    integer :: lengths(1)
    integer(kind=MPI_ADDRESS_KIND) :: address(1), where
    call MPI_Get_address(values, address(1), ierror)
    lengths = 4
    call MPI_Type_create_hindexed(1, lengths, address, MPI_INTEGER, origin_type, ierror)
    call MPI_Type_commit(origin_type, ierror)
    call MPI_Type_vector(4, 1, 2, MPI_INTEGER, target_type, ierror)
    call MPI_Type_commit(target_type, ierror)
    where = 8
    call MPI_Put(MPI_BOTTOM, 1, origin_type, rank, where, 1, target_type, win, ierror)
    call check(ierror == MPI_SUCCESS, 'MPI_Put from MPI_BOTTOM succeeds')
    call MPI_Type_free(origin_type, ierror)
    call MPI_Type_free(target_type, ierror)
  end subroutine

  subroutine check_attributes(win)
    HANDLE(MPI_Win), intent(in) :: win
    integer(kind=MPI_ADDRESS_KIND) :: value
    logical :: found
    call MPI_Win_get_attr(win, MPI_WIN_SIZE, value, found, ierror)
    call check(found .and. value == 4 * ints, 'MPI_WIN_SIZE is the size of the region')
    call MPI_Win_get_attr(win, MPI_WIN_DISP_UNIT, value, found, ierror)
    call check(found .and. value == 4, 'MPI_WIN_DISP_UNIT is the unit of the region')
    call MPI_Win_get_attr(win, MPI_WIN_BASE, value, found, ierror)
    call check(found .and. value == 0, 'MPI_WIN_BASE is 0')
    call MPI_Win_get_attr(win, MPI_WIN_CREATE_FLAVOR, value, found, ierror)
    call check(found .and. value == MPI_WIN_FLAVOR_ALLOCATE, 'MPI_WIN_CREATE_FLAVOR is that of MPI_Win_allocate')
  end subroutine

  subroutine check_errors(win)
    HANDLE(MPI_Win), intent(in) :: win
    HANDLE(MPI_Info) :: info
    HANDLE(MPI_Win) :: none
    integer, asynchronous :: value
    integer :: error_class, ignored
    integer(kind=MPI_ADDRESS_KIND) :: where
#ifdef MPIF_H
    integer(kind=MPI_ADDRESS_KIND) :: base
#else
    type(c_ptr) :: base
#endif
    call MPI_Win_set_errhandler(win, MPI_ERRORS_RETURN, ierror)
    call MPI_Win_fence(0, win, ierror)
    value = 0
    where = ints
    call MPI_Put(value, 1, MPI_INTEGER, rank, where, 1, MPI_INTEGER, win, ierror)
    call MPI_Error_class(ierror, error_class, ignored)
    call check(error_class == MPI_ERR_RMA_RANGE, 'a put beyond the region is MPI_ERR_RMA_RANGE')
    call MPI_Win_fence(MPI_MODE_NOSUCCEED, win, ierror)
    call MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN, ierror)
    call MPI_Info_create(info, ierror)
    call MPI_Info_set(info, 'psnam_manifestation', 'nowhere', ierror)
    where = 8
    call MPI_Win_allocate(where, 1, info, MPI_COMM_WORLD, base, none, ierror)
    call MPI_Error_class(ierror, error_class, ignored)
    call check(error_class == MPI_ERR_INFO_VALUE, 'an unknown value is MPI_ERR_INFO_VALUE')
    call MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL, ierror)
    call MPI_Info_free(info, ierror)
  end subroutine

  subroutine publish(win)
    HANDLE(MPI_Win), intent(in) :: win
    HANDLE(MPI_Info) :: info
    logical :: found
    character(len=MPI_MAX_PORT_NAME) :: name
    name = ' ' ! MPI_Info_get fills as much as it is told to, one less
    call MPI_Win_get_info(win, info, ierror)
    call MPI_Info_get(info, 'psnam_window_name', MPI_MAX_PORT_NAME - 1, name, found, ierror)
    call check(found, 'a persistent window has a name')
    call MPI_Info_free(info, ierror)
    call MPI_Publish_name(trim(service), MPI_INFO_NULL, name, ierror)
    call check(ierror == MPI_SUCCESS, 'MPI_Publish_name succeeds')
  end subroutine

  subroutine consume
    character(len=MPI_MAX_PORT_NAME) :: name
    HANDLE(MPI_Info) :: info
    HANDLE(MPI_Comm) :: handle
    HANDLE(MPI_Win) :: win
    integer :: former, target
    logical :: inter
    name = ' '
    if (rank == 0) call MPI_Lookup_name(service, MPI_INFO_NULL, name, ierror)
    call MPI_Info_create(info, ierror)
    call MPI_Info_set(info, 'psnam_window_connect', 'true', ierror)
    call MPI_Comm_connect(name, info, 0, MPI_COMM_WORLD, handle, ierror)
    call MPI_Comm_test_inter(handle, inter, ierror)
    call MPI_Comm_remote_size(handle, former, ierror)
    call check(inter .and. former > 0, 'the handle is an intercommunicator''s')
    call MPI_Win_create_dynamic(info, handle, win, ierror)
    call MPI_Comm_disconnect(handle, ierror)
    do target = 0, former - 1
      call check_region(win, target, mod(target + former - 1, former))
    end do
    if (rank == 0) call MPI_Unpublish_name(service, MPI_INFO_NULL, name, ierror)
    call MPI_Info_set(info, 'psnam_consistency', 'psnam_consistency_volatile', ierror)
    call MPI_Win_set_info(win, info, ierror)
    call MPI_Win_free(win, ierror)
    call MPI_Info_free(info, ierror)
  end subroutine

  subroutine check_region(win, target, left)
    HANDLE(MPI_Win), intent(in) :: win
    integer, intent(in) :: target, left
    integer :: unit
    integer, asynchronous :: got(1)
    integer(kind=MPI_ADDRESS_KIND) :: bytes, where
#ifdef MPIF_H
    integer(kind=MPI_ADDRESS_KIND) :: base
#else
    type(c_ptr) :: base
#endif
    call MPI_Win_shared_query(win, target, bytes, unit, base, ierror)
    call check(bytes == 4 * ints .and. unit == 4, 'the region has its size and unit')
    got = -1
    where = place
    call MPI_Win_fence(0, win, ierror)
    call MPI_Get(got, 1, MPI_INTEGER, target, where, 1, MPI_INTEGER, win, ierror)
    call MPI_Win_fence(MPI_MODE_NOSUCCEED, win, ierror)
    call check(got(1) == 100 + left, 'the producer''s value is there')
  end subroutine
end program
