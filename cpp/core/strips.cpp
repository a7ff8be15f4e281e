#include "core/strips.hpp"

#include <algorithm>
#include <limits>

namespace conse {
namespace {

// Queries that the kernels are given at a time: a multiple of the 3, 6 or 8 that they score at once, few enough for
// their scores to stay in the cache.
constexpr std::size_t kQueriesPerStrip = 24;

}  // namespace

Strips::Strips(const KernelTable& kernels, const Directions& queries, Range batch, std::size_t most_labels,
               std::size_t k, bool repeated_labels)
    : kernels_(kernels),
      queries_(queries),
      batch_(batch),
      scores_(std::min(kQueriesPerStrip, batch.size()) * (most_labels / kDenseLanes + 1)),
      masks_(scores_.size() + 1),
      best_(batch.size()) {
    for (Collector<float>& best : best_) best.reset(k, repeated_labels);
}

void Strips::rank(Range queries, const DenseTiles& tiles, const LaneLabels& labels) {
    float floors[kQueriesPerStrip];
    DenseTiles for_strip = tiles;
    const auto next_after = [&](std::size_t q) {  // each strip asks for its share
        const auto size = static_cast<std::size_t>(tiles.next.end - tiles.next.begin);
        return tiles.next.begin + size * (q - queries.begin) / queries.size();
    };
    for (std::size_t begin = queries.begin; begin < queries.end; begin += kQueriesPerStrip) {
        const std::size_t count = std::min(kQueriesPerStrip, queries.end - begin);
        for (std::size_t i = 0; i < count; ++i) floors[i] = floor_of(begin + i, labels);
        for_strip.next = {next_after(begin), next_after(begin + count)};
        kernels_.score_queries({queries_[begin], queries_.stride, count, floors}, for_strip, scores(), masks());
        for (std::size_t i = 0; i < count; ++i) {
            const std::size_t first = i * tiles.count;
            collect(begin + i, scores() + first * kDenseLanes, masks() + first, tiles.count, labels);
        }
    }
}

void Strips::collect(std::size_t q, const float* scores, const std::uint16_t* masks, std::size_t n_tiles,
                     const LaneLabels& labels) {
    Collector<float>& best = best_of(q);
    const Allowed& allowed = labels.allowed;
    const std::size_t first_block = labels.first / kDenseLanes;
    for (std::size_t tile = 0; tile < n_tiles; tile += 4) {
        // Hardly a label reaches the floor: four tiles are passed over in one step.
        std::uint64_t mask = 0;
        for (std::size_t i = 0; i < std::min<std::size_t>(4, n_tiles - tile); ++i) {
            const std::uint32_t candidates = allowed.lanes_of(first_block + tile + i);
            mask |= static_cast<std::uint64_t>(masks[tile + i] & candidates) << (kDenseLanes * i);
        }
        for (; mask != 0; mask &= mask - 1) {
            const std::size_t i = tile * kDenseLanes + static_cast<std::size_t>(__builtin_ctzll(mask));
            const float score = scores[i] - allowed.penalty_of(first_block + i / kDenseLanes);
            if (score < best.floor()) continue;
            const auto label = labels.ids ? labels.ids[labels.first + i] : static_cast<std::int32_t>(labels.first + i);
            if (static_cast<std::uint32_t>(label) >= labels.n_labels) continue;
            best.push(score, label);
            best.settle_when_due();
        }
    }
}

// No score of the kernels reaches infinity: of queries that are not theirs nothing is collected.
float Strips::floor_of(std::size_t q, const LaneLabels& labels) const {
    if (queries_.kinds[q] != Directions::kUsual) return std::numeric_limits<float>::infinity();
    const bool raised = labels.allowed.penalty < 0;
    return raised ? -std::numeric_limits<float>::infinity() : best_[q - batch_.begin].floor();
}

}  // namespace conse
