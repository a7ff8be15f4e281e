// Scores of given labels for given rows, without a ranking.
#pragma once

#include <cstdint>

#include "conse/candidates.hpp"
#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"
#include "core/index_data.hpp"

namespace conse {

/// `count` pairs of a row and a label, one after the other; -infinity where a ranking would leave the label out. The
/// scores have the bits that a ranking gives them.
void score_pairs(const IndexData& index, const MatrixView& probabilities, std::size_t top_t, const std::int64_t* pairs,
                 std::size_t count, const RankOptions& options, float* scores, const Execution& execution);

}  // namespace conse
