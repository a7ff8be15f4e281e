// Ranks rows with an index as its plan says.
#pragma once

#include "conse/candidates.hpp"
#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"
#include "core/index_data.hpp"
#include "core/row_queries.hpp"

namespace conse {

/// Ranks all rows for each top_t in turn: `ranking` holds (top_t.count, rows, k).
void rank_rows(const IndexData& index, const RowQueries& rows, const TopTs& top_t, const RankOptions& options,
               const RankingView& ranking, const Execution& execution);

}  // namespace conse
