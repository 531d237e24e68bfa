C     The roundtrip (see roundtrip.c) as old programs are written: fixed
C     form, mpif.h, external procedures without interfaces.
      PROGRAM ROUND
      IMPLICIT NONE
      INCLUDE 'mpif.h'
      INTEGER IERR, RANK, RANKS
      CHARACTER*32 WHAT, SERVIC
      CALL MPI_INIT(IERR)
      CALL MPI_COMM_RANK(MPI_COMM_WORLD, RANK, IERR)
      CALL MPI_COMM_SIZE(MPI_COMM_WORLD, RANKS, IERR)
      CALL GETARG(1, WHAT)
      CALL GETARG(2, SERVIC)
      IF (WHAT .EQ. 'produce') THEN
        CALL PRODUC(RANK, RANKS, SERVIC)
      ELSE
        CALL CONSUM(RANK, SERVIC)
      END IF
      IF (RANK .EQ. 0) PRINT '(2A)', WHAT(1:7), ' ok'
      CALL MPI_FINALIZE(IERR)
      END

      SUBROUTINE CHECK(HOLDS, TEXT)
      IMPLICIT NONE
      INCLUDE 'mpif.h'
      LOGICAL HOLDS
      CHARACTER*(*) TEXT
      INTEGER IERR
      IF (HOLDS) RETURN
      PRINT '(2A)', 'roundtrip: wrong: ', TEXT
      CALL MPI_ABORT(MPI_COMM_WORLD, 1, IERR)
      END

      SUBROUTINE PRODUC(RANK, RANKS, SERVIC)
      IMPLICIT NONE
      INCLUDE 'mpif.h'
      INTEGER RANK, RANKS, IERR, INFO, WIN, VALUE
      INTEGER, ASYNCHRONOUS :: GOT
      CHARACTER*32 SERVIC
      CHARACTER*(MPI_MAX_PORT_NAME) NAME
      LOGICAL FOUND
      INTEGER(KIND=MPI_ADDRESS_KIND) BYTES, BASE, PLACE
      BYTES = 64
      PLACE = 3
      BASE = 1
      CALL MPI_INFO_CREATE(INFO, IERR)
      CALL MPI_INFO_SET(INFO, 'psnam_manifestation',
     &     'psnam_manifestation_pershm', IERR)
      CALL MPI_INFO_SET(INFO, 'psnam_consistency',
     &     'psnam_consistency_persistent', IERR)
      CALL MPI_WIN_ALLOCATE(BYTES, 4, INFO, MPI_COMM_WORLD, BASE, WIN,
     &     IERR)
      CALL CHECK(BASE .EQ. 0, 'the base is 0')
      VALUE = 100 + RANK
      GOT = -1
      CALL MPI_WIN_FENCE(0, WIN, IERR)
      CALL MPI_PUT(VALUE, 1, MPI_INTEGER, MOD(RANK + 1, RANKS), PLACE,
     &     1, MPI_INTEGER, WIN, IERR)
      CALL MPI_WIN_FENCE(0, WIN, IERR)
      CALL MPI_GET(GOT, 1, MPI_INTEGER, RANK, PLACE, 1, MPI_INTEGER,
     &     WIN, IERR)
      CALL MPI_WIN_FENCE(MPI_MODE_NOSUCCEED, WIN, IERR)
      CALL CHECK(GOT .EQ. 100 + MOD(RANK + RANKS - 1, RANKS),
     &     'the put of the neighbour is read')
      CALL MPI_INFO_FREE(INFO, IERR)
      IF (RANK .EQ. 0) THEN
        CALL MPI_WIN_GET_INFO(WIN, INFO, IERR)
        CALL MPI_INFO_GET(INFO, 'psnam_window_name',
     &       MPI_MAX_PORT_NAME - 1, NAME, FOUND, IERR)
        CALL CHECK(FOUND, 'a persistent window has a name')
        CALL MPI_INFO_FREE(INFO, IERR)
        CALL MPI_PUBLISH_NAME(SERVIC, MPI_INFO_NULL, NAME, IERR)
      END IF
      CALL MPI_WIN_FREE(WIN, IERR)
      END

      SUBROUTINE CONSUM(RANK, SERVIC)
      IMPLICIT NONE
      INCLUDE 'mpif.h'
      INTEGER RANK, IERR, INFO, WIN, HANDLE, FORMER, I, UNIT
      INTEGER, ASYNCHRONOUS :: GOT
      CHARACTER*32 SERVIC
      CHARACTER*(MPI_MAX_PORT_NAME) NAME
      INTEGER(KIND=MPI_ADDRESS_KIND) BYTES, BASE, PLACE
      PLACE = 3
      NAME = ' '
      IF (RANK .EQ. 0) CALL MPI_LOOKUP_NAME(SERVIC, MPI_INFO_NULL, NAME,
     &     IERR)
      CALL MPI_INFO_CREATE(INFO, IERR)
      CALL MPI_INFO_SET(INFO, 'psnam_window_connect', 'true', IERR)
      CALL MPI_COMM_CONNECT(NAME, INFO, 0, MPI_COMM_WORLD, HANDLE, IERR)
      CALL MPI_COMM_REMOTE_SIZE(HANDLE, FORMER, IERR)
      CALL CHECK(FORMER .GT. 0, 'the former size is known')
      CALL MPI_WIN_CREATE_DYNAMIC(INFO, HANDLE, WIN, IERR)
      CALL MPI_COMM_DISCONNECT(HANDLE, IERR)
      DO 10 I = 0, FORMER - 1
        CALL MPI_WIN_SHARED_QUERY(WIN, I, BYTES, UNIT, BASE, IERR)
        CALL CHECK(BYTES .EQ. 64 .AND. UNIT .EQ. 4, 'size and unit')
        GOT = -1
        CALL MPI_WIN_FENCE(0, WIN, IERR)
        CALL MPI_GET(GOT, 1, MPI_INTEGER, I, PLACE, 1, MPI_INTEGER, WIN,
     &       IERR)
        CALL MPI_WIN_FENCE(MPI_MODE_NOSUCCEED, WIN, IERR)
        CALL CHECK(GOT .EQ. 100 + MOD(I + FORMER - 1, FORMER),
     &       'the value of the producer is there')
   10 CONTINUE
      IF (RANK .EQ. 0) CALL MPI_UNPUBLISH_NAME(SERVIC, MPI_INFO_NULL,
     &     NAME, IERR)
      CALL MPI_INFO_SET(INFO, 'psnam_consistency',
     &     'psnam_consistency_volatile', IERR)
      CALL MPI_WIN_SET_INFO(WIN, INFO, IERR)
      CALL MPI_WIN_FREE(WIN, IERR)
      CALL MPI_INFO_FREE(INFO, IERR)
      END
