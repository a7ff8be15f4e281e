// The three primitives of ConSE and their composition, without an index.
#pragma once

#include <cstddef>
#include <cstdint>

#include "conse/execution.hpp"
#include "conse/matrix_view.hpp"

namespace conse {

/// The k largest values of each row, ordered by (value descending, column ascending). `values` is (rows, k)
/// in the dtype of x; places beyond the row's length hold -infinity and -1. NaN is std::invalid_argument.
void top_k(const MatrixView& x, std::size_t k, void* values, std::int64_t* indices, const Execution& execution = {});

struct Combination {
    std::size_t top_t = 10;         // kept classes per row; more than there are means all
    bool normalize_classes = true;  // class embeddings are brought to unit length in float64 first
};

/// f = sum_t p_t s_t / sum_t p_t over the top_t most probable classes of each row (Norouzi et al. 2013, eq.
/// 3): (rows, dimension) float32, C-contiguous, not normalised. A row of zeros gives zeros.
void convex_combination(const MatrixView& probabilities, const MatrixView& class_embeddings,
                        const Combination& combination, float* f, const Execution& execution = {});

/// Lengths that are known already; null means "compute them".
struct Lengths {
    const double* queries = nullptr;
    const double* labels = nullptr;
};

/// The k labels of largest cosine for each query. `labels` is float32 or float16 with contiguous rows, read
/// where it lies. A label or query of length zero has no direction and is never ranked.
void cosine_rank(const MatrixView& queries, const MatrixView& labels, const Lengths& lengths,
                 const RankingView& ranking, const Execution& execution = {});

/// convex_combination and cosine_rank in one call.
void conse(const MatrixView& probabilities, const MatrixView& class_embeddings, const MatrixView& label_embeddings,
           const Combination& combination, const RankingView& ranking, const Execution& execution = {});

}  // namespace conse
