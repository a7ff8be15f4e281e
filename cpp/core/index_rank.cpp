#include "core/index_rank.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <vector>

#include "core/arguments.hpp"
#include "core/batches.hpp"
#include "core/block_scores.hpp"
#include "core/call_candidates.hpp"
#include "core/dispatch.hpp"
#include "core/filter.hpp"
#include "core/index_search.hpp"
#include "core/next_rows.hpp"
#include "core/parallel.hpp"
#include "core/plan.hpp"
#include "core/row_queries.hpp"
#include "core/strips.hpp"
#include "core/write_ranking.hpp"

namespace conse {
namespace {

// Searches that a thread advances in turn, so that each finds in the cache what it asked for a round ago, and rows of
// which a range holds as many. With ten classes two threads take 0.95 (300 dimensions) and 0.98 (50) of the time that
// they take with 8; 16 lie between, 64 gain nothing. With 30 classes or more, whose lines push each other out, they
// take up to 1.1 times as long.
constexpr std::size_t kInterleaved = 32, kFewInterleaved = Query::kAtOnce, kFewTerms = 16;

// Groups of so many rows that a range holds where rows are many; it asks for the next group while it searches. With 8
// groups two threads take 1.03 times as long (4,096 rows), since they wait longer for each other at the end.
constexpr std::size_t kMostGroups = 2, kRangesPerThread = 16;

// After so many searches, when most of them gave up, the other rows are not tried.
constexpr std::size_t kTrials = 16;

// Rows whose hard ones wait for each other, to be scored together; their directions are what the memory goes to.
constexpr std::size_t kRowsAtOnce = 8192;

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
    void rank(Range queries, Range labels, std::size_t soon) override {
        const std::size_t end = labels.end / kBlockRows;
        next_ = {bytes_of(end), bytes_of(soon / kBlockRows)};
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

    const char* bytes_of(std::size_t block) const { return reinterpret_cast<const char*>(index_.label_block(block)); }

    void rank_blocks(Range queries, Range blocks) {
        const DenseTiles tiles{index_.label_block(blocks.begin), blocks.size(), index_.classes.dimension,
                               factors_.data(), next_};
        strips_.rank(queries, tiles, {blocks.begin * kBlockRows, index_.row_label, index_.n_labels, allowed_});
    }

    const IndexData& index_;
    const Allowed allowed_;
    Strips strips_;
    std::vector<float> factors_;  // stored rows have unit length
    Bytes next_;                  // blocks
};

// What a thread keeps from call to call.
struct Scratch {
    std::array<Search, kInterleaved> searches;
    std::array<Filter, kInterleaved> filters;
    std::vector<Query> queries;  // (rankers, kInterleaved)
    std::vector<std::size_t> top_t, searching;
    std::vector<Query*> of_row;
};

// A call, and not inlined: where a thread's own lies, the compiler asks anew at every use, twenty times for a row.
[[gnu::noinline]] Scratch& scratch_of_thread() {
    thread_local Scratch scratch;
    return scratch;
}

// All rows with one of the top_t.
class Ranker {
  public:
    Ranker(const RowQueries& rows, std::size_t top_t, const CallCandidates& candidates, const RankingView& ranking)
        : index_(candidates.index()),
          rows_(rows),
          top_t_(top_t),
          ranking_(ranking),
          kernels_(kernels()),
          candidates_(candidates),
          plan_(make_plan(index_, candidates.extent(), top_t, ranking.k, rows.n_rows())),
          together_(std::clamp<std::size_t>(rows.n_rows(), 1, plan_.gives_up_together)),
          spare_blocks_(static_cast<std::int64_t>(plan_.spare_blocks * static_cast<double>(rows.n_rows()))) {}

    // The rows that come next: [first, first + count).
    void start(std::size_t first, std::size_t count) {
        first_ = first;
        hard_.assign(count, searches() ? 0 : 1);
    }

