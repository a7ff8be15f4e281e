#include "core/index_rank.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "core/arguments.hpp"
#include "core/batches.hpp"
#include "core/dispatch.hpp"
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
                std::size_t most_labels, std::size_t k)
        : index_(index),
          strips_(kernels, queries, batch, most_labels, k, index.repeated_labels),
          factors_(most_labels + kBlockRows, 1.0f) {}

    void rank(Range queries, Range labels) override {
        const DenseTiles tiles{index_.label_block(labels.begin / kBlockRows), labels.size() / kBlockRows,
                               index_.classes.dimension, factors_.data()};
        strips_.rank(queries, tiles, {0, index_.row_label + labels.begin, index_.n_labels});
    }
    const std::vector<Entry<float>>& finish(std::size_t q) override { return strips_.best_of(q).finish(); }

  private:
    static_assert(kBlockRows == kDenseLanes, "a block is a tile");
    const IndexData& index_;
    Strips strips_;
    std::vector<float> factors_;  // stored rows have unit length
};

class Ranker {
  public:
    Ranker(const IndexData& index, const RankRows& rows, const RankingView& ranking)
        : index_(index),
          rows_(rows),
          ranking_(ranking),
          kernels_(kernels()),
          plan_(make_plan(index, rows.top_t, ranking.k, rows.count)) {}

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
        if (plan_.arithmetic == Arithmetic::table) {
            sweep_table(left, execution);
        } else {
            sweep_embeddings(left, execution);
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
        std::array<bool, kInterleaved> busy{};
        fill(count, [&](std::size_t i) { return first_ + begin + i; }, queries.data());
        for (std::size_t i = 0; i < count; ++i) {
            busy[i] = queries[i].has_direction();
            if (busy[i])
                searches[i].begin(kernels_, index_, plan_.arithmetic, queries[i], ranking_.k, plan_.most_blocks);
        }
        for (bool any = true; any;) {
            any = false;
            for (std::size_t i = 0; i < count; ++i) any |= busy[i] && (busy[i] = searches[i].step());
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
    }

    void sweep_table(const std::vector<std::size_t>& rows, const Execution& execution) {
        const double line = 0.0025 * static_cast<double>(std::min(rows_.top_t, index_.classes.n_classes));
        const Work work{rows.size(), line * static_cast<double>(index_.n_blocks)};
        parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
            thread_local Query query;
            thread_local Search search;
            for (std::size_t i = begin; i < end; ++i) {
                fill(1, [&](std::size_t) { return rows[i]; }, &query);
                if (query.has_direction()) search.sweep(kernels_, index_, query, ranking_.k);
                write_ranking(query.has_direction() ? search.finish() : kNoLabels, rows[i], ranking_);
            }
        });
    }

    void sweep_embeddings(const std::vector<std::size_t>& rows, const Execution& execution) {
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
            return std::make_unique<BlockRanker>(kernels_, directions, index_, batch, most_labels, k);
        };
        ranking.write = [&](std::size_t q, const auto& best) { write_ranking(best, rows[q], ranking_); };
        rank_in_batches(directions, ranking, execution);
    }

    const IndexData& index_;
    const RankRows& rows_;
    const RankingView& ranking_;
    const KernelTable& kernels_;
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
