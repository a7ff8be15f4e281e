// The second step of the order of labels: exchanges that lower the maxima of blocks and tiles.
#pragma once

#include <cstdint>
#include <vector>

#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"

namespace conse {

/// Exchanges rows between the blocks, then blocks between the tiles, into which order_into_blocks has put `rows` (row
/// numbers of the unit vectors in `units`), where that makes searches by the rows of `classes` read fewer of them.
/// Deterministic, for any number of threads.
void exchange_between_blocks(const MatrixView& classes, const float* units, std::vector<std::uint32_t>& rows,
                             const Execution& execution);

}  // namespace conse