    // Of these rows, which are not searched for or whose searches gave up, all labels will be scored.
    void leave(std::size_t begin, std::size_t count) {
        std::fill_n(hard_.begin() + static_cast<std::ptrdiff_t>(begin), count, char{1});
    }

    std::size_t top_t() const { return top_t_; }
    double row_microseconds() const { return plan_.row_microseconds; }
    // Whether rows are to be searched; not if most that were tried gave up, or what is left for one hardly suffices.
    bool searches() const {
        const double expected = plan_.expected_fraction * static_cast<double>(index_.n_blocks);
        return plan_.bounded && (n_tried_ < kTrials || 2 * n_hard_ <= n_tried_) &&
               static_cast<double>(allowance()) >= expected;
    }

    // Searches for `count` rows from the one in place `begin` on, kInterleaved at most, whose queries are set up.
    void search(std::size_t begin, std::size_t count, Query* queries, Scratch& scratch, NextRows& next) {
        std::array<Search, kInterleaved>& searches = scratch.searches;
        const bool alone = rows_.n_rows() == 1;
        if (alone) NearSearch::prefetch(index_, *queries);
        combine(queries, count);
        if (alone && plan_.arithmetic == Arithmetic::table) NearSearch::prefetch_scores(index_, *queries);
        std::array<std::size_t, kInterleaved> busy;  // those that are not done
        std::size_t n_busy = 0;
        const std::size_t most = most_blocks();
        for (std::size_t i = 0; i < count; ++i) {
            if (!queries[i].has_direction()) {
                finish(nullptr, begin + i);
                continue;
            }
            busy[n_busy++] = i;
            next.ask_for_some();
            const Allowed allowed = candidates_.of_row(first_ + begin + i, scratch.filters[i]);
            searches[i].begin(kernels_, index_, allowed, plan_.arithmetic, queries[i], ranking_.k, most, alone);
        }
        Costs costs;
        while (n_busy > 0) {
            std::size_t n_left = 0;
            for (std::size_t i = 0; i < n_busy; ++i) {
                const std::size_t row = busy[i];
                next.ask_for_some();
                if (searches[row].choose()) {
                    busy[n_left++] = row;
                } else {
                    add_cost(searches[row], costs);
                    finish(&searches[row], begin + row);
                }
            }
            n_busy = n_left;
            for (std::size_t i = 0; i < n_busy; ++i) {
                searches[busy[i]].visit();
                next.ask_for_some();
            }
        }
        note(costs);
    }

