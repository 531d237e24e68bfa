// The list of MPI's predefined types. From it the names are made, here, and the table of their handles, where MPI is
// known. The number of a type in the list is what an Element remembers for its name.
#pragma once

/// Calls row(type, Family::..., Kind:: of a pair type) for each type.
// clang-format off
#define PSNAM_PREDEFINED_TYPES(row)                             \
  row(MPI_CHAR, Family::character)                              \
  row(MPI_SIGNED_CHAR, Family::integer)                         \
  row(MPI_UNSIGNED_CHAR, Family::natural)                       \
  row(MPI_BYTE, Family::byte)                                   \
  row(MPI_PACKED, Family::packed)                               \
  row(MPI_WCHAR, Family::wide_char)                             \
  row(MPI_SHORT, Family::integer)                               \
  row(MPI_UNSIGNED_SHORT, Family::natural)                      \
  row(MPI_INT, Family::integer)                                 \
  row(MPI_UNSIGNED, Family::natural)                            \
  row(MPI_LONG, Family::integer)                                \
  row(MPI_UNSIGNED_LONG, Family::natural)                       \
  row(MPI_LONG_LONG_INT, Family::integer)                       \
  row(MPI_UNSIGNED_LONG_LONG, Family::natural)                  \
  row(MPI_INT8_T, Family::integer)                              \
  row(MPI_INT16_T, Family::integer)                             \
  row(MPI_INT32_T, Family::integer)                             \
  row(MPI_INT64_T, Family::integer)                             \
  row(MPI_UINT8_T, Family::natural)                             \
  row(MPI_UINT16_T, Family::natural)                            \
  row(MPI_UINT32_T, Family::natural)                            \
  row(MPI_UINT64_T, Family::natural)                            \
  row(MPI_AINT, Family::integer)                                \
  row(MPI_OFFSET, Family::integer)                              \
  row(MPI_COUNT, Family::integer)                               \
  row(MPI_FLOAT, Family::floating)                              \
  row(MPI_DOUBLE, Family::floating)                             \
  row(MPI_LONG_DOUBLE, Family::long_double)                     \
  row(MPI_C_BOOL, Family::logical)                              \
  row(MPI_C_FLOAT_COMPLEX, Family::complex)                     \
  row(MPI_C_DOUBLE_COMPLEX, Family::complex)                    \
  row(MPI_C_LONG_DOUBLE_COMPLEX, Family::complex_long_double)   \
  /* Fortran */                                                 \
  row(MPI_INTEGER, Family::integer)                             \
  row(MPI_INTEGER1, Family::integer)                            \
  row(MPI_INTEGER2, Family::integer)                            \
  row(MPI_INTEGER4, Family::integer)                            \
  row(MPI_INTEGER8, Family::integer)                            \
  row(MPI_INTEGER16, Family::integer)                           \
  row(MPI_REAL, Family::floating)                               \
  row(MPI_REAL4, Family::floating)                              \
  row(MPI_REAL8, Family::floating)                              \
  row(MPI_REAL16, Family::floating)                             \
  row(MPI_DOUBLE_PRECISION, Family::floating)                   \
  row(MPI_COMPLEX, Family::complex)                             \
  row(MPI_COMPLEX8, Family::complex)                            \
  row(MPI_COMPLEX16, Family::complex)                           \
  row(MPI_COMPLEX32, Family::complex)                           \
  row(MPI_DOUBLE_COMPLEX, Family::complex)                      \
  row(MPI_LOGICAL, Family::logical)                             \
  row(MPI_CHARACTER, Family::character)                         \
  /* C++ */                                                     \
  row(MPI_CXX_BOOL, Family::logical)                            \
  row(MPI_CXX_FLOAT_COMPLEX, Family::complex)                   \
  row(MPI_CXX_DOUBLE_COMPLEX, Family::complex)                  \
  row(MPI_CXX_LONG_DOUBLE_COMPLEX, Family::complex_long_double) \
  /* Value and index */                                         \
  row(MPI_FLOAT_INT, Family::pair, Kind::float_int)             \
  row(MPI_DOUBLE_INT, Family::pair, Kind::double_int)           \
  row(MPI_LONG_INT, Family::pair, Kind::long_int)               \
  row(MPI_2INT, Family::pair, Kind::int_int)                    \
  row(MPI_SHORT_INT, Family::pair, Kind::short_int)             \
  row(MPI_LONG_DOUBLE_INT, Family::pair, Kind::float80_int)     \
  row(MPI_2REAL, Family::pair, Kind::float_float)               \
  row(MPI_2DOUBLE_PRECISION, Family::pair, Kind::double_double) \
  row(MPI_2INTEGER, Family::pair, Kind::int_int)
// clang-format on
