#include "core/batches.hpp"

#include <algorithm>
#include <mutex>
#include <utility>

#include "core/parallel.hpp"

namespace conse {
namespace {

// Queries that share one reading of the labels. Packing a label takes as long as scoring it ten times.
constexpr std::size_t kQueriesPerBatch = 1024;
// With many results per query fewer queries make a batch: what a thread keeps of them, 2 MB, stays in its L2 cache.
// With four times as many k = 1,000 took 1.2 times as long.
constexpr std::size_t kEntriesPerBatch = 1 << 18;
// Packed labels that the strips of queries run over: they stay in an L2 cache of 512 KB and more. 256 to 512 KB make no
// difference where it has 2 MB. In whole threes of tiles, as many as are scored at once.
constexpr std::size_t kChunkBytes = 384 << 10;
constexpr std::size_t kMostLabels = 528, kWholeLabels = 48;
// Few queries run over so few labels that these stay in the L1 cache, and the next ones are asked for meanwhile: 32
// queries take 0.9 of the time with 300 dimensions, 0.8 with 768. For 128 and more it makes no difference.
constexpr std::size_t kFewQueries = 64, kFewBytes = 32 << 10;

// How the (query, label) pairs of a batch are cut into tasks: chunks of labels, which a ranker is given some at a time,
// times groups of queries when there are too few chunks for the threads. Cuts change nothing but the time.
struct Grid {
    Range batch;
    std::size_t n_labels, labels_at_once, chunk_labels, n_chunks, n_groups = 1;
    double task_microseconds;

