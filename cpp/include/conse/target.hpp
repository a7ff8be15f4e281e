// The instruction sets that the kernels were compiled for.
#pragma once

#include <string>
#include <vector>

namespace conse {

/// Compiled in and supported by this CPU, best first; the last one is always "generic".
std::vector<std::string> supported_targets();

/// The one in use: the best, or what the environment variable CONSE_FAST_TARGET names.
/// Throws std::invalid_argument that lists the valid names when it names another.
std::string current_target();

}  // namespace conse
