// Chooses the kernels, once per call.
#pragma once

#include "kernels/kernels.hpp"

namespace conse {

/// The table of current_target(). Does not read the environment once a target is chosen.
const KernelTable& kernels();

}  // namespace conse