    Grid(Range batch, std::size_t n_labels, std::size_t dimension, std::size_t k, const Execution& execution)
        : batch(batch), n_labels(n_labels) {
        constexpr std::size_t kTasksPerThread = 8, kFewestQueries = 64;
        const std::size_t label_bytes = std::max<std::size_t>(1, dimension) * sizeof(float);
        const auto fitting = [&](std::size_t bytes) {
            return std::clamp(bytes / label_bytes / kWholeLabels * kWholeLabels, kWholeLabels, kMostLabels);
        };
        chunk_labels = labels_at_once = fitting(kChunkBytes);
        // Forty gigabytes and sixty billion products a second.
        const double element_microseconds = 1e-4 + 1.7e-5 * static_cast<double>(batch.size());
        const double label_microseconds = element_microseconds * static_cast<double>(dimension + 8);
        const double total = label_microseconds * static_cast<double>(n_labels);
        const auto n_threads = static_cast<std::size_t>(threads_for({1 << 20, total / (1 << 20)}, execution));
        if (batch.size() > 1 && batch.size() <= kFewQueries) {
            labels_at_once = fitting(kFewBytes);
            const std::size_t share = n_labels / (kTasksPerThread * n_threads) / labels_at_once * labels_at_once;
            chunk_labels = std::clamp(share, labels_at_once, kMostLabels / labels_at_once * labels_at_once);
        }
        if (const std::size_t groups = groups_alone(n_threads, dimension, k)) {
            chunk_labels = n_labels;
            n_chunks = 1;
            n_groups = groups;
            task_microseconds = total / static_cast<double>(groups);
            return;
        }
        n_chunks = (n_labels + chunk_labels - 1) / chunk_labels;
        task_microseconds = label_microseconds * static_cast<double>(std::min(chunk_labels, n_labels));
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

  private:
    // Threads that share the labels of a query each collect k of them, 0.15 us for each, and the labels of threads that
    // share the queries are read by each of them. Into how many groups to cut the queries if the latter costs less,
    // else 0.
    std::size_t groups_alone(std::size_t n_threads, std::size_t dimension, std::size_t k) const {
        constexpr std::size_t kFewestAlone = 128, kMostPerThread = 4;
        if (n_threads == 1 || batch.size() == 1) return 0;
        const std::size_t per_thread =
            std::clamp<std::size_t>(batch.size() / (kFewestAlone * n_threads), 1, kMostPerThread);
        const std::size_t groups = std::min(batch.size(), n_threads * per_thread);
        const double collecting = 0.15 * static_cast<double>(k * batch.size() * (n_threads - 1));
        const double reading = 1e-4 * static_cast<double>(n_labels * dimension * (groups - 1));
        return reading < collecting ? groups : 0;
    }
};

// Lends a ranker to whoever works: there are never more of them than threads, however many tasks there are.
class RankerPool {
  public:
    template <class Make>
    std::unique_ptr<BatchRanker> take(const Make& make) {
        {
            const std::lock_guard<std::mutex> guard(mutex_);
            if (!rankers_.empty()) {
                std::unique_ptr<BatchRanker> ranker = std::move(rankers_.back());
                rankers_.pop_back();
                return ranker;
            }
        }
        return make();
    }
    void give_back(std::unique_ptr<BatchRanker> ranker) {
        const std::lock_guard<std::mutex> guard(mutex_);
        rankers_.push_back(std::move(ranker));
    }
    const std::vector<std::unique_ptr<BatchRanker>>& all() const { return rankers_; }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<BatchRanker>> rankers_;
};

void rank_task(Range queries, Range labels, std::size_t labels_at_once, BatchRanker& ranker) {
    for (std::size_t begin = labels.begin; begin < labels.end; begin += labels_at_once) {
        const std::size_t end = std::min(begin + labels_at_once, labels.end);
        ranker.rank(queries, {begin, end}, std::min(end + labels_at_once, labels.end));
    }
}

// Each thread's finds are in order; with one label in several of them they are collected once more.
void write_best_of(const RankerPool& pool, std::size_t q, std::size_t k, const DenseRanking& ranking) {
    if (pool.all().size() == 1) return ranking.write(q, pool.all().front()->finish(q));
    thread_local Collector<float> collector;
    thread_local std::vector<Entry<float>> best, merged;
    collector.reset(k, ranking.repeated_labels);
    best.clear();
    for (const auto& ranker : pool.all()) {
        const std::vector<Entry<float>>& found = ranker->finish(q);
        if (ranking.repeated_labels) {
            for (const Entry<float>& entry : found) collector.push(entry.value, entry.id);
        } else {
            merged.resize(best.size() + found.size());
            std::merge(best.begin(), best.end(), found.begin(), found.end(), merged.begin(), RanksBefore());
            merged.resize(std::min(k, merged.size()));
            best.swap(merged);
        }
    }
    ranking.write(q, ranking.repeated_labels ? collector.finish() : best);
}

void rank_batch(const Directions& directions, Range batch, const DenseRanking& ranking, const Execution& execution) {
    const std::size_t k = std::min(ranking.k, std::max<std::size_t>(1, ranking.n_labels));
    const Grid grid(batch, ranking.n_labels, ranking.dimension, k, execution);
    const auto first = directions.kinds.begin() + static_cast<std::ptrdiff_t>(batch.begin);
    const bool nothing_to_do = std::all_of(first, first + static_cast<std::ptrdiff_t>(batch.size()),
                                           [](Directions::Kind kind) { return kind == Directions::kNone; });
    RankerPool pool;
    const Work work{nothing_to_do ? 0 : grid.n_tasks(), grid.task_microseconds};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        auto ranker = pool.take([&] { return ranking.make_ranker(batch, grid.labels_at_once, k); });
        for (std::size_t task = begin; task < end; ++task) {
            rank_task(grid.queries_of(task), grid.labels_of(task), grid.labels_at_once, *ranker);
        }
        pool.give_back(std::move(ranker));
    });
    // Sorting takes 10 ns an entry.
    parallel_for({batch.size(), 0.01 * static_cast<double>(k * pool.all().size())}, {execution.n_threads, {}},
                 [&](std::size_t begin, std::size_t end) {
                     for (std::size_t i = begin; i < end; ++i) write_best_of(pool, batch.begin + i, k, ranking);
                 });
}

}  // namespace

void rank_in_batches(const Directions& directions, const DenseRanking& ranking, const Execution& execution) {
    const std::size_t n_queries = directions.kinds.size();
    const std::size_t at_once = std::clamp<std::size_t>(kEntriesPerBatch / ranking.k, 16, kQueriesPerBatch);
    const auto share = [&](std::size_t q) { return static_cast<double>(q) / static_cast<double>(n_queries); };
    for (std::size_t begin = 0; begin < n_queries; begin += at_once) {
        const Range batch{begin, std::min(begin + at_once, n_queries)};
        rank_batch(directions, batch, ranking, stage(execution, share(batch.begin), share(batch.end)));
        if (execution.checkpoint && batch.end < n_queries) execution.checkpoint(share(batch.end));
    }
}

}  // namespace conse
