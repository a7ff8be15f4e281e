// Which labels a search may find, and by how much seen ones are set back, as blocks and tiles see it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conse/candidates.hpp"
#include "core/index_data.hpp"
#include "core/plan.hpp"

namespace conse {

/// Candidates of one index. To be filled anew it needs time for the labels that it held, not for all.
struct Filter {
    std::vector<std::uint16_t> lanes;        // (blocks) bit: the stored row may be found
    std::vector<std::uint32_t> blocks;       // those with a bit, ascending
    std::vector<std::uint16_t> twin_lanes;   // (distinct blocks, or none without twins) bit: a twin may be found
    std::vector<std::uint32_t> twin_blocks;  // those with a bit
    // Per level from 1 on, (tiles): bit j: child j leads to a candidate; to candidates that are seen classes only.
    std::vector<std::vector<std::uint32_t>> children, seen_children;
    std::size_t n_rows = 0;  // stored rows of candidates
};

/// Labels as a caller says them: a mask, (n_labels), or ids, -1 in unused places; with neither all labels.
struct LabelChoice {
    const std::uint8_t* mask = nullptr;
    const std::int64_t* ids = nullptr;
    std::size_t n_ids = 0;
};

/// Allows the chosen labels, whose ids have been checked. `with_seen`: seen_children will be needed.
void fill_filter(const IndexData& index, const LabelChoice& choice, bool with_seen, Filter& filter);

inline Extent extent_of(const Filter& filter) {
    return {static_cast<double>(filter.n_rows), static_cast<double>(filter.blocks.size())};
}

/// Takes labels away, -1 in unused places; their ids have been checked.
void exclude(const IndexData& index, const std::int64_t* ids, std::size_t n_ids, Filter& filter);

/// What the scores of seen labels are reduced by, as float32; std::invalid_argument when it is none that is finite.
float penalty_of(const RankOptions& options);

/// What one search may find, and what the scores of seen labels are reduced by; a penalty needs a filter with seen
/// children.
struct Allowed {
    const Filter* filter = nullptr;  // null: all labels
    float penalty = 0;
    const std::vector<std::uint8_t>* seen_blocks = nullptr;

    std::uint32_t lanes_of(std::size_t block) const { return filter == nullptr ? 0xffff : filter->lanes[block]; }
    /// Of a distinct block: those whose own label or a twin may be found.
    std::uint32_t lanes_with_twins_of(std::size_t block) const {
        return filter == nullptr ? 0xffff : filter->lanes[block] | filter->twin_lanes[block];
    }
    bool allows(const LabelPlaces::Rows& rows) const {
        return rows.first != rows.last && (lanes_of(*rows.first / kBlockRows) >> *rows.first % kBlockRows & 1) != 0;
    }
    float penalty_of(std::size_t block) const { return penalty != 0 && (*seen_blocks)[block] != 0 ? penalty : 0; }
};

}  // namespace conse
