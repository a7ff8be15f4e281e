// Dense ranking: every label is scored against every query, and the best k are kept as they come.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "conse/primitives.hpp"
#include "core/arguments.hpp"
#include "core/collector.hpp"
#include "core/convex_combination.hpp"
#include "core/dispatch.hpp"
#include "core/dtype.hpp"
#include "core/label_chunk.hpp"
#include "core/parallel.hpp"
#include "core/query_rows.hpp"
#include "core/unit_rows.hpp"
#include "core/write_ranking.hpp"

namespace conse {
namespace {

// Queries that share one reading of the labels. Packing takes as long as scoring against 20 of them.
constexpr std::size_t kQueriesPerBatch = 1024;
// What a batch may keep per thread: with many results per query, fewer queries make a batch.
constexpr std::size_t kEntriesPerBatch = 1 << 20;
// Packed labels that many queries run over: stay in the L2 cache.
constexpr std::size_t kChunkBytes = 256 << 10;
constexpr std::size_t kMostLabelsPerChunk = 512;
// Queries that the kernels are given at a time; a multiple of the 4 to 12 that they score at once.
constexpr std::size_t kQueriesPerStrip = 24;
// Up to so many queries run over labels that are still in the L1 cache.
constexpr std::size_t kFewQueries = 8;
constexpr std::size_t kFewLabels = 2 * kDenseLanes;

// A query that is longer than this (given a length that is not its own) could leave float32.
constexpr double kLongestQuery = 1e7;

// Unit queries as the kernels read them.
struct Directions {
    enum Kind : char { kNone, kUsual, kExtreme };  // no direction; scored by the kernels; scored in float64

    std::size_t stride;
    std::vector<float> units;  // (queries, stride)
    std::vector<Kind> kinds;

    // An odd number of cache lines apart: at 1,024 dimensions twelve rows would share the same places in the cache.
    Directions(std::size_t count, std::size_t dimension)
        : stride(padded(dimension) + (padded(dimension) / 16 % 2 == 0 ? 16 : 0)),
          units(count * stride),
          kinds(count, kNone) {}
    const float* operator[](std::size_t q) const { return units.data() + q * stride; }
    float* operator[](std::size_t q) { return units.data() + q * stride; }
};

struct Range {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
};

// What one thread needs to rank labels for a batch of queries; keeps the best that it has seen.
class Ranker {
  public:
    Ranker(const KernelTable& kernels, const Directions& queries, const LabelRows& labels, Range batch,
           std::size_t chunk_labels, std::size_t k)
        : kernels_(kernels),
          queries_(queries),
          batch_(batch),
          chunk_(kernels, labels, chunk_labels),
          scores_(kQueriesPerStrip * (chunk_labels + kDenseLanes)),
          masks_(scores_.size() / kDenseLanes),
          best_(batch.size()) {
        for (Collector<float>& best : best_) best.reset(k);
    }

    void rank(Range queries, Range labels) {
        if (queries.size() == 1) {
            rank_one(queries.begin, labels);
        } else {
            chunk_.pack(labels.begin, labels.end);
            for (std::size_t q = queries.begin; q < queries.end; q += kQueriesPerStrip) {
                rank_strip({q, std::min(q + kQueriesPerStrip, queries.end)});
            }
        }
        for (const std::size_t label : chunk_.extremes()) {
            for (std::size_t q = queries.begin; q < queries.end; ++q) {
                if (queries_.kinds[q] == Directions::kUsual) push_in_float64(q, label);
            }
        }
        for (std::size_t q = queries.begin; q < queries.end; ++q) {
            if (queries_.kinds[q] != Directions::kExtreme) continue;
            for (std::size_t label = labels.begin; label < labels.end; ++label) push_in_float64(q, label);
        }
    }

    const std::vector<Entry<float>>& finish(std::size_t q) { return best_[q - batch_.begin].finish(); }

  private:
    void rank_one(std::size_t q, Range labels) {
        chunk_.score(labels.begin, labels.end, queries_[q], floor_of(q), scores_.data(), masks_.data());
        collect(scores_.data(), masks_.data(), best_of(q));
    }

