#include "core/index_rank.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <memory>
#include <vector>

#include "core/arguments.hpp"
#include "core/batches.hpp"
#include "core/dispatch.hpp"
#include "core/filter.hpp"
#include "core/index_search.hpp"
#include "core/parallel.hpp"
#include "core/plan.hpp"
#include "core/strips.hpp"
#include "core/write_ranking.hpp"

namespace conse {
namespace {

// Searches that a thread advances in turn, so that each finds in the cache what it asked for a round ago. 4, 16 and 32
// took as long; one alone takes 1.15 times as long with 300 dimensions, 1.4 times with 50.
constexpr std::size_t kInterleaved = 8;
static_assert(kInterleaved <= Query::kAtOnce, "they are combined together");

// After so many searches, when most of them gave up, the other rows are not tried.
constexpr std::size_t kTrials = 16;

// Rows whose hard ones wait for each other, to be scored together; their directions are what the memory goes to.
constexpr std::size_t kRowsAtOnce = 8192;

const std::vector<Entry<float>> kNoLabels;

// The blocks of an index against many queries.
class BlockRanker : public BatchRanker {
  public:
    BlockRanker(const KernelTable& kernels, const Directions& queries, const IndexData& index, Range batch,
                std::size_t most_labels, std::size_t k, const Allowed& allowed)
        : index_(index),
          allowed_(allowed),
          strips_(kernels, queries, batch, most_labels, k, index.repeated_labels),
          factors_(most_labels + kBlockRows, 1.0f) {}

    // In stretches of blocks that hold candidates.
    void rank(Range queries, Range labels) override {
        const std::size_t end = labels.end / kBlockRows;
        for (std::size_t block = labels.begin / kBlockRows; block < end;) {
            std::size_t next = block;
            while (next < end && allowed_.lanes_of(next) != 0) ++next;
            if (next > block) rank_blocks(queries, {block, next});
            block = next + 1;
        }
    }
    const std::vector<Entry<float>>& finish(std::size_t q) override { return strips_.best_of(q).finish(); }

  private:
    static_assert(kBlockRows == kDenseLanes, "a block is a tile");

    void rank_blocks(Range queries, Range blocks) {
        const DenseTiles tiles{index_.label_block(blocks.begin), blocks.size(), index_.classes.dimension,
                               factors_.data()};
        strips_.rank(queries, tiles, {blocks.begin * kBlockRows, index_.row_label, index_.n_labels, allowed_});
    }

    const IndexData& index_;
    const Allowed allowed_;
    Strips strips_;
    std::vector<float> factors_;  // stored rows have unit length
};

// The candidates of a call: of each row, or of all rows.
class Candidates {
  public:
    Candidates(const IndexData& index, const RankRows& rows) : index_(index), options_(rows.options) {
        const double penalty = options_.seen_penalty;
        if (!std::isfinite(penalty)) invalid_argument("seen_penalty must be a finite number, got ", penalty);
        penalty_ = static_cast<float>(penalty);
        common_ = options_.candidates.get();
        if (common_ != nullptr && common_->prepared_for.get() != &index) {
            invalid_argument("candidates were prepared by another index; prepare them with this one");
        }
        if (common_ != nullptr || differ() || !any()) return;
        fill_filter(index, options_.mask, penalty_ != 0, own_);
        common_ = &own_;
    }
    // Whether any label is left out or set back.
    bool any() const { return options_.mask != nullptr || options_.candidates != nullptr || penalty_ != 0; }
    // Whether each row has its own.
    bool differ() const {
        return options_.candidates == nullptr && options_.mask != nullptr && options_.mask_stride != 0;
    }
    // What all rows have in common.
    Allowed of_all() const { return {common_, penalty_, penalty_ != 0 ? &index_.label_places().seen_blocks : nullptr}; }
    Allowed of_row(std::size_t row, Filter& scratch) const {
        Allowed allowed = of_all();
        if (!differ()) return allowed;
        const std::uint8_t* mask = options_.mask + static_cast<std::ptrdiff_t>(row) * options_.mask_stride;
        fill_filter(index_, mask, penalty_ != 0, scratch);
        allowed.filter = &scratch;
        return allowed;
    }
    // Of one row; where rows differ, as if they allowed all.
    Extent extent() const {
        if (common_ == nullptr) return extent_of(index_);
        return {static_cast<double>(common_->n_rows), static_cast<double>(common_->blocks.size())};
    }

  private:
    const IndexData& index_;
    const RankOptions& options_;
    float penalty_ = 0;
    Filter own_;
    const Filter* common_ = nullptr;  // of all rows
};

class Ranker {
  public:
    Ranker(const IndexData& index, const RankRows& rows, const RankingView& ranking)
        : index_(index),
          rows_(rows),
          ranking_(ranking),
          kernels_(kernels()),
          candidates_(index, rows),
          plan_(make_plan(index, candidates_.extent(), rows.top_t, ranking.k, rows.count)) {}

    // Rows [begin, begin + count).
    void rank(std::size_t begin, std::size_t count, const Execution& execution) {
        first_ = begin;
        hard_.assign(count, !plan_.bounded);
        if (plan_.bounded) search_all(execution);
        std::vector<std::size_t> left;
        for (std::size_t i = 0; i < count; ++i) {
            if (hard_[i]) left.push_back(begin + i);
        }
        if (left.empty()) return;
        // A batch has its one set of candidates; rows of their own are few labels each, or far between.
        if (plan_.arithmetic == Arithmetic::table || candidates_.differ()) {
            sweep_each(left, execution);
        } else {
            sweep_together(left, execution);
        }
    }

