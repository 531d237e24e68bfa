// Progress of the MPI library while this library waits, or while a program looks again and again by calls of ours.
#pragma once

#include "rma/real.hpp"

namespace psnam::sync {

/// Lets the MPI library get on with what the program has begun: somebody may wait for just that, and whoever is waited
/// for here may wait for him. Any thread.
void make_progress(const Real& real) noexcept;

}  // namespace psnam::sync
