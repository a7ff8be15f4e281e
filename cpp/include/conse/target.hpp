// The instruction sets that the kernels were compiled for.
#pragma once

#include <string>
#include <vector>

namespace conse {

/// Compiled in and supported by this CPU, best first; the last one is always "generic".
std::vector<std::string> supported_targets();

/// Makes the environment variable CONSE_FAST_TARGET, or the CPU if it is unset, decide for all calls from now on.
/// Happens by itself before the first call. Reads the environment, so no other thread may change it meanwhile.
/// Throws std::invalid_argument that lists the valid names when the variable names another.
void choose_target();

/// The one in use.
std::string current_target();

}  // namespace conse
