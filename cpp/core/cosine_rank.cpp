// Dense ranking: every label is scored against every query, and the best k are kept as they come.
#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "conse/primitives.hpp"
#include "core/arguments.hpp"
#include "core/convex_combination.hpp"
#include "core/dense_ranker.hpp"
#include "core/dispatch.hpp"
#include "core/dtype.hpp"
#include "core/parallel.hpp"
#include "core/query_rows.hpp"
#include "core/unit_rows.hpp"
#include "core/write_ranking.hpp"

namespace conse {
namespace {

// Queries that share one reading of the labels. Packing a label takes as long as scoring it ten times.
constexpr std::size_t kQueriesPerBatch = 1024;
// With many results per query fewer queries make a batch: the most that a thread then keeps, 8 MB.
constexpr std::size_t kEntriesPerBatch = 1 << 20;
// Packed labels that the strips of queries run over: they stay in an L2 cache of 512 KB and more. 256 to 512 KB make no
// difference where it has 2 MB.
constexpr std::size_t kChunkBytes = 384 << 10;
constexpr std::size_t kMostLabels = 528;
// Few queries run over so few labels that these stay in the L1 cache: three tiles, as many as are scored at once.
constexpr std::size_t kFewQueries = 8, kFewLabels = 48;
// A query longer than this, given a length that is not its own, is scored in float64.
constexpr double kLongestQuery = 1e7;

// How the (query, label) pairs of a batch are cut into tasks: chunks of labels, times groups of queries when there are
// too few chunks for the threads. Cuts change nothing but the time.
struct Grid {
    Range batch;
    std::size_t n_labels, chunk_labels, n_chunks, n_groups = 1;
    double task_microseconds;

    Grid(Range batch, std::size_t n_labels, std::size_t dimension, const Execution& execution)
        : batch(batch), n_labels(n_labels) {
        constexpr std::size_t kTasksPerThread = 8, kFewestQueries = 64;
        const std::size_t label_bytes = std::max<std::size_t>(1, dimension) * sizeof(float);
        chunk_labels = std::clamp(kChunkBytes / label_bytes / kFewLabels * kFewLabels, kFewLabels, kMostLabels);
        n_chunks = (n_labels + chunk_labels - 1) / chunk_labels;
        // Ten gigabytes and forty billion products a second.
        const double element_microseconds = 4e-4 + 2.5e-5 * static_cast<double>(batch.size());
        const double elements = static_cast<double>(std::min(chunk_labels, n_labels) * (dimension + 8));
        task_microseconds = element_microseconds * elements;
        const double total = task_microseconds * static_cast<double>(n_chunks);
        const auto n_threads = static_cast<std::size_t>(threads_for({1 << 20, total / (1 << 20)}, execution));
        if (n_threads == 1 || n_chunks == 0) return;
        const std::size_t most = (batch.size() + kFewestQueries - 1) / kFewestQueries;
        n_groups = std::clamp<std::size_t>(kTasksPerThread * n_threads / n_chunks, 1, most);
        task_microseconds /= static_cast<double>(n_groups);
    }
    std::size_t n_tasks() const { return n_groups * n_chunks; }
    Range queries_of(std::size_t task) const {
        const std::size_t group = task / n_chunks;
        return {batch.begin + group * batch.size() / n_groups, batch.begin + (group + 1) * batch.size() / n_groups};
    }
    Range labels_of(std::size_t task) const {
        const std::size_t begin = task % n_chunks * chunk_labels;
        return {begin, std::min(begin + chunk_labels, n_labels)};
    }
};

// Lends a ranker to whoever works: there are never more of them than threads, however many tasks there are.
class RankerPool {
  public:
    template <class Make>
    std::unique_ptr<DenseRanker> take(const Make& make) {
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            if (!rankers_.empty()) {
                std::unique_ptr<DenseRanker> ranker = std::move(rankers_.back());
                rankers_.pop_back();
                return ranker;
            }
        }
        return make();
    }
    void give_back(std::unique_ptr<DenseRanker> ranker) {
        const std::lock_guard<std::mutex> guard(mutex_);
        rankers_.push_back(std::move(ranker));
    }
    const std::vector<std::unique_ptr<DenseRanker>>& all() const { return rankers_; }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<DenseRanker>> rankers_;
};

void rank_task(Range queries, Range labels, DenseRanker& ranker) {
    const bool few = queries.size() > 1 && queries.size() <= kFewQueries;
    const std::size_t step = few ? kFewLabels : labels.size();
    for (std::size_t begin = labels.begin; begin < labels.end; begin += step) {
        ranker.rank(queries, {begin, std::min(begin + step, labels.end)});
    }
}

void write_best_of(const RankerPool& pool, Range batch, std::size_t k, const RankingView& ranking) {
    Collector<float> best;
    for (std::size_t q = batch.begin; q < batch.end; ++q) {
        best.reset(k);
        for (const auto& ranker : pool.all()) {
            for (const Entry<float>& entry : ranker->finish(q)) best.push(entry.value, entry.id);
        }
        write_ranking(best.finish(), q, ranking);
    }
}

void rank_batch(const Directions& directions, const LabelRows& labels, Range batch, const RankingView& ranking,
                const Execution& execution) {
    const KernelTable& table = kernels();
    const Grid grid(batch, labels.view.rows, labels.view.columns, execution);
    const std::size_t k = std::min(ranking.k, std::max<std::size_t>(1, labels.view.rows));
    const auto first = directions.kinds.begin() + static_cast<std::ptrdiff_t>(batch.begin);
    const bool nothing_to_do = std::all_of(first, first + static_cast<std::ptrdiff_t>(batch.size()),
                                           [](Directions::Kind kind) { return kind == Directions::kNone; });
    RankerPool pool;
    const Work work{nothing_to_do ? 0 : grid.n_tasks(), grid.task_microseconds};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        auto ranker = pool.take(
            [&] { return std::make_unique<DenseRanker>(table, directions, labels, batch, grid.chunk_labels, k); });
        for (std::size_t task = begin; task < end; ++task) {
            rank_task(grid.queries_of(task), grid.labels_of(task), *ranker);
        }
        pool.give_back(std::move(ranker));
    });
    write_best_of(pool, batch, k, ranking);
}

