// Where the inline functions of psnam.h find the library: apart, because that header has the names that iget.cpp
// exports.
#include "psnam.h"

#include <fmt/format.h>

#include "mpi/iget.hpp"

namespace psnam::mpi {
namespace {

constexpr psnam_private_iget_functions kFunctions{
    sizeof(psnam_private_iget_functions), iget_start, iget_wait, iget_test, iget_data, iget_free};

}  // namespace

const char* iget_key() noexcept { return PSNAM_INFO_IGET; }

std::string iget_functions() { return fmt::format("{}", static_cast<const void*>(&kFunctions)); }

}  // namespace psnam::mpi
