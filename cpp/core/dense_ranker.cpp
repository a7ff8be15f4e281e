#include "core/dense_ranker.hpp"

#include <algorithm>
#include <limits>

namespace conse {
namespace {

// Queries that the kernels are given at a time: a multiple of the 3, 6 or 8 that they score at once, few enough for
// their scores to stay in the cache.
constexpr std::size_t kQueriesPerStrip = 24;

}  // namespace

DenseRanker::DenseRanker(const KernelTable& kernels, const Directions& queries, const LabelRows& labels, Range batch,
                         std::size_t most_labels, std::size_t k)
    : kernels_(kernels),
      queries_(queries),
      batch_(batch),
      chunk_(kernels, labels, most_labels),
      scores_(std::min(kQueriesPerStrip, batch.size()) * (most_labels + kDenseLanes)),
      masks_(scores_.size() / kDenseLanes + 1),
      best_(batch.size()) {
    for (Collector<float>& best : best_) best.reset(k);
}

void DenseRanker::rank(Range queries, Range labels) {
    if (queries.size() == 1) {
        rank_one(queries.begin, labels);
    } else {
        chunk_.pack(labels.begin, labels.end);
        for (std::size_t q = queries.begin; q < queries.end; q += kQueriesPerStrip) {
            rank_strip({q, std::min(q + kQueriesPerStrip, queries.end)});
        }
    }
    rank_extremes(queries, labels);
}

// Without a tile in between: at 300 dimensions a query alone takes a quarter less time.
void DenseRanker::rank_one(std::size_t q, Range labels) {
    chunk_.score(labels.begin, labels.end, queries_[q], floor_of(q), scores_.data(), masks_.data());
    collect(scores_.data(), masks_.data(), best_of(q));
}

void DenseRanker::rank_strip(Range queries) {
    const DenseTiles tiles = chunk_.tiles();
    float floors[kQueriesPerStrip];
    for (std::size_t i = 0; i < queries.size(); ++i) floors[i] = floor_of(queries.begin + i);
    kernels_.score_queries({queries_[queries.begin], queries_.stride, queries.size(), floors}, tiles, scores_.data(),
                           masks_.data());
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const std::size_t first = i * tiles.count;
        collect(scores_.data() + first * kDenseLanes, masks_.data() + first, best_of(queries.begin + i));
    }
}

void DenseRanker::rank_extremes(Range queries, Range labels) {
    for (const std::size_t label : chunk_.extremes()) {
        for (std::size_t q = queries.begin; q < queries.end; ++q) {
            if (queries_.kinds[q] == Directions::kUsual) push_in_float64(q, label);
        }
    }
    for (std::size_t q = queries.begin; q < queries.end; ++q) {
        if (queries_.kinds[q] != Directions::kExtreme) continue;
        for (std::size_t label = labels.begin; label < labels.end; ++label) {
            if (!chunk_.is_zero(label)) push_in_float64(q, label);
        }
    }
}

void DenseRanker::collect(const float* scores, const std::uint16_t* masks, Collector<float>& best) {
    const std::size_t n_tiles = chunk_.n_tiles();
    for (std::size_t tile = 0; tile < n_tiles; tile += 4) {
        // Hardly a label reaches the floor: four tiles are passed over in one step.
        std::uint64_t mask = 0;
        for (std::size_t i = 0; i < std::min<std::size_t>(4, n_tiles - tile); ++i) {
            mask |= static_cast<std::uint64_t>(masks[tile + i]) << (kDenseLanes * i);
        }
        for (; mask != 0; mask &= mask - 1) {
            const std::size_t i = tile * kDenseLanes + static_cast<std::size_t>(__builtin_ctzll(mask));
            if (scores[i] < best.floor()) continue;
            best.push(scores[i], static_cast<std::int32_t>(chunk_.first_label() + i));
            best.settle_when_due();
        }
    }
}

void DenseRanker::push_in_float64(std::size_t q, std::size_t label) {
    Collector<float>& best = best_of(q);
    const float score = chunk_.score_in_float64(queries_[q], label);
    if (score < best.floor()) return;
    best.push(score, static_cast<std::int32_t>(label));
    best.settle_when_due();
}

// No score of the kernels reaches infinity: of queries that are not theirs nothing is collected.
float DenseRanker::floor_of(std::size_t q) {
    const bool usual = queries_.kinds[q] == Directions::kUsual;
    return usual ? best_of(q).floor() : std::numeric_limits<float>::infinity();
}

}  // namespace conse
