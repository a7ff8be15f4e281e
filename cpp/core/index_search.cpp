#include "core/index_search.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/ask_for_line.hpp"
#include "core/block_scores.hpp"
#include "core/write_ranking.hpp"

namespace conse {
namespace {

// When a search first asks whether it pays, and again whenever it has scored twice as many blocks; later where many
// labels are looked for, or the k-th of those found so far would say little (at k / 8 blocks photos with k = 300
// took 1.2 to 1.5 times as long as at k / 4). Of real photos one in fourteen gets so far (k = 10, 50 dimensions).
constexpr std::size_t kFirstCheck = 32;
constexpr std::size_t kMostLevels = 8;  // 32 to this power are more than 31 bits of blocks

constexpr float kNothing = -std::numeric_limits<float>::infinity();

// The next smaller number, for any but the infinities and the largest numbers: std::nextafter is a call that took 3 %
// of a query.
float next_below(float x) {
    return x - std::max(std::abs(x) * 0x1p-23f, std::numeric_limits<float>::denorm_min());
}

constexpr double kRoundoff = 1.01 * 0x1p-24;  // and what it comes to in the second order

double roundings(std::size_t n) {
    return 3 + static_cast<double>(std::min(n, kRunTerms) + (n + kRunTerms - 1) / kRunTerms);
}

// By how much a score may exceed what it would be without roundings.
double score_slack(const Query& query, const IndexData& index, Arithmetic arithmetic) {
    if (arithmetic == Arithmetic::embeddings) return kRoundoff * roundings(index.classes.dimension);
    return kRoundoff * roundings(query.weights().size()) * query.mass();
}

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
    constexpr double kRoundedLength = 1.00001;
    const std::size_t n_bound_terms = query.n_bound_terms();
    if (arithmetic == Arithmetic::table && query.weights().size() == n_bound_terms) return 0;
    const double of_bound = roundings(n_bound_terms) * query.mass();
    const double of_penalty = penalty == 0 ? 0 : 2 * (query.mass() + static_cast<double>(std::abs(penalty)));
    return score_slack(query, index, arithmetic) + kRoundoff * (of_bound + of_penalty) + kRoundedLength * query.rest();
}

}  // namespace

// A bound at the floor is followed: a label of equal score and lower id may hide there.
void Search::find_lowest_bound() {
    floor_ = few_ ? few_best_.floor() : best_.floor();
    lowest_bound_ = slack_ == 0 ? floor_ : next_below(floor_ - slack_);
}

// Bounds the children of a tile.
void Search::open(Node node) {
    open_tiles_.emplace_back();
    OpenTile& tile = open_tiles_.back();
    tile.node = node;
    float bound;
    tile.best = kernels_->bound_tile(query_->weights().data(), query_->classes().data(), query_->n_bound_terms(),
                                     index_->maxima_tile(node.level, node.id), index_->maxima_stride(node.level),
                                     index_->maxima_step, n_children(node), tile.bounds, &bound);
    if (allowed_.filter != nullptr) {
        restrict_children(tile);
        tile.best = kernels_->best_lane(tile.bounds, &bound);
    }
    if (node.level == 1 && near_search_.n_visited() > 0) {
        leave_out_visited(tile);
        tile.best = kernels_->best_lane(tile.bounds, &bound);
    }
    tournament_.add(*kernels_, bound);
}

