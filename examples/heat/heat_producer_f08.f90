! The producer in Fortran, with the mpi_f08 module: the same computation, the same words in the window, read by the same
! viewer.
!
! Array order: x is the first index, so a Fortran field(x, y, frame) is the C field[frame][y][x], the same bytes. The
! ranks share the plate in strips of rows (the C producer: in blocks); the viewer needs not know. What stands in the
! window is described in heat_format.h; the words of header and blocks are written here by their places.
module heat_plate
  use, intrinsic :: iso_fortran_env, only: int8, int64, real64, error_unit, output_unit
  use, intrinsic :: iso_c_binding, only: c_ptr
  use mpi_f08
  implicit none
  private
  public :: options, parse_options, run_producer, library_is_there, plate_fits

  character(*), parameter :: program_name = 'heat_producer_f08'
  integer(int64), parameter :: magic = int(z'314554414c505448', int64)
  integer, parameter :: header_words = 10, block_words = 6, word_bytes = 8, alignment = 64
  integer, parameter :: frames_written_word = 8 ! of the header, counted from 1
  real(real64), parameter :: number = 0.24_real64

  type options
    integer :: nx = 160, ny = 100, steps = 2000, every = 200
    character(:), allocatable :: service, structure, manifestation
    logical :: help = .false.
  end type options

  ! Rows y0 to y0 + ny - 1 of the plate, counted from 0; field(:, 0) and field(:, ny + 1) are the neighbours' rows.
  type plate
    integer :: rank = 0, ranks = 1, south = MPI_PROC_NULL, north = MPI_PROC_NULL
    integer :: y0 = 0, ny = 0
    real(real64), allocatable :: now(:, :), next(:, :)
    logical, allocatable :: fixed(:, :)
  end type plate

