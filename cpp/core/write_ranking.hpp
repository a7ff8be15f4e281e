// From the best entries of a query to its row of results.
#pragma once

#include <vector>

#include "conse/matrix_view.hpp"
#include "core/entry.hpp"

namespace conse {

/// Best first, and -infinity and -1 in the places that stay empty.
void write_ranking(const std::vector<Entry<float>>& best, std::size_t row, const RankingView& ranking);

}  // namespace conse
