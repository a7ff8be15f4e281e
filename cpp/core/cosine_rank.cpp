// Dense ranking: every label is scored against every query, and the best k are kept as they come.
#include <algorithm>
#include <cmath>
#include <vector>

#include "conse/primitives.hpp"
#include "core/arguments.hpp"
#include "core/collector.hpp"
#include "core/convex_combination.hpp"
#include "core/dispatch.hpp"
#include "core/dtype.hpp"
#include "core/parallel.hpp"
#include "core/query_rows.hpp"
#include "core/unit_rows.hpp"
#include "core/write_ranking.hpp"

namespace conse {
namespace {

constexpr std::size_t kQueriesPerTask = 64;   // share a chunk of labels while it is in the cache
constexpr std::size_t kLabelsPerChunk = 256;  // 300 KB at 300 dimensions: stays in a 1 MB L2 beside the queries

// Float32 dot products are exact enough between these lengths; outside, float64 takes over.
constexpr double kShortestFloat32 = 1e-30, kLongestFloat32 = 1e30;

// Unit queries as the kernels read them.
struct Directions {
    std::size_t stride;        // dimension, padded with zeros to a multiple of 16
    std::vector<float> units;  // (queries, stride)
    std::vector<char> known;   // whether the query has a direction

    Directions(std::size_t count, std::size_t dimension)
        : stride(padded(dimension)), units(count * stride), known(count) {}
    const float* operator[](std::size_t q) const { return units.data() + q * stride; }
};

struct Labels {
    const char* argument;  // what the caller calls them
    const MatrixView& view;
    const double* lengths;  // or null
};

[[noreturn]] void refuse_length(const char* argument, std::size_t row, double given, double length) {
    invalid_argument(argument, "[", row, "] is ", given, " but the row's length is ", length,
                     "; scores by the given length leave float32");
}

// The labels [begin, begin + count), count <= kLabelsPerChunk, against one query after the other.
class LabelChunk {
  public:
    LabelChunk(const KernelTable& kernels, const Labels& labels, std::size_t begin, std::size_t count)
        : labels_(labels),
          dots_of_(labels.view.dtype == DType::f16 ? kernels.dots_f16 : kernels.dots_f32),
          begin_(begin),
          count_(count) {}

    void rank(const float* query, Collector<float>& best) {
        const MatrixView& view = labels_.view;
        double* squares = lengths_known_ || labels_.lengths != nullptr ? nullptr : squares_;
        dots_of_(query, view.row(begin_), view.row_stride, count_, view.columns, dots_, squares);
        if (!lengths_known_) invert_lengths();
        for (std::size_t i = 0; i < count_; ++i) {
            if (kinds_[i] == kZero) continue;
            float score = dots_[i] * inverse_lengths_[i];
            if (kinds_[i] == kExtreme || !std::isfinite(score)) score = score_in_float64(query, i);
            if (score < best.floor()) continue;
            best.push(score, static_cast<std::int32_t>(begin_ + i));
            best.settle_when_due();
        }
    }

  private:
    enum Kind : char { kUsual, kExtreme, kZero };

    void invert_lengths() {
        for (std::size_t i = 0; i < count_; ++i) {
            const double length = labels_.lengths ? labels_.lengths[begin_ + i] : std::sqrt(squares_[i]);
            const bool usual = length >= kShortestFloat32 && length <= kLongestFloat32;
            kinds_[i] = length == 0 ? kZero : usual ? kUsual : kExtreme;
            inverse_lengths_[i] = usual ? static_cast<float>(1 / length) : 0;
        }
        lengths_known_ = true;
    }

    // For a label too long or too short for float32; reports NaN and infinity in it.
    float score_in_float64(const float* query, std::size_t i) {
        row_.resize(labels_.view.columns);
        const double length = read_unit_row(labels_.view, begin_ + i, labels_.argument, row_.data());
        double dot = 0;
        for (std::size_t d = 0; d < row_.size(); ++d) dot += static_cast<double>(query[d]) * row_[d];
        if (labels_.lengths == nullptr) return static_cast<float>(dot);
        const auto score = static_cast<float>(dot * (length / labels_.lengths[begin_ + i]));
        if (!std::isfinite(score)) refuse_length("label_lengths", begin_ + i, labels_.lengths[begin_ + i], length);
        return score;
    }

