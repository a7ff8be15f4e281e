#include "core/write_ranking.hpp"

#include <limits>

namespace conse {

void write_ranking(const std::vector<Entry<float>>& best, std::size_t row, const RankingView& ranking) {
    float* scores = ranking.scores + row * ranking.k;
    std::int64_t* indices = ranking.indices + row * ranking.k;
    for (std::size_t i = 0; i < ranking.k; ++i) {
        const bool filled = i < best.size();
        scores[i] = filled ? best[i].value : -std::numeric_limits<float>::infinity();
        indices[i] = filled ? best[i].id : -1;
    }
}

}  // namespace conse