// Blocks that have been scored before the tiles were asked.
void Search::leave_out_visited(OpenTile& tile) const {
    for (std::size_t i = 0; i < near_search_.n_visited(); ++i) {
        const std::uint32_t block = near_search_.visited(i);
        if (block / kFanOut == tile.node.id) tile.bounds[block % kFanOut] = kNothing;
    }
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

void Search::prefetch(Node node) const {
    constexpr std::size_t kLine = 64;
    static_assert(kBlockRows * sizeof(float) == kLine && kFanOut * sizeof(std::int16_t) == kLine, "a line per class");
    const std::vector<std::uint32_t>& classes = query_->classes();
    if (node.level > 0) {
        ask_for_lines(index_->maxima_tile(node.level, node.id), index_->maxima_stride(node.level), classes);
    } else if (arithmetic_ == Arithmetic::table) {
        ask_for_lines(index_->table_block(node.id), index_->table_stride(), classes);
    }
}

void Search::score_block(std::size_t block) {
    const float floor = allowed_.penalty_of(block) < 0 ? kNothing : floor_;
    mask_ = score_rows(*kernels_, *index_, arithmetic_, *query_, block, floor, scores_);
    mask_ &= twin_lanes_ != nullptr ? allowed_.lanes_with_twins_of(block) : allowed_.lanes_of(block);
    ++blocks_scored_;
}

// Padding, and whatever else a damaged file may hold, is rejected here.
void Search::take_scores() {
    const std::int32_t* labels = index_->row_label + next_.id * kBlockRows;
    const float penalty = allowed_.penalty_of(next_.id);
    if (mask_ == 0) return;
    for (std::size_t lane = 0; penalty != 0 && lane < kBlockRows; ++lane) scores_[lane] -= penalty;
    const std::uint32_t own = mask_ & allowed_.lanes_of(next_.id);
    if (few_) {
        few_best_.take(*kernels_, scores_, labels, own, static_cast<std::uint32_t>(index_->n_labels));
    } else {
        for (std::uint32_t left = own; left != 0; left &= left - 1) {
            const int lane = __builtin_ctz(left);
            if (is_label(labels[lane])) best_.push(scores_[lane], labels[lane]);
        }
        best_.settle_when_due();
    }
    if (twin_lanes_ != nullptr && (mask_ & twin_lanes_[next_.id]) != 0) take_twins(labels);
    mask_ = 0;
    find_lowest_bound();
}

// The labels with the same rows as those that are, or would be, among the best.
void Search::take_twins(const std::int32_t* labels) {
    find_lowest_bound();
    for (std::uint32_t left = mask_ & twin_lanes_[next_.id]; left != 0; left &= left - 1) {
        const int lane = __builtin_ctz(left);
        if (!(scores_[lane] >= floor_) || !is_label(labels[lane])) continue;
        const std::size_t n = list_twins(labels[lane]);
        if (few_) {
            float scores[kFewBest];
            std::fill_n(scores, kFewBest, scores_[lane]);
            few_best_.take(*kernels_, scores, twins_.data(), (1u << n) - 1,
                           static_cast<std::uint32_t>(index_->n_labels));
            continue;
        }
        for (std::size_t i = 0; i < n; ++i) best_.push(scores_[lane], twins_[i]);
        best_.settle_when_due();
    }
}

// No more than labels are looked for: of equal scores the lowest ids count. They ascend; in a damaged file they end
// where they do not.
std::size_t Search::list_twins(std::int32_t label) {
    std::size_t n = 0;
    for (std::int32_t twin = index_->next_twin[label]; n < n_best_ && is_label(twin) && twin > label;) {
        twins_[n] = twin;
        n += static_cast<std::size_t>(allowed_.filter == nullptr || allowed_.allows(places_->rows_of(twin)));
        label = twin;
        twin = index_->next_twin[twin];
    }
    return n;
}

void Search::take_block(std::size_t block) {
    next_ = {0, static_cast<std::uint32_t>(block)};
    score_block(block);
    take_scores();
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
    n_best_ = std::min(k, index.n_labels);
    few_ = n_best_ <= FewBest::kMost && !index.repeated_labels;
    if (few_) {
        few_best_.reset(n_best_);
    } else {
        best_.reset(n_best_, index.repeated_labels);
    }
    twin_lanes_ = nullptr;
    find_lowest_bound();
    mask_ = 0;
    blocks_scored_ = 0;
    gave_up_ = false;
}

void Search::sweep(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
                   Query& query, std::size_t k) {
    prepare(kernels, index, allowed, arithmetic, query, k);
    if (allowed.filter != nullptr) {
        for (const std::uint32_t block : allowed.filter->blocks) take_block(block);
        return;
    }
    for (std::size_t block = 0; block < index.n_blocks; ++block) take_block(block);
}

void Search::begin(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
                   Query& query, std::size_t k, std::size_t most_blocks, bool alone) {
    prepare(kernels, index, allowed, arithmetic, query, k);
    all_blocks_ = allowed.penalty != 0;  // which is one of single labels
    if (!all_blocks_ && index.n_twins > 0) {
        twin_lanes_ = index.twin_lanes;
        places_ = allowed.filter == nullptr ? nullptr : &index.label_places();
        twins_.resize(std::max(n_best_, kFewBest));
    }
    asks_ahead_ = !alone;  // which visits what it chooses at once: 0.95 of the time without (300 dimensions)
    most_blocks_ = most_blocks;
    next_check_ = std::min(std::max(kFirstCheck, k / 4), most_blocks);
    open_tiles_.clear();
    tournament_.clear();
    near_search_.reset();
    near_ = alone && few_ && allowed.penalty == 0 && !query.uses_dot() && query.rest() == 0 &&
            near_search_.begin(index, query, score_slack(query, index, arithmetic));
    if (!near_) open_roots();
}

void Search::open_roots() {
    const IndexData& index = *index_;
    const auto top = static_cast<std::uint32_t>(index.levels.size() - 1);
    for (std::uint32_t id = 0; id < index.n_nodes(top, all_blocks_); ++id) {
        if (top == 0) {
            take_block(id);
        } else {
            open({top, id});
        }
    }
}

// How many blocks will have been scored in the end, if what is not open yet leads to as much as what is: after 32 of
// them 1.0 to 1.4 times as many as it comes to (50 dimensions, 90 % of the real photos that get so far; the others
// more).
double Search::expected_blocks() const {
    std::array<std::size_t, kMostLevels> done{}, waiting{};  // nodes of each level that have been visited, or may be
    done[0] = blocks_scored_;
    for (const OpenTile& tile : open_tiles_) {
        ++done[tile.node.level];
        for (const float bound : tile.bounds)
            waiting[tile.node.level - 1] += bound >= lowest_bound_ && bound != kNothing;
    }
    double expected = static_cast<double>(done[0] + waiting[0]), blocks_of_one = 1;
    for (std::size_t level = 1; level < index_->levels.size(); ++level) {
        const auto below = static_cast<double>(done[level - 1] + waiting[level - 1]);
        blocks_of_one *= done[level] > 0 ? below / static_cast<double>(done[level]) : static_cast<double>(kFanOut);
        expected += blocks_of_one * static_cast<double>(waiting[level]);
    }
    return expected;
}

// Nothing is expected before there are k labels, when nothing can be left out.
bool Search::is_worth_it() {
    next_check_ = std::min(2 * blocks_scored_, most_blocks_);
    if (!few_) best_.settle();
    find_lowest_bound();
    const bool known = floor_ > kNothing;
    gave_up_ = blocks_scored_ >= most_blocks_ || (known && expected_blocks() > static_cast<double>(most_blocks_));
    return !gave_up_;
}

bool Search::choose() {
    if (mask_ != 0) take_scores();
    return near_ ? choose_near() : choose_open();
}

bool Search::choose_near() {
    std::uint32_t block;
    const NearSearch::Step step = near_search_.step(lowest_bound_, &block);
    if (step == NearSearch::Step::done) return false;
    near_ = step == NearSearch::Step::score;
    if (!near_) {
        open_roots();
        return choose_open();
    }
    next_ = {0, block};
    return true;
}

bool Search::choose_open() {
    if (open_tiles_.empty()) return false;
    float bound;
    current_ = static_cast<std::uint32_t>(tournament_.best(*kernels_, &bound));
    // The highest bound of all that is left. Not "<": a bound that is not a number, which only a damaged file can bring
    // about, must not be followed.
    if (!(bound >= lowest_bound_) || bound == kNothing) return false;
    if (blocks_scored_ >= next_check_ && !is_worth_it()) return false;
    OpenTile& tile = open_tiles_[current_];
    next_ = tile.child(tile.best);
    tile.bounds[tile.best] = kNothing;
    if (asks_ahead_) prefetch(next_);
    return true;
}

void Search::visit() {
    if (near_) return score_block(next_.id);
    OpenTile& tile = open_tiles_[current_];
    float bound;
    tile.best = kernels_->best_lane(tile.bounds, &bound);
    tournament_.set(*kernels_, current_, bound);
    if (next_.level == 0) {
        score_block(next_.id);
    } else {
        open(next_);
    }
}

void Search::write_to(const RankingView& ranking, std::size_t row) {
    if (!few_) return write_ranking(best_.finish(), row, ranking);
    few_best_.write_to(ranking.scores + row * ranking.k, ranking.indices + row * ranking.k, ranking.k);
}

}  // namespace conse
