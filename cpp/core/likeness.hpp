// How much labels are like the classes, as the cost of having them in a block.
#pragma once

#include <cstdint>
#include <vector>

#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"
#include "core/cost_terms.hpp"

namespace conse {

/// Of the rows with these numbers among the unit vectors in `units`.
TermTable terms_of_rows(const MatrixView& classes, const float* units, const std::vector<std::uint32_t>& rows,
                        const Execution& execution);

/// Of the full blocks that such rows are in, in this order.
TermTable terms_of_blocks(const TermTable& rows, const std::vector<std::uint32_t>& order, std::size_t n_classes);

}  // namespace conse
