// How an index ranks: where scores come from, and whether bounds decide which labels are scored.
#pragma once

#include <cstddef>
#include <string>

#include "core/index_data.hpp"

namespace conse {

/// Where the scores of labels come from. The choice depends on the index and T alone, so that a label's score
/// has the same bits in every ranking.
enum class Arithmetic {
    table,       // sum over the kept classes: T multiply-adds per label
    embeddings,  // direction of f times label embedding: `dimension` multiply-adds per label
};

Arithmetic choose_arithmetic(const IndexData& index, std::size_t top_t);

/// So few blocks are searched whatever is expected.
inline constexpr std::size_t kFewBlocks = 16;

/// The rest of a plan decides only which labels are scored.
struct RankPlan {
    Arithmetic arithmetic;
    bool bounded;                   // false: every label is scored
    double expected_fraction;       // of blocks that a bounded search scores
    double most_fraction;           // while no more than this is expected, bounds pay
    std::size_t most_blocks;        // a search that has scored so many blocks gives up, and every label is scored
    double paying_blocks;           // a search that scores more costs more than scoring every label
    double spare_blocks;            // per row of a call: as many may be lost by searches that do, or give up
    std::size_t gives_up_together;  // so many searches at most are expected to use that up at once
    double row_microseconds;        // about, on one thread
    double sweep_microseconds;      // of a row whose labels are scored one row after the other
};

/// How much of an index candidates leave: stored rows, and blocks that hold any.
struct Extent {
    double rows, blocks;
};

inline Extent extent_of(const IndexData& index) {
    return {static_cast<double>(index.n_rows), static_cast<double>(index.n_blocks)};
}

/// For `n_rows` images in one call: many together score all labels at less cost than one by one.
RankPlan make_plan(const IndexData& index, const Extent& candidates, std::size_t top_t, std::size_t k,
                   std::size_t n_rows);

/// The plan in words.
std::string reason_of(const RankPlan& plan, const IndexData& index, const Extent& candidates, std::size_t top_t,
                      std::size_t k);

}  // namespace conse
