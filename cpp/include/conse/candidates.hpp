// Which labels a ranking may return, and how their scores are formed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace conse {

struct Filter;

/// Labels that were prepared by Index::prepare(), for any number of calls with that index.
using CandidateSet = std::shared_ptr<const Filter>;

struct RankOptions {
    /// Null: all labels. Else (rows, n_labels), not 0 where a label may be returned, `mask_stride` bytes from row to
    /// row; 0: one row for all images.
    const std::uint8_t* mask = nullptr;
    std::ptrdiff_t mask_stride = 0;
    /// Instead of a mask; prepared for the same index.
    CandidateSet candidates;

    /// Calibrated stacking (Chao et al. 2016, arXiv 1605.04253): what the score of a seen label is reduced by before
    /// anything is compared. Any finite number.
    double seen_penalty = 0;

    /// The score is f . label, with f as embed() gives it, instead of its cosine: comparable between images.
    bool dot = false;
};

}  // namespace conse