void rank_directions(const Directions& directions, const LabelRows& labels, const RankingView& ranking,
                     const Execution& execution) {
    const std::size_t n_queries = directions.kinds.size();
    const std::size_t at_once = std::clamp<std::size_t>(kEntriesPerBatch / ranking.k, 16, kQueriesPerBatch);
    const auto share = [&](std::size_t q) { return static_cast<double>(q) / static_cast<double>(n_queries); };
    for (std::size_t begin = 0; begin < n_queries; begin += at_once) {
        const Range batch{begin, std::min(begin + at_once, n_queries)};
        rank_batch(directions, labels, batch, ranking, stage(execution, share(batch.begin), share(batch.end)));
    }
}

void require_labels(const char* argument, const MatrixView& labels, std::size_t dimension) {
    require_id_range(argument, labels.rows);
    require_dimension(argument, labels, dimension);
    if (labels.dtype == DType::f64 || !labels.has_contiguous_rows()) {
        invalid_argument(argument, " must be float32 or float16 with contiguous rows");
    }
}

void require_lengths(const char* argument, const double* lengths, std::size_t count) {
    for (std::size_t i = 0; lengths != nullptr && i < count; ++i) {
        if (std::isfinite(lengths[i]) && lengths[i] >= 0) continue;
        invalid_argument(argument, "[", i, "] is ", lengths[i], "; expected a finite length >= 0");
    }
}

// `unit` is scratch.
void read_query(const MatrixView& queries, std::size_t q, const double* lengths, std::vector<double>& unit,
                Directions& directions) {
    const double length = read_unit_row(queries, q, "queries", unit.data());
    const double given = lengths ? lengths[q] : length;
    if (length == 0 || given == 0) return;
    const double scale = lengths ? length / given : 1;
    if (scale > 1e30) refuse_length("query_lengths", q, given, length);
    directions.kinds[q] = scale <= kLongestQuery ? Directions::kUsual : Directions::kExtreme;
    float* out = directions[q];
    for (std::size_t d = 0; d < unit.size(); ++d) out[d] = static_cast<float>(unit[d] * scale);
}

}  // namespace

void cosine_rank(const MatrixView& queries, const MatrixView& labels, const Lengths& lengths,
                 const RankingView& ranking, const Execution& execution) {
    require_at_least_one("k", ranking.k);
    require_labels("label_matrix", labels, queries.columns);
    require_lengths("query_lengths", lengths.queries, queries.rows);
    require_lengths("label_lengths", lengths.labels, labels.rows);
    Directions directions(queries.rows, queries.columns);
    const Work work{queries.rows, 0.005 * static_cast<double>(queries.columns)};
    parallel_for(work, stage(execution, 0, 0), [&](std::size_t begin, std::size_t end) {
        std::vector<double> unit(queries.columns);
        for (std::size_t q = begin; q < end; ++q) read_query(queries, q, lengths.queries, unit, directions);
    });
    rank_directions(directions, {"label_matrix", labels, lengths.labels}, ranking, execution);
}

void conse(const MatrixView& probabilities, const MatrixView& class_embeddings, const MatrixView& label_embeddings,
           const Combination& combination, const RankingView& ranking, const Execution& execution) {
    require_at_least_one("k", ranking.k);
    require_at_least_one("top_t", combination.top_t);
    require_class_columns("probabilities", probabilities, class_embeddings.rows);
    require_labels("label_embeddings", label_embeddings, class_embeddings.columns);
    require_id_range("class_embeddings", class_embeddings.rows);
    const UnitRows unit = unit_rows(class_embeddings, "class_embeddings", combination.normalize_classes, execution);
    const ClassEmbeddings classes = class_rows(unit, class_embeddings, combination);
    const KernelTable& table = kernels();
    Directions directions(probabilities.rows, classes.dimension);
    const Work work{probabilities.rows, query_microseconds(classes.n_classes, combination.top_t, classes.dimension)};
    visit_dtype(probabilities.dtype, [&](auto element) {
        parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
            thread_local Query query;
            for (std::size_t r = begin; r < end; ++r) {
                query_of_row<decltype(element)>(table, probabilities, r, combination.top_t, classes, query);
                if (!query.has_direction()) continue;
                directions.kinds[r] = Directions::kUsual;
                query.make_direction();
                std::copy(query.direction().begin(), query.direction().end(), directions[r]);
            }
        });
    });
    rank_directions(directions, {"label_embeddings", label_embeddings, nullptr}, ranking, execution);
}

}  // namespace conse