    void rank_strip(Range queries) {
        const DenseTiles tiles = chunk_.tiles();
        float floors[kQueriesPerStrip];
        for (std::size_t i = 0; i < queries.size(); ++i) floors[i] = floor_of(queries.begin + i);
        kernels_.score_queries({queries_[queries.begin], queries_.stride, queries.size(), floors}, tiles,
                               scores_.data(), masks_.data());
        for (std::size_t i = 0; i < queries.size(); ++i) {
            collect(scores_.data() + i * tiles.count * kDenseLanes, masks_.data() + i * tiles.count,
                    best_of(queries.begin + i));
        }
    }

    // No score reaches infinity: what the kernels say of other queries counts for nothing.
    float floor_of(std::size_t q) {
        const bool usual = queries_.kinds[q] == Directions::kUsual;
        return usual ? best_of(q).floor() : std::numeric_limits<float>::infinity();
    }

    void collect(const float* scores, const std::uint16_t* masks, Collector<float>& best) {
        for (std::size_t tile = 0; tile < chunk_.n_tiles(); ++tile) {
            for (unsigned mask = masks[tile]; mask != 0; mask &= mask - 1) {
                const std::size_t i = tile * kDenseLanes + static_cast<std::size_t>(__builtin_ctz(mask));
                if (scores[i] < best.floor()) continue;
                best.push(scores[i], static_cast<std::int32_t>(chunk_.first_label() + i));
                best.settle_when_due();
            }
        }
    }

    void push_in_float64(std::size_t q, std::size_t label) {
        const float score = chunk_.score_in_float64(queries_[q], label);
        best_of(q).push(score, static_cast<std::int32_t>(label));
        best_of(q).settle_when_due();
    }

    Collector<float>& best_of(std::size_t q) { return best_[q - batch_.begin]; }

    const KernelTable& kernels_;
    const Directions& queries_;
    Range batch_;
    LabelChunk chunk_;
    std::vector<float> scores_;
    std::vector<std::uint16_t> masks_;
    std::vector<Collector<float>> best_;
};

// Lends a ranker to whoever works: there are never more of them than threads, however the work is cut.
class RankerPool {
  public:
    template <class Make>
    std::unique_ptr<Ranker> take(const Make& make) {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (rankers_.empty()) return make();
        std::unique_ptr<Ranker> ranker = std::move(rankers_.back());
        rankers_.pop_back();
        return ranker;
    }
    void give_back(std::unique_ptr<Ranker> ranker) {
        const std::lock_guard<std::mutex> guard(mutex_);
        rankers_.push_back(std::move(ranker));
    }
    std::vector<std::unique_ptr<Ranker>>& all() { return rankers_; }

  private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<Ranker>> rankers_;
};

// How the (query, label) pairs of a batch are cut into tasks: chunks of labels, times groups of queries when there are
// too few chunks for the threads.
struct Grid {
    std::size_t chunk_labels, n_chunks, n_groups;
    Range batch, labels;
    double task_microseconds;

