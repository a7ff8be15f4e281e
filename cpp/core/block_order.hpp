// An order of labels in which neighbours are similar, so that whole blocks can be skipped.
#pragma once

#include <cstdint>
#include <vector>

#include "conse/execution.hpp"

namespace conse {

/// Recursive balanced 2-means: reorders `rows` (row numbers of the unit vectors in `units`, `dimension`
/// floats each) so that every aligned run of 32, of 32 x 32, ... is a cluster. Deterministic.
void order_into_blocks(const float* units, std::size_t dimension, std::vector<std::uint32_t>& rows,
                       const Execution& execution);

}  // namespace conse
