// f for rows of probabilities, from class embeddings that are prepared already.
#pragma once

#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"
#include "conse/primitives.hpp"
#include "core/query.hpp"
#include "core/unit_rows.hpp"

namespace conse {

/// The class embeddings that `unit` holds, as the query sees them.
inline ClassEmbeddings class_rows(const UnitRows& unit, const MatrixView& given, const Combination& combination) {
    return {unit.data.data(), given.rows, given.columns, combination.normalize_classes ? nullptr : unit.lengths.data()};
}

/// (rows, dimension) float32 f of each row, not normalised; `probabilities` has one column per class.
void combine_rows(const MatrixView& probabilities, std::size_t top_t, const ClassEmbeddings& classes, float* f,
                  const Execution& execution);

}  // namespace conse
