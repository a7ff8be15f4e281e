// f for rows of probabilities, from class embeddings that are prepared already.
#pragma once

#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"
#include "core/query.hpp"

namespace conse {

/// (rows, dimension) float32 f of each row; `probabilities` has one column per class.
void combine_rows(const MatrixView& probabilities, std::size_t top_t, const ClassEmbeddings& classes, float* f,
                  const Execution& execution);

}  // namespace conse
