// What the tests of libNAM, with and without MPI, say of a call that fails.
#pragma once

#include <gtest/gtest.h>
#include <nam.h>

#include <cerrno>
#include <string>

/// Expects that `expression` is `failed`, with that errno and a message that has `part` in it.
#define EXPECT_NAM_FAILS(expression, failed, error_number, part)                            \
  do {                                                                                      \
    errno = 0;                                                                              \
    EXPECT_EQ(expression, failed);                                                          \
    EXPECT_EQ(errno, error_number) << nam_strerror();                                       \
    EXPECT_NE(std::string{nam_strerror()}.find(part), std::string::npos) << nam_strerror(); \
  } while (false)