contains

  ! ---- Options ----

  subroutine print_usage(unit)
    integer, intent(in) :: unit
    write (unit, '(a)') 'usage: '//program_name// &
      ' [--size NXxNY] [--steps N] [--every K] [--service NAME] [--structure S] [--manifestation M]', &
      '  --size NXxNY       cells of the plate (160x100), 8 to 32768 on each side', &
      '  --steps N          time-steps to compute (2000)', &
      '  --every K          write each K-th time-step, and the start, into the window (200)', &
      '  --service NAME     publish the window under this name (heat)', &
      '  --structure S      raw_and_flat, managed_contiguous or managed_distributed (managed_distributed)', &
      '  --manifestation M  libnam or pershm (libnam)'
  end subroutine print_usage

  function argument(i) result(text)
    integer, intent(in) :: i
    character(:), allocatable :: text
    integer :: length
    call get_command_argument(i, length=length)
    allocate (character(length) :: text)
    call get_command_argument(i, text)
  end function argument

  ! Digits only, and within the bounds.
  function parse_number(text, lowest, highest, value) result(good)
    character(*), intent(in) :: text
    integer, intent(in) :: lowest, highest
    integer, intent(out) :: value
    logical :: good
    integer :: status
    value = 0
    good = len(text) > 0 .and. len(text) <= 9 .and. verify(text, '0123456789') == 0
    if (.not. good) return
    read (text, '(i9)', iostat=status) value
    good = status == 0 .and. value >= lowest .and. value <= highest
  end function parse_number

  function parse_value(key, text, o) result(error)
    character(*), intent(in) :: key, text
    type(options), intent(inout) :: o
    character(:), allocatable :: error
    integer :: cross
    error = ''
    select case (key)
    case ('--size')
      cross = index(text, 'x')
      error = '--size wants NXxNY, both from 8 to 32768'
      if (cross == 0) return
      if (.not. parse_number(text(:cross - 1), 8, 32768, o%nx)) return
      if (parse_number(text(cross + 1:), 8, 32768, o%ny)) error = ''
    case ('--steps')
      if (.not. parse_number(text, 0, 100000000, o%steps)) error = '--steps wants a number from 0 to 100000000'
    case ('--every')
      if (.not. parse_number(text, 1, 100000000, o%every)) error = '--every wants a number from 1 to 100000000'
    case ('--service')
      o%service = text
      if (len(text) == 0) error = '--service wants a name'
    case ('--structure')
      o%structure = text
      if (all(text /= [character(19) :: 'raw_and_flat', 'managed_contiguous', 'managed_distributed'])) &
        error = '--structure wants raw_and_flat, managed_contiguous or managed_distributed'
    case ('--manifestation')
      o%manifestation = text
      if (text /= 'libnam' .and. text /= 'pershm') error = '--manifestation wants libnam or pershm'
    case default
      error = 'unknown option'
    end select
  end function parse_value

  ! True where the program can go on; otherwise rank 0 has said why not. All ranks decide alike.
  function parse_options(rank, o) result(good)
    integer, intent(in) :: rank
    type(options), intent(inout) :: o
    logical :: good
    character(:), allocatable :: error, word
    integer :: i
    o%service = 'heat'
    o%structure = 'managed_distributed'
    o%manifestation = 'libnam'
    error = ''
    word = ''
    i = 1
    do while (i <= command_argument_count() .and. len(error) == 0)
      word = argument(i)
      if (word == '--help') then
        o%help = .true.
        i = i + 1
      else if (i == command_argument_count()) then
        error = merge('a value is missing behind', 'unexpected argument      ', index(word, '--') == 1)
      else
        error = parse_value(word, argument(i + 1), o)
        if (error /= 'unknown option' .and. len(error) > 0) word = argument(i + 1)
        i = i + 2
      end if
    end do
    good = len(error) == 0
    if (rank == 0 .and. .not. good) then
      write (error_unit, '(5a)') program_name, ': ', trim(error), ": '", word//"'"
      call print_usage(error_unit)
    else if (rank == 0 .and. o%help) then
      call print_usage(output_unit)
    end if
  end function parse_options

  function plate_fits(o, rank, ranks) result(good)
    type(options), intent(in) :: o
    integer, intent(in) :: rank, ranks
    logical :: good
    good = ranks <= o%ny
    if (.not. good .and. rank == 0) write (error_unit, '(a, i0, a, i0)') program_name//': ', ranks, &
      ' ranks need a plate of at least as many rows, not ', o%ny
  end function plate_fits

  ! The library leaves its version in MPI_INFO_ENV.
  function library_is_there(rank) result(found)
    integer, intent(in) :: rank
    logical :: found
    character(64) :: version
    integer :: length
    length = len(version)
    call MPI_Info_get_string(MPI_INFO_ENV, 'psnam_version', length, version, found)
    if (.not. found .and. rank == 0) write (error_unit, '(a)') program_name// &
      ': the psnam library is not loaded: set LD_PRELOAD=libpsnam.so for this program'
  end function library_is_there

  ! ---- The plate ----

  pure integer function first_row(rank, ranks, ny)
    integer, intent(in) :: rank, ranks, ny
    first_row = int(int(rank, int64) * ny / ranks)
  end function first_row

  pure logical function in_disc(x, y, centre_x, centre_y, radius)
    integer, intent(in) :: x, y, centre_x, centre_y, radius
    in_disc = (x - centre_x)**2 + (y - centre_y)**2 <= radius**2
  end function in_disc

  ! The temperature of a cell at the start, and whether it keeps it.
  pure subroutine scene(x, y, o, value, fixed)
    integer, intent(in) :: x, y
    type(options), intent(in) :: o
    real(real64), intent(out) :: value
    logical, intent(out) :: fixed
    integer :: shorter, side, left, low
    real(real64) :: s
    shorter = min(o%nx, o%ny)
    side = max(1, shorter / 10)
    left = 45 * o%nx / 100
    low = 8 * o%ny / 100
    value = 20.0_real64
    fixed = .true.
    if (y == o%ny - 1) then
      s = real(x, real64) / real(o%nx - 1, real64)
      value = 20.0_real64 + (240.0_real64 * s) * (1.0_real64 - s)
    else if (x == 0 .or. x == o%nx - 1 .or. y == 0) then
      value = 20.0_real64
    else if (in_disc(x, y, 7 * o%nx / 10, 65 * o%ny / 100, 12 * shorter / 100)) then
      value = 0.0_real64
    else if (in_disc(x, y, 3 * o%nx / 10, 4 * o%ny / 10, 13 * shorter / 100)) then
      value = 100.0_real64
    else
      fixed = .false.
      if (x >= left .and. x < 95 * o%nx / 100 .and. y >= low .and. y < 48 * o%ny / 100) then
        if (mod((x - left) / side + (y - low) / side, 2) == 0) value = 90.0_real64
      end if
    end if
  end subroutine scene

  subroutine make_plate(p, o, rank, ranks)
    type(plate), intent(out) :: p
    type(options), intent(in) :: o
    integer, intent(in) :: rank, ranks
    integer :: x, y
    p%rank = rank
    p%ranks = ranks
    if (rank > 0) p%south = rank - 1
    if (rank < ranks - 1) p%north = rank + 1
    p%y0 = first_row(rank, ranks, o%ny)
    p%ny = first_row(rank + 1, ranks, o%ny) - p%y0
    allocate (p%now(o%nx, 0:p%ny + 1), p%next(o%nx, 0:p%ny + 1), source=0.0_real64)
    allocate (p%fixed(o%nx, p%ny))
    do y = 1, p%ny
      do x = 1, o%nx
        call scene(x - 1, p%y0 + y - 1, o, p%now(x, y), p%fixed(x, y))
      end do
    end do
  end subroutine make_plate

  subroutine exchange_borders(p, nx)
    type(plate), intent(inout) :: p
    integer, intent(in) :: nx
    call MPI_Sendrecv(p%now(:, 1), nx, MPI_DOUBLE_PRECISION, p%south, 0, &
                      p%now(:, p%ny + 1), nx, MPI_DOUBLE_PRECISION, p%north, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE)
    call MPI_Sendrecv(p%now(:, p%ny), nx, MPI_DOUBLE_PRECISION, p%north, 1, &
                      p%now(:, 0), nx, MPI_DOUBLE_PRECISION, p%south, 1, MPI_COMM_WORLD, MPI_STATUS_IGNORE)
  end subroutine exchange_borders

  ! The parentheses fix the order of operations: every program gets the same bits.
  subroutine advance(p, nx)
    type(plate), intent(inout) :: p
    integer, intent(in) :: nx
    real(real64), allocatable :: last(:, :)
    integer :: x, y
    call exchange_borders(p, nx)
    do y = 1, p%ny
      p%next(1, y) = p%now(1, y)
      p%next(nx, y) = p%now(nx, y)
      do x = 2, nx - 1
        if (p%fixed(x, y)) then
          p%next(x, y) = p%now(x, y)
        else
          p%next(x, y) = p%now(x, y) + (number * (((p%now(x - 1, y) + p%now(x + 1, y)) &
                                                   + (p%now(x, y - 1) + p%now(x, y + 1))) - (4.0_real64 * p%now(x, y))))
        end if
      end do
    end do
    call move_alloc(p%now, last)
    call move_alloc(p%next, p%now)
    call move_alloc(last, p%next)
  end subroutine advance

  ! ---- The window ----

  function describe(p, o) result(header)
    type(plate), intent(in) :: p
    type(options), intent(in) :: o
    integer(int64) :: header(header_words)
    integer(int64) :: bytes
    bytes = word_bytes * (header_words + int(p%ranks, int64) * block_words)
    header(1) = magic
    header(2) = (bytes + alignment - 1) / alignment * alignment
    header(3) = o%nx
    header(4) = o%ny
    header(5) = o%steps
    header(6) = o%every
    header(7) = o%steps / o%every + 1
    header(frames_written_word) = 0
    header(9) = p%ranks
    header(10) = transfer(number, header(10))
  end function describe

  ! Target, offset, x0, y0, nx, ny of each rank's strip; and the size of each rank's region.
  subroutine place_blocks(p, o, header, blocks, region_bytes)
    type(plate), intent(in) :: p
    type(options), intent(in) :: o
    integer(int64), intent(in) :: header(header_words)
    integer(int64), intent(out) :: blocks(block_words, 0:p%ranks - 1), region_bytes(0:p%ranks - 1)
    integer :: rank, target, rows
    region_bytes = 0
    region_bytes(0) = header(2)
    do rank = 0, p%ranks - 1
      target = merge(0, rank, o%structure == 'raw_and_flat')
      rows = first_row(rank + 1, p%ranks, o%ny) - first_row(rank, p%ranks, o%ny)
      blocks(:, rank) = [int(target, int64), region_bytes(target), 0_int64, &
                         int(first_row(rank, p%ranks, o%ny), int64), int(o%nx, int64), int(rows, int64)]
      region_bytes(target) = region_bytes(target) + header(7) * o%nx * rows * word_bytes
    end do
  end subroutine place_blocks

  ! The whole of what PSNAM asks of a program.
  function allocate_window(bytes, o) result(win)
    integer(int64), intent(in) :: bytes
    type(options), intent(in) :: o
    type(MPI_Win) :: win
    type(MPI_Info) :: info
    type(c_ptr) :: base
    call MPI_Info_create(info)
    call MPI_Info_set(info, 'psnam_manifestation', 'psnam_manifestation_'//o%manifestation)
    call MPI_Info_set(info, 'psnam_structure', 'psnam_structure_'//o%structure)
    call MPI_Info_set(info, 'psnam_consistency', 'psnam_consistency_persistent')
    call MPI_Win_allocate(int(bytes, MPI_ADDRESS_KIND), 1, info, MPI_COMM_WORLD, base, win)
    call MPI_Info_free(info)
  end function allocate_window

  function window_name(win) result(name)
    type(MPI_Win), intent(in) :: win
    character(:), allocatable :: name
    character(MPI_MAX_PORT_NAME) :: text
    type(MPI_Info) :: info
    logical :: found
    integer :: length
    length = len(text)
    call MPI_Win_get_info(win, info)
    call MPI_Info_get_string(info, 'psnam_window_name', length, text, found)
    call MPI_Info_free(info)
    if (.not. found) then
      write (error_unit, '(a)') program_name//': the window has no psnam_window_name'
      call MPI_Abort(MPI_COMM_WORLD, 1)
    end if
    name = trim(text)
  end function window_name

  subroutine write_descriptions(win, p, header, blocks)
    type(MPI_Win), intent(in) :: win
    type(plate), intent(in) :: p
    integer(int64), intent(in), asynchronous :: header(header_words), blocks(block_words, 0:p%ranks - 1)
    call MPI_Win_fence(MPI_MODE_NOPRECEDE, win)
    if (p%rank == 0) then
      call MPI_Put(header, size(header), MPI_INTEGER8, 0, 0_MPI_ADDRESS_KIND, size(header), MPI_INTEGER8, win)
      call MPI_Put(blocks, size(blocks), MPI_INTEGER8, 0, int(word_bytes * header_words, MPI_ADDRESS_KIND), &
                   size(blocks), MPI_INTEGER8, win)
    end if
    call MPI_Win_fence(0, win)
  end subroutine write_descriptions

  ! The rows between the neighbours' follow each other in memory, as they shall in the window.
  subroutine write_frame(win, rows, mine, frame, rank)
    type(MPI_Win), intent(in) :: win
    real(real64), intent(in), asynchronous, contiguous :: rows(:, :)
    integer(int64), intent(in) :: mine(block_words)
    integer, intent(in) :: frame, rank
    integer(int64), asynchronous :: written(1)
    integer(MPI_ADDRESS_KIND) :: at
    at = mine(2) + int(frame, MPI_ADDRESS_KIND) * size(rows) * word_bytes
    written = frame + 1
    call MPI_Put(rows, size(rows), MPI_DOUBLE_PRECISION, int(mine(1)), at, size(rows), MPI_DOUBLE_PRECISION, win)
    at = (frames_written_word - 1) * word_bytes
    if (rank == 0) call MPI_Put(written, 1, MPI_INTEGER8, 0, at, 1, MPI_INTEGER8, win)
    call MPI_Win_fence(0, win)
  end subroutine write_frame

  ! Publishes the window, so that a later job finds it by the service name. Where that fails, the window is removed, for
  ! nobody would find it.
  function publish(win, name, service, rank) result(good)
    type(MPI_Win), intent(in) :: win
    character(*), intent(in) :: name, service
    integer, intent(in) :: rank
    logical :: good
    character(MPI_MAX_ERROR_STRING) :: text
    type(MPI_Info) :: info
    integer :: code, length
    code = MPI_SUCCESS
    if (rank == 0) then
      call MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN)
      call MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN)
      call MPI_Publish_name(service, MPI_INFO_NULL, name, code)
      call MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_ARE_FATAL)
      call MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_ARE_FATAL)
      if (code /= MPI_SUCCESS) then
        call MPI_Error_string(code, text, length)
        write (error_unit, '(5a)') program_name, ": cannot publish the window as '", service, "', so it is removed: ", &
          text(:length)
      end if
    end if
    call MPI_Bcast(code, 1, MPI_INTEGER, 0, MPI_COMM_WORLD)
    good = code == MPI_SUCCESS
    if (good) return
    call MPI_Info_create(info)
    call MPI_Info_set(info, 'psnam_consistency', 'psnam_consistency_volatile')
    call MPI_Win_set_info(win, info)
    call MPI_Info_free(info)
  end function publish

  ! ---- The run ----

  subroutine progress(rank, text)
    integer, intent(in) :: rank
    character(*), intent(in) :: text
    if (rank /= 0) return
    write (output_unit, '(a)') program_name//': '//text
    flush (output_unit)
  end subroutine progress

  function run_producer(o, rank, ranks) result(good)
    type(options), intent(in) :: o
    integer, intent(in) :: rank, ranks
    logical :: good
    type(plate) :: p
    type(MPI_Win) :: win
    character(:), allocatable :: name
    character(160) :: line
    integer(int64) :: header(header_words)
    integer(int64), allocatable :: blocks(:, :), region_bytes(:)
    integer :: step
    call make_plate(p, o, rank, ranks)
    write (line, '(i0, a, i0, a, i0, a)') ranks, ' ranks as strips, a plate of ', o%nx, ' x ', o%ny, ' cells'
    call progress(rank, trim(line))
    header = describe(p, o)
    allocate (blocks(block_words, 0:ranks - 1), region_bytes(0:ranks - 1))
    call place_blocks(p, o, header, blocks, region_bytes)
    win = allocate_window(region_bytes(rank), o)
    name = window_name(win)
    write (line, '(f0.1)') real(sum(region_bytes), real64) / 1.0e6_real64
    line = trim(merge('0', ' ', line(1:1) == '.')//line(:158))
    call progress(rank, "window '"//name//"' of "//trim(adjustl(line))//' MB: '//o%manifestation//', '//o%structure)
    call write_descriptions(win, p, header, blocks)
    do step = 0, o%steps
      if (step > 0) call advance(p, o%nx)
      if (mod(step, o%every) == 0) call write_frame(win, p%now(:, 1:p%ny), blocks(:, rank), step / o%every, rank)
    end do
    call MPI_Win_fence(MPI_MODE_NOSUCCEED, win)
    write (line, '(i0, a, i0, a)') o%steps, ' steps computed, ', header(7), ' frames written'
    call progress(rank, trim(line))
    good = publish(win, name, o%service, rank)
    call MPI_Win_free(win)
    if (good) call progress(rank, "published as '"//o%service//"'; this job ends, the window stays")
  end function run_producer

end module heat_plate

program heat_producer_f08
  use heat_plate
  use mpi_f08
  implicit none
  type(options) :: o
  integer :: rank, ranks, code
  call MPI_Init()
  call MPI_Comm_rank(MPI_COMM_WORLD, rank)
  call MPI_Comm_size(MPI_COMM_WORLD, ranks)
  code = 0
  if (.not. parse_options(rank, o)) then
    code = 2
  else if (.not. o%help) then
    if (.not. plate_fits(o, rank, ranks)) then
      code = 2
    else if (.not. library_is_there(rank)) then
      code = 1
    else if (.not. run_producer(o, rank, ranks)) then
      code = 1
    end if
  end if
  call MPI_Finalize()
  if (code /= 0) stop code, quiet=.true.
end program heat_producer_f08
