#include "core/index_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace conse {
namespace {

// By how much a score from the embeddings may exceed a bound from the maxima, u = 2^-24 being float32's
// unit roundoff and W = sum_t w_t ||s_t||:
//   bound:  sum of T products in runs of 32 rounds at most 1 + min(T, 32) + ceil(T / 32) times per term, the
//           table entry behind a maximum once, the weight once: each u * W;
//   score:  likewise over the dimensions, the direction's component once; u * ||f/||f|| || ||label|| = u.
// The factor covers second-order terms and lengths that are 1 only up to rounding.
double bound_slack(const Query& query, const IndexData& index) {
    constexpr double kUnitRoundoff = 0x1p-24, kSecondOrder = 1.01;
    const auto roundings = [](std::size_t n) {
        return 3 + static_cast<double>(std::min(n, kRunTerms) + (n + kRunTerms - 1) / kRunTerms);
    };
    double mass = 0;
    for (std::size_t t = 0; t < query.classes().size(); ++t) {
        mass += query.shares()[t] / query.length() * index.class_lengths[query.classes()[t]];
    }
    const double of_bound = roundings(query.classes().size()) * mass, of_score = roundings(index.classes.dimension);
    return kSecondOrder * kUnitRoundoff * (of_bound + of_score);
}

}  // namespace

Arithmetic choose_arithmetic(const IndexData& index, std::size_t top_t) {
    const bool table_is_shorter = std::min(top_t, index.classes.n_classes) <= index.classes.dimension;
    return !index.compact() && table_is_shorter ? Arithmetic::table : Arithmetic::embeddings;
}

// A bound at the floor is followed: a label of equal score and lower id may hide there.
float Search::lowest_bound() const {
    if (slack_ == 0) return best_.floor();
    return std::nextafter(best_.floor() - slack_, -std::numeric_limits<float>::infinity());
}

void Search::expand(const KernelTable& kernels, const IndexData& index, const Query& query, const Node& node) {
    const std::size_t first_child = node.tile * kTileLanes;
    const std::size_t n_children = std::min(kTileLanes, index.levels[node.level - 1].n_tiles - first_child);
    float bounds[kTileLanes];
    std::uint32_t mask = kernels.score_tile(query.weights().data(), query.classes().data(), query.weights().size(),
                                            index.maxima_tile(node.level, node.tile), lowest_bound(), bounds);
    if (n_children < kTileLanes) mask &= (1u << n_children) - 1;
    for (; mask != 0; mask &= mask - 1) {
        const auto lane = static_cast<std::uint32_t>(__builtin_ctz(mask));
        heap_.push_back({bounds[lane], node.level - 1, static_cast<std::uint32_t>(first_child) + lane});
        std::push_heap(heap_.begin(), heap_.end());
    }
}

void Search::score_block(const KernelTable& kernels, const IndexData& index, const Query& query, Arithmetic arithmetic,
                         std::size_t block) {
    float scores[kTileLanes];
    std::uint32_t mask =
        arithmetic == Arithmetic::table
            ? kernels.score_tile(query.weights().data(), query.classes().data(), query.weights().size(),
                                 index.table_tile(block), best_.floor(), scores)
            : kernels.score_plain_tile(query.direction().data(), index.classes.dimension, index.label_tile(block),
                                       best_.floor(), scores);
    const std::int32_t* labels = index.row_label + block * kTileLanes;
    for (; mask != 0; mask &= mask - 1) {
        const int lane = __builtin_ctz(mask);
        // Padding, and whatever else a damaged file may hold, is rejected here.
        if (static_cast<std::uint32_t>(labels[lane]) >= index.n_labels) continue;
        best_.push(scores[lane], labels[lane]);
    }
    best_.settle_when_due();
    ++blocks_scored_;
}

const std::vector<Entry<float>>& Search::run(const KernelTable& kernels, const IndexData& index, Query& query,
                                             Arithmetic arithmetic, std::size_t k) {
    query.make_weights();
    if (arithmetic == Arithmetic::embeddings) query.make_direction();
    slack_ = arithmetic == Arithmetic::table ? 0 : static_cast<float>(bound_slack(query, index));
    best_.reset(std::min(k, index.n_labels), index.repeated_labels);
    blocks_scored_ = 0;
    heap_.assign(1, {std::numeric_limits<float>::infinity(), static_cast<std::uint32_t>(index.levels.size() - 1), 0});
    while (!heap_.empty()) {
        const Node node = heap_.front();
        if (node.bound < lowest_bound()) break;  // the highest bound of all that is left
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
        if (node.level > 0) {
            expand(kernels, index, query, node);
        } else {
            score_block(kernels, index, query, arithmetic, node.tile);
        }
    }
    return best_.finish();
}

}  // namespace conse
