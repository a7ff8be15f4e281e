#include "core/filter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/message.hpp"

namespace conse {
namespace {

// Takes back what mark() and mark_children() have made of these blocks.
void unmark(const std::vector<std::uint32_t>& blocks, std::vector<std::uint16_t>& lanes,
            std::vector<std::vector<std::uint32_t>>& children) {
    for (const std::uint32_t block : blocks) {
        lanes[block] = 0;
        std::size_t tile = block;
        for (std::size_t level = 1; level < children.size(); ++level) children[level][tile /= kFanOut] = 0;
    }
}

void clear(const IndexData& index, Filter& filter) {
    const std::size_t n_with_twins = index.n_twins > 0 ? index.n_distinct_blocks() : 0;
    if (filter.lanes.size() == index.n_blocks && filter.twin_lanes.size() == n_with_twins &&
        filter.children.size() == index.levels.size()) {
        unmark(filter.blocks, filter.lanes, filter.children);
        unmark(filter.twin_blocks, filter.twin_lanes, filter.children);
    } else {
        filter.lanes.assign(index.n_blocks, 0);
        filter.twin_lanes.assign(n_with_twins, 0);
        filter.children.assign(index.levels.size(), {});
        for (std::size_t level = 1; level < index.levels.size(); ++level) {
            filter.children[level].assign(index.levels[level].n_tiles, 0);
        }
    }
    filter.blocks.clear();
    filter.twin_blocks.clear();
    filter.n_rows = 0;
}

// Whether the row's bit is new.
bool mark(std::uint32_t row, std::vector<std::uint16_t>& lanes, std::vector<std::uint32_t>& blocks) {
    std::uint16_t& of_block = lanes[row / kBlockRows];
    const auto with_row = static_cast<std::uint16_t>(of_block | 1u << row % kBlockRows);
    if (of_block == with_row) return false;
    if (of_block == 0) blocks.push_back(row / kBlockRows);
    of_block = with_row;
    return true;
}

void allow(const LabelPlaces& places, std::int64_t label, Filter& filter) {
    for (const std::uint32_t row : places.rows_of(label)) {
        if (!mark(row, filter.lanes, filter.blocks)) return;  // an id that was given before
        ++filter.n_rows;
        if (places.leading_rows.empty()) continue;
        const std::uint32_t leading = places.leading_rows[static_cast<std::size_t>(label)];
        if (leading != row) mark(leading, filter.twin_lanes, filter.twin_blocks);
    }
}

// Eight labels of a mask at a time: most masks have long stretches without a candidate.
void allow_masked(const LabelPlaces& places, const std::uint8_t* mask, std::size_t n_labels, Filter& filter) {
    for (std::size_t begin = 0; begin < n_labels; begin += 8) {
        const std::size_t count = std::min<std::size_t>(8, n_labels - begin);
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, mask + begin, count);
        for (std::size_t i = 0; bytes != 0 && i < count; ++i) {
            if (mask[begin + i] != 0) allow(places, static_cast<std::int64_t>(begin + i), filter);
        }
    }
    std::sort(filter.blocks.begin(), filter.blocks.end());
}

void allow_all(const IndexData& index, Filter& filter) {
    for (std::uint32_t block = 0; block < index.n_blocks; ++block) {
        filter.lanes[block] = 0xffff;  // padding has no label to be found
        filter.blocks.push_back(block);
    }
    for (std::uint32_t block = 0; block < filter.twin_lanes.size(); ++block) {
        filter.twin_lanes[block] = index.twin_lanes[block];
        filter.twin_blocks.push_back(block);
    }
    filter.n_rows = index.n_rows;
}

// From the blocks up.
void mark_children(const IndexData& index, const std::vector<std::uint32_t>& blocks, Filter& filter) {
    for (const std::uint32_t block : blocks) {
        std::size_t child = block;
        for (std::size_t level = 1; level < index.levels.size(); ++level) {
            const std::uint32_t bit = 1u << child % kFanOut;
            std::uint32_t& children = filter.children[level][child /= kFanOut];
            if ((children & bit) != 0) break;
            children |= bit;
        }
    }
}

// A tile leads to seen labels only when all its children with candidates do.
void mark_seen(const IndexData& index, Filter& filter) {
    const std::vector<std::uint8_t>& seen_blocks = index.label_places().seen_blocks;
    filter.seen_children = filter.children;
    for (std::size_t level = 1; level < index.levels.size(); ++level) {
        for (std::size_t tile = 0; tile < filter.children[level].size(); ++tile) {
            const std::uint32_t children = filter.children[level][tile];
            std::uint32_t seen = 0;
            for (std::uint32_t left = children; left != 0; left &= left - 1) {
                const auto lane = static_cast<std::size_t>(__builtin_ctz(left));
                const std::size_t child = tile * kFanOut + lane;
                const bool is_seen = level == 1
                                         ? seen_blocks[child] != 0
                                         : filter.seen_children[level - 1][child] == filter.children[level - 1][child];
                seen |= static_cast<std::uint32_t>(is_seen) << lane;
            }
            filter.seen_children[level][tile] = seen;
        }
    }
}

}  // namespace

void fill_filter(const IndexData& index, const LabelChoice& choice, bool with_seen, Filter& filter) {
    clear(index, filter);
    if (choice.mask != nullptr) {
        allow_masked(index.label_places(), choice.mask, index.n_labels, filter);
    } else if (choice.ids != nullptr) {
        const LabelPlaces& places = index.label_places();
        for (std::size_t i = 0; i < choice.n_ids; ++i) allow(places, choice.ids[i], filter);
        std::sort(filter.blocks.begin(), filter.blocks.end());
    } else {
        allow_all(index, filter);
    }
    mark_children(index, filter.blocks, filter);
    mark_children(index, filter.twin_blocks, filter);
    if (with_seen) mark_seen(index, filter);
}

// Blocks and tiles that lead to nothing any more stay marked: bounds that lead there are no worse than before.
void exclude(const IndexData& index, const std::int64_t* ids, std::size_t n_ids, Filter& filter) {
    const LabelPlaces& places = index.label_places();
    for (std::size_t i = 0; i < n_ids; ++i) {
        for (const std::uint32_t row : places.rows_of(ids[i])) {
            std::uint16_t& lanes = filter.lanes[row / kBlockRows];
            lanes = static_cast<std::uint16_t>(lanes & ~(1u << row % kBlockRows));
        }
    }
}

float penalty_of(const RankOptions& options) {
    if (!(std::abs(options.seen_penalty) <= static_cast<double>(std::numeric_limits<float>::max()))) {
        invalid_argument("seen_penalty must be a finite number within float32, got ", word_for(options.seen_penalty));
    }
    return static_cast<float>(options.seen_penalty);
}

}  // namespace conse
