#include "core/index_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace conse {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

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

// Bounds the children of a tile of maxima and lets them wait.
void Search::open(std::uint32_t level, std::uint32_t tile) {
    open_tiles_.emplace_back();
    OpenTile& opened = open_tiles_.back();
    opened.level = level;
    opened.tile = tile;
    kernels_->score_tile(query_->weights().data(), query_->classes().data(), query_->weights().size(),
                         index_->maxima_tile(level, tile), 0, opened.bounds);
    const std::size_t n_children = index_->levels[level - 1].n_tiles - tile * kTileLanes;
    for (std::size_t lane = n_children; lane < kTileLanes; ++lane) opened.bounds[lane] = kNothing;
    wait_for_best_lane(static_cast<std::uint32_t>(open_tiles_.size() - 1));
}

void Search::wait_for_best_lane(std::uint32_t opened) {
    OpenTile& tile = open_tiles_[opened];
    float bound;
    tile.best_lane = kernels_->best_lane(tile.bounds, &bound);
    // Not "<": a NaN, which only a damaged file can hold, must end the wait too.
    if (!(bound >= lowest_bound()) || bound == kNothing) return;
    prefetch(tile.level - 1, tile.tile * kTileLanes + tile.best_lane);
    heap_.push_back({bound, opened});
    std::push_heap(heap_.begin(), heap_.end());
}

// The rows of the first classes in a node's tile: few lines far from each other, which no hardware foresees.
void Search::prefetch(std::uint32_t level, std::size_t tile) const {
    constexpr std::size_t kMostRows = 16;
    if (level == 0 && arithmetic_ == Arithmetic::embeddings) return;
    const float* data = level > 0 ? index_->maxima_tile(level, tile) : index_->table_tile(tile);
    const std::size_t n_rows = std::min(query_->weights().size(), kMostRows);
    for (std::size_t t = 0; t < n_rows; ++t) {
        const float* row = data + query_->classes()[t] * kTileLanes;
        __builtin_prefetch(row);
        __builtin_prefetch(row + kTileLanes / 2);
    }
}

void Search::score_block(std::size_t block) {
    float scores[kTileLanes];
    std::uint32_t mask =
        arithmetic_ == Arithmetic::table
            ? kernels_->score_tile(query_->weights().data(), query_->classes().data(), query_->weights().size(),
                                   index_->table_tile(block), best_.floor(), scores)
            : kernels_->score_plain_tile(query_->direction().data(), index_->classes.dimension,
                                         index_->label_tile(block), best_.floor(), scores);
    const std::int32_t* labels = index_->row_label + block * kTileLanes;
    for (; mask != 0; mask &= mask - 1) {
        const int lane = __builtin_ctz(mask);
        // Padding, and whatever else a damaged file may hold, is rejected here.
        if (static_cast<std::uint32_t>(labels[lane]) >= index_->n_labels) continue;
        best_.push(scores[lane], labels[lane]);
    }
    best_.settle_when_due();
    ++blocks_scored_;
}

void Search::begin(const KernelTable& kernels, const IndexData& index, Arithmetic arithmetic, Query& query,
                   std::size_t k) {
    query.make_weights();
    if (arithmetic == Arithmetic::embeddings) query.make_direction();
    kernels_ = &kernels;
    index_ = &index;
    arithmetic_ = arithmetic;
    query_ = &query;
    slack_ = arithmetic_ == Arithmetic::table ? 0 : static_cast<float>(bound_slack(query, *index_));
    best_.reset(std::min(k, index_->n_labels), index_->repeated_labels);
    blocks_scored_ = 0;
    heap_.clear();
    open_tiles_.clear();
    const auto root_level = static_cast<std::uint32_t>(index_->levels.size() - 1);
    if (root_level == 0) {
        score_block(0);
    } else {
        open(root_level, 0);
    }
}

bool Search::step() {
    if (heap_.empty()) return false;
    const Waiting best = heap_.front();
    if (best.bound < lowest_bound()) return false;  // the highest bound of all that is left
    std::pop_heap(heap_.begin(), heap_.end());
    heap_.pop_back();
    OpenTile& from = open_tiles_[best.opened];
    const std::uint32_t level = from.level - 1, tile = from.tile * kTileLanes + from.best_lane;
    from.bounds[from.best_lane] = kNothing;
    wait_for_best_lane(best.opened);
    if (level > 0) {
        open(level, tile);
    } else {
        score_block(tile);
    }
    return true;
}

}  // namespace conse
