// MPI_Publish_name and its companions for the names of windows: kept in the catalog, so that a later job finds them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "win/context.hpp"

namespace psnam::win {

/// The window name that a port name is: without the blanks that the mpi_f08 binding of MPICH leaves behind a Fortran
/// string. A window name has no blanks.
[[nodiscard]] std::string_view window_name(const char* port_name) noexcept;

/// False if `port_name` is no window's, so that the name is the MPI library's to publish.
[[nodiscard]] Result<bool> publish_name(Context& context, const char* service, const char* port_name);

/// The window name published under `service`, if any.
[[nodiscard]] Result<std::optional<std::string>> lookup_name(Context& context, const char* service);

/// False if the catalog does not know `service`.
[[nodiscard]] Result<bool> unpublish_name(Context& context, const char* service, const char* port_name);

}  // namespace psnam::win
