#include "core/score_pairs.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/arguments.hpp"
#include "core/block_scores.hpp"
#include "core/dispatch.hpp"
#include "core/filter.hpp"
#include "core/parallel.hpp"
#include "core/row_queries.hpp"

namespace conse {
namespace {

// The pairs of each row, rows without any left out.
struct PairsByRow {
    std::vector<std::size_t> rows;     // that have pairs, ascending
    std::vector<std::size_t> offsets;  // (rows + 1) into pairs
    std::vector<std::size_t> pairs;    // their places in the call
};

void check_pairs(const std::int64_t* pairs, std::size_t count, std::size_t n_rows, std::size_t n_labels) {
    const auto require_below = [](const char* what, std::size_t i, std::int64_t id, std::size_t n) {
        if (id >= 0 && id < static_cast<std::int64_t>(n)) return;
        invalid_argument("pairs[", i, "] holds ", what, " ", id, "; expected 0 to ", static_cast<std::int64_t>(n) - 1);
    };
    for (std::size_t i = 0; i < count; ++i) {
        require_below("row", i, pairs[2 * i], n_rows);
        require_below("label", i, pairs[2 * i + 1], n_labels);
    }
}

PairsByRow by_row(const std::int64_t* pairs, std::size_t count) {
    PairsByRow sorted;
    sorted.pairs.resize(count);
    for (std::size_t i = 0; i < count; ++i) sorted.pairs[i] = i;
    std::sort(sorted.pairs.begin(), sorted.pairs.end(), [&](std::size_t a, std::size_t b) {
        return pairs[2 * a] < pairs[2 * b] || (pairs[2 * a] == pairs[2 * b] && a < b);
    });
    for (std::size_t i = 0; i < count; ++i) {
        const auto row = static_cast<std::size_t>(pairs[2 * sorted.pairs[i]]);
        if (!sorted.rows.empty() && sorted.rows.back() == row) continue;
        sorted.rows.push_back(row);
        sorted.offsets.push_back(i);
    }
    sorted.offsets.push_back(count);
    return sorted;
}

// Scores a query's labels in the order in which their rows are stored, so that no block is scored twice.
class RowScorer {
  public:
    RowScorer(const KernelTable& kernels, const IndexData& index, Arithmetic arithmetic, float penalty)
        : kernels_(kernels), index_(index), arithmetic_(arithmetic), penalty_(penalty) {}

    /// `scores` of all `places` hold -infinity.
    void score(Query& query, const std::int64_t* pairs, const std::size_t* places, std::size_t n_places,
               float* scores) {
        make_scorable(index_, arithmetic_, query);
        find_rows(pairs, places, n_places);
        std::size_t block = index_.n_blocks;
        float of_block[kBlockRows];
        for (const auto& [stored, place] : rows_) {
            if (stored / kBlockRows != block) {
                block = stored / kBlockRows;
                score_rows(kernels_, index_, arithmetic_, query, block, 0, of_block);
            }
            const float score = of_block[stored % kBlockRows] - penalty_of(pairs[2 * place + 1]);
            scores[place] = std::max(scores[place], score);
        }
    }

  private:
    struct StoredRow {
        std::uint32_t stored;
        std::size_t place;  // of its pair
    };

    void find_rows(const std::int64_t* pairs, const std::size_t* places, std::size_t n_places) {
        const LabelPlaces& labels = index_.label_places();
        rows_.clear();
        for (std::size_t i = 0; i < n_places; ++i) {
            const std::int64_t label = pairs[2 * places[i] + 1];
            for (const std::uint32_t stored : labels.rows_of(label)) rows_.push_back({stored, places[i]});
        }
        std::sort(rows_.begin(), rows_.end(),
                  [](const StoredRow& a, const StoredRow& b) { return a.stored < b.stored; });
    }

    float penalty_of(std::int64_t label) const { return index_.label_class[label] >= 0 ? penalty_ : 0; }

    const KernelTable& kernels_;
    const IndexData& index_;
    const Arithmetic arithmetic_;
    const float penalty_;
    std::vector<StoredRow> rows_;
};

}  // namespace

void score_pairs(const IndexData& index, const MatrixView& probabilities, std::size_t top_t, const std::int64_t* given,
                 std::size_t count, const RankOptions& options, float* scores, const Execution& execution) {
    const auto rows = probability_rows(index.classes, probabilities);
    require_at_least_one("top_t", top_t);
    require_memory("pairs", given, count);
    require_memory("scores", scores, count);
    const std::vector<std::int64_t> own(given, given + 2 * count);  // another thread may change those
    const std::int64_t* pairs = own.data();
    check_pairs(pairs, count, probabilities.rows, index.n_labels);
    const float penalty = penalty_of(options);
    const PairsByRow sorted = by_row(pairs, count);
    std::fill_n(scores, count, -std::numeric_limits<float>::infinity());
    const KernelTable& table = kernels();
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes);
    const double per_row =
        static_cast<double>(count) / static_cast<double>(std::max<std::size_t>(1, sorted.rows.size()));
    const Work work{sorted.rows.size(),
                    query_microseconds(index.classes.n_classes, n_terms, index.classes.dimension) + 0.1 * per_row};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        thread_local Query query;
        const Arithmetic arithmetic = choose_arithmetic(index, top_t);
        RowScorer scorer(table, index, arithmetic, penalty);
        for (std::size_t i = begin; i < end; ++i) {
            rows->fill(table, sorted.rows[i], top_t, query);
            combine_for(table, index, arithmetic, &query, 1);
            query.use_dot(options.dot);
            if (!query.has_direction()) continue;
            scorer.score(query, pairs, sorted.pairs.data() + sorted.offsets[i],
                         sorted.offsets[i + 1] - sorted.offsets[i], scores);
        }
    });
}

}  // namespace conse
