// Ranks rows with an index as its plan says.
#pragma once

#include <functional>

#include "conse/candidates.hpp"
#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"
#include "core/index_data.hpp"
#include "core/query.hpp"

namespace conse {

struct RankRows {
    std::size_t count;
    std::size_t top_t;
    RankOptions options;
    /// Sets up the query of a row, not yet combined. Called from any thread, perhaps twice for a row.
    std::function<void(const KernelTable& kernels, std::size_t row, Query& query)> fill;
};

void rank_rows(const IndexData& index, const RankRows& rows, const RankingView& ranking, const Execution& execution);

}  // namespace conse
