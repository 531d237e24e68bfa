// Acting for another user, which root may: namctl --owner.
#pragma once

#include <string>

#include "base/result.hpp"

namespace psnam::cli {

/// Makes the process one of `owner` (a name or a number), with that user's groups, for good: what it opens and makes
/// from then on is that user's, and so is the default store. Nothing to do for the user that it is already.
/// Code::access unless it is root's, Code::name_not_found for a user that the system does not know.
[[nodiscard]] Status become(const std::string& owner);

}  // namespace psnam::cli
