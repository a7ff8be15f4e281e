#include "core/index_search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/block_scores.hpp"

namespace conse {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

// By how much a score may exceed a bound. Nothing when both are the same operations on the same weights. Otherwise,
// u = 2^-24 being float32's unit roundoff and W = sum_t w_t ||s_t||:
//   bound:  sum of T products in runs of 32 rounds at most 1 + min(T, 32) + ceil(T / 32) times per term, the
//           table entry behind a maximum once, the weight once: each u * W;
//   score:  likewise; from the embeddings over the dimensions, the direction's component rounded once:
//           u * ||f/||f|| || ||label|| = u;
//   rest:   the classes that the bound leaves out, at most the length of their part of f / ||f||.
// The factors cover second-order terms and lengths that are 1 only up to rounding.
//   penalty: subtracting it rounds the bound and the score once more, each by u * (W + |penalty|). Without other
//           slack it changes nothing: subtraction is monotone.
double bound_slack(const Query& query, const IndexData& index, Arithmetic arithmetic, float penalty) {
    constexpr double kUnitRoundoff = 0x1p-24, kSecondOrder = 1.01, kRoundedLength = 1.00001;
    const std::size_t n_terms = query.weights().size(), n_bound_terms = query.n_bound_terms();
    if (arithmetic == Arithmetic::table && n_terms == n_bound_terms) return 0;
    const auto roundings = [](std::size_t n) {
        return 3 + static_cast<double>(std::min(n, kRunTerms) + (n + kRunTerms - 1) / kRunTerms);
    };
    const double of_score =
        arithmetic == Arithmetic::table ? roundings(n_terms) * query.mass() : roundings(index.classes.dimension);
    const double of_bound = roundings(n_bound_terms) * query.mass();
    const double of_penalty = penalty == 0 ? 0 : 2 * (query.mass() + static_cast<double>(std::abs(penalty)));
    return kSecondOrder * kUnitRoundoff * (of_bound + of_score + of_penalty) + kRoundedLength * query.rest();
}

}  // namespace

// A bound at the floor is followed: a label of equal score and lower id may hide there.
float Search::lowest_bound() const {
    if (slack_ == 0) return best_.floor();
    return std::nextafter(best_.floor() - slack_, kNothing);
}

// Bounds the children of a tile; lanes without a child never matter.
Search::OpenTile& Search::open(Node node) {
    open_tiles_.emplace_back();
    OpenTile& tile = open_tiles_.back();
    tile.node = node;
    tile.visited = tile.count = 0;
    kernels_->bound_tile(query_->weights().data(), query_->classes().data(), query_->n_bound_terms(),
                         index_->maxima_tile(node.level, node.id), index_->maxima_stride(node.level),
                         index_->maxima_step, tile.bounds);
    const std::size_t n_children = index_->n_children(node.level, node.id);
    for (std::size_t lane = n_children; lane < kFanOut; ++lane) tile.bounds[lane] = kNothing;
    if (allowed_.filter != nullptr) restrict_children(tile);
    return tile;
}

// What the maxima bound are all labels, candidates or not. Where all candidates below are set back, so is the bound;
// where some may be brought forward, by a penalty below 0, it is too. Blocks are of one kind.
void Search::restrict_children(OpenTile& tile) const {
    const Filter& filter = *allowed_.filter;
    const std::uint32_t children = filter.children[tile.node.level][tile.node.id];
    std::uint32_t moved = allowed_.penalty == 0 ? 0 : filter.seen_children[tile.node.level][tile.node.id];
    if (allowed_.penalty < 0 && tile.node.level > 1) moved = children;
    for (std::size_t lane = 0; lane < kFanOut; ++lane) {
        if ((children >> lane & 1) == 0) {
            tile.bounds[lane] = kNothing;
        } else if ((moved >> lane & 1) != 0) {
            tile.bounds[lane] -= allowed_.penalty;
        }
    }
}

// Opens a tile on the way down. The way leads to its best child unless another tile's beat it.
void Search::pass(Node node) {
    const OpenTile& tile = open(node);
    float bound;
    const std::uint32_t lane = kernels_->best_lane(tile.bounds, &bound);
    // Not "<=": a bound that is not a number, which only a damaged file can bring about, must not be followed.
    if (!(bound > below_bound_)) return;
    below_bound_ = bound;
    below_from_ = static_cast<std::uint32_t>(open_tiles_.size() - 1);
    below_lane_ = lane;
}

// One node down; after the block at the bottom the passed tiles are put in order.
void Search::descend() {
    OpenTile& from = open_tiles_[below_from_];
    const Node node = from.child(below_lane_);
    from.bounds[below_lane_] = below_bound_ = kNothing;
    if (node.level > 0) {
        pass(node);
    } else {
        score_block(node.id);
    }
    descending_ = below_bound_ != kNothing;
    if (descending_) return prefetch(open_tiles_[below_from_].child(below_lane_));
    current_ = 0;
    for (std::uint32_t opened = 0; opened < open_tiles_.size(); ++opened) order(opened);
    choose_current();
}