    // Scores all labels of the rows whose searches gave up or were not tried.
    void score_rest(const Execution& execution) {
        std::vector<std::size_t> left;
        for (std::size_t i = 0; i < hard_.size(); ++i) {
            if (hard_[i]) left.push_back(first_ + i);
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
    // In blocks, a search's part of what those that give up may still cost together.
    std::size_t allowance() const {
        const std::int64_t spare = std::max<std::int64_t>(0, spare_blocks_);
        return static_cast<std::size_t>(spare) / together_;
    }

    // What a search may score, or be expected to, before it gives up: as much as it is allowed to lose, or what scoring
    // every label costs and half as much again, since expectations are that much too high, and a row that gives up
    // alone costs several times what it does among others. (Without that a batch of four real photos took 2.8 times as
    // long, 50 dimensions: one in forty gave up.)
    std::size_t most_blocks() const {
        const auto worthwhile = static_cast<std::size_t>(1.5 * plan_.paying_blocks);
        return std::min(std::max(allowance(), worthwhile), plan_.most_blocks);
    }

    // What searches have cost beyond scoring every label, which has still to be done if they gave up; or have saved.
    // A thread adds them up before others learn of them: what all write goes from core to core, and where these are far
    // from each other (165 ns), batches of 32 take 0.91 to 0.96 of the time.
    struct Costs {
        std::size_t n_tried = 0, n_hard = 0;
        double lost = 0;
    };

    void add_cost(const Search& search, Costs& costs) const {
        const double paying = search.gave_up() ? 0 : plan_.paying_blocks;
        const double lost = static_cast<double>(search.blocks_scored()) - paying;
        ++costs.n_tried;
        costs.n_hard += static_cast<std::size_t>(lost > 0);
        costs.lost += lost;
    }

    void note(const Costs& costs) {
        n_tried_ += costs.n_tried;
        n_hard_ += costs.n_hard;
        spare_blocks_ -= static_cast<std::int64_t>(costs.lost);
    }

    template <class RowAt>
    void fill(std::size_t count, const RowAt& row_at, Query* queries) const {
        for (std::size_t i = 0; i < count; ++i) rows_.fill(kernels_, row_at(i), top_t_, queries[i]);
        combine(queries, count);
    }

    void combine(Query* queries, std::size_t count) const {
        combine_for(kernels_, index_, plan_.arithmetic, queries, count);
        for (std::size_t i = 0; i < count; ++i) queries[i].use_dot(candidates_.dot());
    }

    // The search for the row in this place is over, or there is none to be made (null).
    void finish(Search* search, std::size_t place) {
        if (search != nullptr && search->gave_up()) return leave(place, 1);
        write(search, first_ + place);
    }

    // What a search found for a row, or nothing for a row without direction (null).
    void write(Search* search, std::size_t row) {
        if (search != nullptr) {
            search->write_to(ranking_, row);
        } else {
            write_ranking({}, row, ranking_);
        }
    }

    void sweep_each(const std::vector<std::size_t>& rows, const Execution& execution) {
        parallel_for({rows.size(), plan_.sweep_microseconds}, execution, [&](std::size_t begin, std::size_t end) {
            thread_local Query query;
            thread_local Search search;
            thread_local Filter filter;
            for (std::size_t i = begin; i < end; ++i) {
                fill(1, [&](std::size_t) { return rows[i]; }, &query);
                const bool found = query.has_direction();
                if (found) {
                    search.sweep(kernels_, index_, candidates_.of_row(rows[i], filter), plan_.arithmetic, query,
                                 ranking_.k);
                }
                write(found ? &search : nullptr, rows[i]);
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
    const RowQueries& rows_;
    const std::size_t top_t_;
    const RankingView ranking_;
    const KernelTable& kernels_;
    const CallCandidates& candidates_;
    const RankPlan plan_;
    std::size_t first_ = 0;
    std::vector<char> hard_;  // rows, from first_ on, whose labels must all be scored; written for these alone
    std::atomic<std::size_t> n_tried_{0}, n_hard_{0};
    const std::size_t together_;  // searches that share what is left
    std::atomic<std::int64_t> spare_blocks_;
};

// Searches for rows [begin, end) of a stretch that begins at `first`, `at_once` at a time, with every T that searches.
// A row is selected from once, and what its searches read in common is still in the cache.
void search_rows(const RowQueries& rows, Ranker* const* rankers, std::size_t n_rankers, std::size_t first, Range range,
                 std::size_t at_once) {
    const KernelTable& table = kernels();
    Scratch& scratch = scratch_of_thread();
    std::vector<Query>& queries = scratch.queries;
    std::vector<std::size_t>&top_t = scratch.top_t, &searching = scratch.searching;
    std::vector<Query*>& of_row = scratch.of_row;
    queries.resize(std::max(queries.size(), n_rankers * kInterleaved));
    for (std::size_t begin = range.begin; begin < range.end; begin += at_once) {
        const std::size_t count = std::min(at_once, range.end - begin);
        top_t.clear();
        searching.clear();
        for (std::size_t i = 0; i < n_rankers; ++i) {
            if (!rankers[i]->searches()) {
                rankers[i]->leave(begin, count);
                continue;
            }
            searching.push_back(i);
            top_t.push_back(rankers[i]->top_t());
        }
        if (searching.empty()) continue;
        // A thread's ranges follow each other, so the next one's first group is this thread's as a rule.
        const std::size_t end = begin + count, last = range.size() > at_once ? rows.n_rows() - first : range.end;
        const std::size_t next_end = std::min(last, end + at_once);
        NextRows next(rows.bytes_of(first + end, first + next_end), count);
        for (std::size_t row = 0; row < count; ++row) {
            next.ask_for_some();
            of_row.clear();
            for (const std::size_t i : searching) of_row.push_back(&queries[i * kInterleaved + row]);
            rows.fill(table, first + begin + row, {top_t.data(), top_t.size()}, of_row.data());
        }
        for (const std::size_t i : searching) {
            rankers[i]->search(begin, count, &queries[i * kInterleaved], scratch, next);
        }
    }
}

void rank_with(const RowQueries& rows, Ranker* const* rankers, std::size_t n_rankers, const Execution& execution) {
    const std::size_t n_rows = rows.n_rows();
    const auto share = [&](std::size_t row) { return static_cast<double>(row) / static_cast<double>(n_rows); };
    double microseconds = 0;
    std::size_t at_once = kInterleaved;
    for (std::size_t i = 0; i < n_rankers; ++i) {
        if (!rankers[i]->searches()) continue;
        microseconds += rankers[i]->row_microseconds();
        if (rankers[i]->top_t() > kFewTerms) at_once = kFewInterleaved;
    }
    for (std::size_t first = 0; first < n_rows; first += kRowsAtOnce) {
        const std::size_t count = std::min(kRowsAtOnce, n_rows - first);
        const Execution of_stretch = stage(execution, share(first), share(first + count));
        for (std::size_t i = 0; i < n_rankers; ++i) rankers[i]->start(first, count);
        if (microseconds > 0) {
            const auto n_threads = static_cast<std::size_t>(threads_for({count, microseconds}, execution));
            const std::size_t n_groups = count / (n_threads * kRangesPerThread * at_once);
            const std::size_t together = at_once * std::clamp<std::size_t>(n_groups, 1, kMostGroups);
            try {
                parallel_for({count, microseconds, together}, of_stretch, [&](std::size_t begin, std::size_t end) {
                    search_rows(rows, rankers, n_rankers, first, {begin, end}, at_once);
                });
            } catch (const std::invalid_argument&) {  // a row that was left unread may be the first that is wrong
                rows.check(kernels(), first, first + count);
                throw;
            }
        }
        for (std::size_t i = 0; i < n_rankers; ++i) rankers[i]->score_rest(of_stretch);
    }
}

}  // namespace

void rank_rows(const IndexData& index, const RowQueries& rows, const TopTs& top_t, const RankOptions& options,
               const RankingView& ranking, const Execution& execution) {
    require_results(ranking, rows.n_rows());
    if (top_t.count < 1) invalid_argument("top_t must hold at least one number");
    for (const std::size_t t : top_t) require_at_least_one("top_t", t);
    const CallCandidates candidates(index, options, rows.n_rows());
    if (top_t.count == 1) {
        Ranker ranker(rows, *top_t.values, candidates, ranking);
        Ranker* const one = &ranker;
        return rank_with(rows, &one, 1, execution);
    }
    std::vector<std::unique_ptr<Ranker>> rankers;
    std::vector<Ranker*> pointers;
    for (std::size_t i = 0; i < top_t.count; ++i) {
        const std::size_t offset = i * rows.n_rows() * ranking.k;
        const RankingView part{ranking.scores + offset, ranking.indices + offset, ranking.k};
        rankers.push_back(std::make_unique<Ranker>(rows, top_t.values[i], candidates, part));
        pointers.push_back(rankers.back().get());
    }
    rank_with(rows, pointers.data(), pointers.size(), execution);
}

}  // namespace conse
