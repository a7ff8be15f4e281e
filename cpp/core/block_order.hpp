// An order of labels in which neighbours are similar, so that whole blocks can be skipped.
#pragma once

#include <cstdint>
#include <vector>

#include "conse/execution.hpp"

namespace conse {

/// Reorders `rows` (row numbers of the unit vectors in `units`, `dimension` floats each) so that every aligned run of
/// 16, of 32 x 16, ... is a cluster: recursive balanced 2-means down to tiles, in which blocks grow by pairs.
/// Deterministic.
void order_into_blocks(const float* units, std::size_t dimension, std::vector<std::uint32_t>& rows,
                       const Execution& execution);

}  // namespace conse