// Finds the children that can matter. The current tile never waits in the heap.
void Search::order(std::uint32_t opened) {
    OpenTile& tile = open_tiles_[opened];
    tile.count = kernels_->order_lanes(tile.bounds, lowest_bound(), tile.lanes);
    if (opened == current_ || tile.exhausted()) return;
    heap_.push_back({tile.next_bound(), opened});
    std::push_heap(heap_.begin(), heap_.end());
}

// Changes places with the best tile of the heap if that promises more.
void Search::choose_current() {
    const OpenTile& tile = open_tiles_[current_];
    if (!heap_.empty() && (tile.exhausted() || tile.next_bound() < heap_.front().bound)) {
        const std::uint32_t better = heap_.front().opened;
        std::pop_heap(heap_.begin(), heap_.end());
        heap_.pop_back();
        if (!tile.exhausted()) {
            heap_.push_back({tile.next_bound(), current_});
            std::push_heap(heap_.begin(), heap_.end());
        }
        current_ = better;
    }
    if (!open_tiles_[current_].exhausted()) prefetch(open_tiles_[current_].next());
}

// The lines of the first classes in a node: few and far from each other, which no hardware foresees.
void Search::prefetch(Node node) const {
    constexpr std::size_t kMostLines = 16, kLine = 64;
    static_assert(kBlockRows * sizeof(float) == kLine && kFanOut * sizeof(std::int16_t) == kLine, "a line per class");
    if (node.level == 0 && arithmetic_ == Arithmetic::embeddings) return;
    const auto* data = node.level > 0 ? reinterpret_cast<const char*>(index_->maxima_tile(node.level, node.id))
                                      : reinterpret_cast<const char*>(index_->table_block(node.id));
    const std::size_t stride = kLine * lines_per_class(index_->levels[node.level].n_tiles);
    const std::size_t n_lines = std::min(query_->weights().size(), kMostLines);
    for (std::size_t t = 0; t < n_lines; ++t) {
        __builtin_prefetch(data + query_->classes()[t] * stride);
    }
}

void Search::score_block(std::size_t block) {
    const std::uint32_t candidates = allowed_.lanes_of(block);
    if (candidates == 0) return;
    const float penalty = allowed_.penalty_of(block);
    const float floor = penalty < 0 ? kNothing : best_.floor();
    float scores[kBlockRows];
    std::uint32_t mask = score_rows(*kernels_, *index_, arithmetic_, *query_, block, floor, scores);
    const std::int32_t* labels = index_->row_label + block * kBlockRows;
    for (mask &= candidates; mask != 0; mask &= mask - 1) {
        const int lane = __builtin_ctz(mask);
        // Padding, and whatever else a damaged file may hold, is rejected here.
        if (static_cast<std::uint32_t>(labels[lane]) >= index_->n_labels) continue;
        best_.push(scores[lane] - penalty, labels[lane]);
    }
    best_.settle_when_due();
    ++blocks_scored_;
}

void Search::prepare(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
                     Query& query, std::size_t k) {
    make_scorable(index, arithmetic, query);
    kernels_ = &kernels;
    index_ = &index;
    allowed_ = allowed;
    arithmetic_ = arithmetic;
    query_ = &query;
    slack_ = static_cast<float>(bound_slack(query, index, arithmetic, allowed.penalty));
    best_.reset(std::min(k, index_->n_labels), index_->repeated_labels);
    blocks_scored_ = 0;
    gave_up_ = false;
}

void Search::sweep(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
                   Query& query, std::size_t k) {
    prepare(kernels, index, allowed, arithmetic, query, k);
    if (allowed.filter != nullptr) {
        for (const std::uint32_t block : allowed.filter->blocks) score_block(block);
        return;
    }
    for (std::size_t block = 0; block < index.n_blocks; ++block) score_block(block);
}

void Search::begin(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
                   Query& query, std::size_t k, std::size_t most_blocks) {
    prepare(kernels, index, allowed, arithmetic, query, k);
    most_blocks_ = most_blocks;
    heap_.clear();
    open_tiles_.clear();
    current_ = 0;
    below_bound_ = kNothing;
    const auto top = static_cast<std::uint32_t>(index.levels.size() - 1);
    for (std::uint32_t id = 0; id < index.levels[top].n_tiles; ++id) {
        if (top == 0) {
            score_block(id);
        } else {
            pass({top, id});
        }
    }
    descending_ = below_bound_ != kNothing;
    if (descending_) prefetch(open_tiles_[below_from_].child(below_lane_));
}

bool Search::step() {
    if (descending_) {
        descend();
        return true;
    }
    if (open_tiles_.empty()) return false;
    OpenTile& tile = open_tiles_[current_];
    // The highest bound of all that is left.
    if (tile.exhausted() || tile.next_bound() < lowest_bound()) return false;
    gave_up_ = blocks_scored_ >= most_blocks_;
    if (gave_up_) return false;
    const Node node = tile.next();
    ++tile.visited;
    if (node.level == 0) {
        score_block(node.id);
    } else {
        open(node);
        order(static_cast<std::uint32_t>(open_tiles_.size() - 1));
    }
    choose_current();
    return true;
}

}  // namespace conse