    Grid(Range batch, std::size_t n_labels, std::size_t dimension, const Execution& execution)
        : batch(batch), labels{0, n_labels} {
        constexpr std::size_t kTasksPerThread = 8, kFewestQueries = 64;
        const std::size_t tile_bytes = std::max<std::size_t>(dimension, 1) * kDenseLanes * sizeof(float);
        const std::size_t n_tiles =
            std::clamp<std::size_t>(kChunkBytes / tile_bytes / 2 * 2, 2, kMostLabelsPerChunk / kDenseLanes);
        chunk_labels = n_tiles * kDenseLanes;
        n_chunks = (n_labels + chunk_labels - 1) / chunk_labels;
        const double element =
            4e-4 + 2.5e-5 * static_cast<double>(batch.size());  // 10 GB/s, 40 billion products a second
        const double chunk_microseconds =
            element * static_cast<double>(std::min(chunk_labels, n_labels) * (dimension + 8));
        const auto n_threads = static_cast<std::size_t>(
            threads_for({1 << 20, chunk_microseconds * static_cast<double>(n_chunks) / (1 << 20)}, execution));
        const std::size_t for_threads =
            n_threads > 1 ? kTasksPerThread * n_threads / std::max<std::size_t>(1, n_chunks) : 1;
        n_groups = std::clamp<std::size_t>(for_threads, 1, (batch.size() + kFewestQueries - 1) / kFewestQueries);
        task_microseconds = chunk_microseconds / static_cast<double>(n_groups);
    }
    Range queries_of(std::size_t task) const {
        const std::size_t group = task / n_chunks;
        return {batch.begin + group * batch.size() / n_groups, batch.begin + (group + 1) * batch.size() / n_groups};
    }
    Range labels_of(std::size_t task) const {
        const std::size_t begin = task % n_chunks * chunk_labels;
        return {begin, std::min(begin + chunk_labels, labels.end)};
    }
};

void rank_task(const Grid& grid, std::size_t task, Ranker& ranker) {
    const Range queries = grid.queries_of(task), labels = grid.labels_of(task);
    const std::size_t step = queries.size() > 1 && queries.size() <= kFewQueries ? kFewLabels : grid.chunk_labels;
    for (std::size_t begin = labels.begin; begin < labels.end; begin += step) {
        const std::size_t end = std::min(begin + step, labels.end);
        ranker.rank(queries, {begin, end});
    }
}

void rank_batch(const Directions& directions, const LabelRows& labels, Range batch, const RankingView& ranking,
                const Execution& execution) {
    const Grid grid(batch, labels.view.rows, labels.view.columns, execution);
    const std::size_t k = std::min(ranking.k, std::max<std::size_t>(1, labels.view.rows));
    RankerPool pool;
    const Work work{grid.n_groups * grid.n_chunks, grid.task_microseconds};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        std::unique_ptr<Ranker> ranker = pool.take(
            [&] { return std::make_unique<Ranker>(kernels(), directions, labels, batch, grid.chunk_labels, k); });
        for (std::size_t task = begin; task < end; ++task) rank_task(grid, task, *ranker);
        pool.give_back(std::move(ranker));
    });
    Collector<float> best;
    for (std::size_t q = batch.begin; q < batch.end; ++q) {
        best.reset(k);
        for (const auto& ranker : pool.all()) {
            for (const Entry<float>& entry : ranker->finish(q)) best.push(entry.value, entry.id);
        }
        write_ranking(best.finish(), q, ranking);
    }
}

void rank_directions(const Directions& directions, const LabelRows& labels, const RankingView& ranking,
                     const Execution& execution) {
    const std::size_t n_queries = directions.kinds.size();
    const std::size_t at_once = std::clamp<std::size_t>(kEntriesPerBatch / ranking.k, 16, kQueriesPerBatch);
    for (std::size_t begin = 0; begin < n_queries; begin += at_once) {
        const Range batch{begin, std::min(begin + at_once, n_queries)};
        const auto share = [&](std::size_t q) { return static_cast<double>(q) / static_cast<double>(n_queries); };
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

}  // namespace

void cosine_rank(const MatrixView& queries, const MatrixView& labels, const Lengths& lengths,
                 const RankingView& ranking, const Execution& execution) {
    require_at_least_one("k", ranking.k);
    require_labels("label_matrix", labels, queries.columns);
    require_lengths("query_lengths", lengths.queries, queries.rows);
    require_lengths("label_lengths", lengths.labels, labels.rows);
    Directions directions(queries.rows, queries.columns);
    std::vector<double> unit(queries.columns);
    for (std::size_t q = 0; q < queries.rows; ++q) {
        const double length = read_unit_row(queries, q, "queries", unit.data());
        const double given = lengths.queries ? lengths.queries[q] : length;
        const double scale = lengths.queries && given != 0 ? length / given : 1;
        if (length != 0 && given != 0) {
            directions.kinds[q] = scale <= kLongestQuery ? Directions::kUsual : Directions::kExtreme;
        }
        float* out = directions[q];
        for (std::size_t d = 0; d < unit.size(); ++d) out[d] = static_cast<float>(unit[d] * scale);
        if (scale > kLongestFloat32) refuse_length("query_lengths", q, given, length);
    }
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