    Labels labels_;
    decltype(KernelTable::dots_f32) dots_of_;
    std::size_t begin_, count_;
    bool lengths_known_ = false;
    float dots_[kLabelsPerChunk];
    float inverse_lengths_[kLabelsPerChunk];
    double squares_[kLabelsPerChunk];
    Kind kinds_[kLabelsPerChunk];
    std::vector<double> row_;
};

// How the (query, label) pairs are cut into tasks: groups of queries, times parts of the labels when there
// are too few groups for the threads or a task would run for long without a checkpoint.
struct Grid {
    std::size_t n_queries, n_labels, n_groups, n_parts;
    double task_microseconds;

    Grid(std::size_t n_queries, std::size_t n_labels, std::size_t dimension, const Execution& execution)
        : n_queries(n_queries), n_labels(n_labels) {
        constexpr double kLongestTask = 20'000;
        const double pair = 0.002 + 0.0001 * static_cast<double>(dimension);
        n_groups = (n_queries + kQueriesPerTask - 1) / kQueriesPerTask;
        const std::size_t group = std::min(n_queries, kQueriesPerTask);
        const double group_microseconds = pair * static_cast<double>(group * n_labels);
        const double total = group_microseconds * static_cast<double>(n_groups);
        const auto n_threads = static_cast<std::size_t>(threads_for({1 << 20, total / (1 << 20)}, execution));
        const std::size_t for_threads = n_threads > 1 && n_groups > 0 ? 2 * n_threads / n_groups : 1;
        const auto for_checkpoints = static_cast<std::size_t>(group_microseconds / kLongestTask);
        const std::size_t most = std::max<std::size_t>(1, n_labels / kLabelsPerChunk);
        n_parts = std::clamp<std::size_t>(std::max(for_threads, for_checkpoints), 1, most);
        task_microseconds = group_microseconds / static_cast<double>(n_parts);
    }
    std::size_t first_query(std::size_t task) const { return task / n_parts * kQueriesPerTask; }
    std::size_t last_query(std::size_t task) const { return std::min(first_query(task) + kQueriesPerTask, n_queries); }
    std::size_t first_label(std::size_t task) const { return task % n_parts * n_labels / n_parts; }
    std::size_t last_label(std::size_t task) const { return (task % n_parts + 1) * n_labels / n_parts; }
};

void rank_directions(const Directions& queries, const Labels& labels, const RankingView& ranking,
                     const Execution& execution) {
    const KernelTable& table = kernels();
    const Grid grid(queries.known.size(), labels.view.rows, queries.stride, execution);
    const std::size_t k = std::min(ranking.k, std::max<std::size_t>(1, grid.n_labels));
    std::vector<std::vector<Entry<float>>> parts(grid.n_parts > 1 ? grid.n_queries * grid.n_parts : 0);

    const Work work{grid.n_groups * grid.n_parts, grid.task_microseconds};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        std::vector<Collector<float>> best(kQueriesPerTask);
        for (std::size_t task = begin; task < end; ++task) {
            const std::size_t first = grid.first_query(task), last = grid.last_query(task);
            for (Collector<float>& collector : best) collector.reset(k);
            for (std::size_t label = grid.first_label(task); label < grid.last_label(task); label += kLabelsPerChunk) {
                LabelChunk chunk(table, labels, label, std::min(kLabelsPerChunk, grid.last_label(task) - label));
                for (std::size_t q = first; q < last; ++q) {
                    if (queries.known[q]) chunk.rank(queries[q], best[q - first]);
                }
            }
            for (std::size_t q = first; q < last; ++q) {
                const auto& entries = best[q - first].finish();
                if (grid.n_parts == 1) {
                    write_ranking(entries, q, ranking);
                } else {
                    parts[q * grid.n_parts + task % grid.n_parts] = entries;
                }
            }
        }
    });
    if (grid.n_parts == 1) return;
    Collector<float> best;
    for (std::size_t q = 0; q < grid.n_queries; ++q) {
        best.reset(k);
        for (std::size_t part = 0; part < grid.n_parts; ++part) {
            for (const Entry<float>& entry : parts[q * grid.n_parts + part]) best.push(entry.value, entry.id);
        }
        write_ranking(best.finish(), q, ranking);
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
        directions.known[q] = length != 0 && given != 0;
        const double scale = lengths.queries && given != 0 ? length / given : 1;
        float* out = directions.units.data() + q * directions.stride;
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
                directions.known[r] = query.has_direction();
                if (!query.has_direction()) continue;
                query.make_direction();
                std::copy(query.direction().begin(), query.direction().end(),
                          directions.units.begin() + static_cast<std::ptrdiff_t>(r * directions.stride));
            }
        });
    });
    rank_directions(directions, {"label_embeddings", label_embeddings, nullptr}, ranking, execution);
}

}  // namespace conse
