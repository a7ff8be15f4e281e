// Which labels a ranking may return, and how their scores are formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace conse {

struct PreparedLabels;

/// Labels that were prepared by Index::prepare(), for any number of calls with that index.
using CandidateSet = std::shared_ptr<const PreparedLabels>;

struct RankOptions {
    /// The labels that may be returned: one of these three, or all labels.
    CandidateSet candidates;  // prepared for the same index
    /// (rows, n_labels), not 0 where a label may be returned, `mask_stride` bytes from row to row; 0: one row for all
    /// images.
    const std::uint8_t* mask = nullptr;
    std::ptrdiff_t mask_stride = 0;
    /// (rows, n_ids) label ids in any order, -1 in unused places, `ids_stride` ids from row to row; 0: one row for all.
    /// An empty list needs a pointer, too: null means that no ids are given.
    const std::int64_t* ids = nullptr;
    std::size_t n_ids = 0;
    std::ptrdiff_t ids_stride = 0;

    /// Of those, the labels that may not be returned: (rows, n_excluded) label ids, laid out as `ids`.
    const std::int64_t* excluded = nullptr;
    std::size_t n_excluded = 0;
    std::ptrdiff_t excluded_stride = 0;

    /// Calibrated stacking (Chao et al. 2016, arXiv 1605.04253): what the score of a seen label is reduced by before
    /// anything is compared. Any finite number within float32.
    double seen_penalty = 0;

    /// The score is f . label, with f as embed() gives it, instead of its cosine: comparable between images.
    bool dot = false;
};

}  // namespace conse