  private:
    void search_all(const Execution& execution) {
        parallel_for({hard_.size(), plan_.row_microseconds, Query::kAtOnce}, execution,
                     [&](std::size_t begin, std::size_t end) {
                         for (std::size_t i = begin; i < end; i += kInterleaved)
                             search(i, std::min(kInterleaved, end - i));
                     });
    }

    void search(std::size_t begin, std::size_t count) {
        if (n_tried_ >= kTrials && 2 * n_hard_ > n_tried_) {
            std::fill_n(hard_.begin() + static_cast<std::ptrdiff_t>(begin), count, 1);
            return;
        }
        thread_local std::array<Query, kInterleaved> queries;
        thread_local std::array<Search, kInterleaved> searches;
        thread_local std::array<Filter, kInterleaved> filters;
        std::array<bool, kInterleaved> busy{};
        fill(count, [&](std::size_t i) { return first_ + begin + i; }, queries.data());
        for (std::size_t i = 0; i < count; ++i) {
            busy[i] = queries[i].has_direction();
            if (!busy[i]) continue;
            const Allowed allowed = candidates_.of_row(first_ + begin + i, filters[i]);
            searches[i].begin(kernels_, index_, allowed, plan_.arithmetic, queries[i], ranking_.k, plan_.most_blocks);
        }
        for (bool any = true; any;) {
            any = false;
            for (std::size_t i = 0; i < count; ++i) any |= busy[i] && (busy[i] = searches[i].choose());
            for (std::size_t i = 0; i < count; ++i) {
                if (busy[i]) searches[i].visit();
            }
        }
        for (std::size_t i = 0; i < count; ++i) {
            const bool found = queries[i].has_direction();
            hard_[begin + i] = found && searches[i].gave_up();
            ++n_tried_;
            n_hard_ += static_cast<std::size_t>(hard_[begin + i]);
            if (hard_[begin + i]) continue;
            write_ranking(found ? searches[i].finish() : kNoLabels, first_ + begin + i, ranking_);
        }
    }

    template <class RowAt>
    void fill(std::size_t count, const RowAt& row_at, Query* queries) const {
        for (std::size_t i = 0; i < count; ++i) rows_.fill(kernels_, row_at(i), queries[i]);
        Query::combine(kernels_, index_.classes, queries, count);
        for (std::size_t i = 0; i < count; ++i) queries[i].use_dot(rows_.options.dot);
    }

    void sweep_each(const std::vector<std::size_t>& rows, const Execution& execution) {
        parallel_for({rows.size(), plan_.sweep_microseconds}, execution, [&](std::size_t begin, std::size_t end) {
            thread_local Query query;
            thread_local Search search;
            thread_local Filter filter;
            for (std::size_t i = begin; i < end; ++i) {
                fill(1, [&](std::size_t) { return rows[i]; }, &query);
                if (query.has_direction()) {
                    search.sweep(kernels_, index_, candidates_.of_row(rows[i], filter), plan_.arithmetic, query,
                                 ranking_.k);
                }
                write_ranking(query.has_direction() ? search.finish() : kNoLabels, rows[i], ranking_);
            }
        });
    }

    void sweep_together(const std::vector<std::size_t>& rows, const Execution& execution) {
        const std::size_t dimension = index_.classes.dimension;
        Directions directions(rows.size(), dimension);
        parallel_for({rows.size(), plan_.row_microseconds, Query::kAtOnce}, execution,
                     [&](std::size_t begin, std::size_t end) {
                         thread_local std::array<Query, Query::kAtOnce> queries;
                         for (std::size_t i = begin; i < end; i += Query::kAtOnce) {
                             const std::size_t n = std::min(Query::kAtOnce, end - i);
                             fill(n, [&](std::size_t j) { return rows[i + j]; }, queries.data());
                             for (std::size_t j = 0; j < n; ++j) directions.set(i + j, queries[j]);
                         }
                     });
        DenseRanking ranking{index_.n_blocks * kBlockRows, dimension, std::min(ranking_.k, index_.n_labels),
                             index_.repeated_labels,       nullptr,   nullptr};
        ranking.make_ranker = [&](Range batch, std::size_t most_labels, std::size_t k) {
            return std::make_unique<BlockRanker>(kernels_, directions, index_, batch, most_labels, k,
                                                 candidates_.of_all());
        };
        ranking.write = [&](std::size_t q, const auto& best) { write_ranking(best, rows[q], ranking_); };
        rank_in_batches(directions, ranking, execution);
    }

    const IndexData& index_;
    const RankRows& rows_;
    const RankingView& ranking_;
    const KernelTable& kernels_;
    const Candidates candidates_;
    const RankPlan plan_;
    std::size_t first_ = 0;
    std::vector<char> hard_;  // rows, from first_ on, whose labels must all be scored
    std::atomic<std::size_t> n_tried_{0}, n_hard_{0};
};

}  // namespace

void rank_rows(const IndexData& index, const RankRows& rows, const RankingView& ranking, const Execution& execution) {
    require_at_least_one("k", ranking.k);
    require_at_least_one("top_t", rows.top_t);
    Ranker ranker(index, rows, ranking);
    const auto share = [&](std::size_t row) { return static_cast<double>(row) / static_cast<double>(rows.count); };
    for (std::size_t begin = 0; begin < rows.count; begin += kRowsAtOnce) {
        const std::size_t count = std::min(kRowsAtOnce, rows.count - begin);
        ranker.rank(begin, count, stage(execution, share(begin), share(begin + count)));
    }
}

}  // namespace conse
