// Chooses the kernels, once per call.
#pragma once

#include "kernels/kernels.hpp"

namespace conse {

/// The table of current_target().
const KernelTable& kernels();

}  // namespace conse
