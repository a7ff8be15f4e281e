// The scores of one block of labels, the one arithmetic behind every ranking and every single score.
#pragma once

#include <cstdint>

#include "core/index_data.hpp"
#include "core/plan.hpp"
#include "core/query.hpp"

namespace conse {

// Weights below this are left out. Times the step of the maxima, a power of two, they would leave float32's ordinary
// numbers, and what they could add to a score, 2^-100 of a class's length, is nothing.
inline float smallest_weight(const IndexData& index) {
    return 0x1p-115f / index.maxima_step;
}

/// Combines queries as far as make_scorable() and a search need it.
inline void combine_for(const KernelTable& kernels, const IndexData& index, Arithmetic arithmetic, Query* queries,
                        std::size_t count) {
    const auto combine = arithmetic == Arithmetic::table ? Query::find_lengths : Query::combine;
    combine(kernels, index.classes, queries, count);
}

/// Makes of a combined query with a direction what score_rows() reads.
inline void make_scorable(const IndexData& index, Arithmetic arithmetic, Query& query) {
    query.make_weights(smallest_weight(index));
    if (arithmetic == Arithmetic::embeddings) query.make_direction();
}

/// The scores of the block's 16 rows; bit i of the result says that scores[i] is not below `floor`.
inline std::uint32_t score_rows(const KernelTable& kernels, const IndexData& index, Arithmetic arithmetic,
                                const Query& query, std::size_t block, float floor, float* scores) {
    if (arithmetic == Arithmetic::embeddings) {
        return kernels.score_plain_block(query.direction().data(), index.classes.dimension, index.label_block(block),
                                         floor, scores);
    }
    return kernels.score_block(query.weights().data(), query.classes().data(), query.weights().size(),
                               index.table_block(block), index.table_stride(), floor, scores);
}

}  // namespace conse
