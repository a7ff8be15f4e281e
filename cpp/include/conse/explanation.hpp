// Why a label scores what it does: a score is a sum over the seen classes that were kept.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conse {

/// Which labels Index::explain() explains, and where it writes. All arrays are C-contiguous; `terms` is the smaller of
/// top_t and the number of classes.
///
/// A score is the sum of its label's contributions, less options.seen_penalty where the label is a seen class. An image
/// without direction and a label without a vector have the score -infinity, and no similarities or contributions:
/// zeros.
struct ExplanationView {
    const std::int64_t* labels = nullptr;  // (rows, n_labels) label ids; -1, no label, has no score
    std::size_t n_labels = 0;
    std::size_t terms = 0;

    std::int64_t* classes = nullptr;  // (rows, terms) the kept classes: probability descending, ties by the lower id
    double* shares = nullptr;         // (rows, terms) p_t / Z
    float* scores = nullptr;          // (rows, n_labels) to the bits of Index::rank()
    double* similarities = nullptr;   // (rows, n_labels, terms) s_t . label, the label of length 1; of its best vector
    double* contributions =
        nullptr;  // (rows, n_labels, terms) share * similarity / ||f||, or share * similarity: "dot"
};

}  // namespace conse
