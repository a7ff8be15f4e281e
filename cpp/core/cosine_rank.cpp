// Dense ranking: every label is scored against every query, and the best k are kept as they come.
#include <cmath>
#include <memory>
#include <vector>

#include "conse/primitives.hpp"
#include "core/arguments.hpp"
#include "core/batches.hpp"
#include "core/convex_combination.hpp"
#include "core/dense_ranker.hpp"
#include "core/dispatch.hpp"
#include "core/parallel.hpp"
#include "core/row_queries.hpp"
#include "core/screening.hpp"
#include "core/unit_rows.hpp"
#include "core/write_ranking.hpp"

namespace conse {
namespace {

// A query longer than this, given a length that is not its own, is scored in float64.
constexpr double kLongestQuery = 1e7;

void rank_directions(const Directions& directions, const LabelRows& labels, const RankingView& ranking,
                     const Execution& execution) {
    const KernelTable& table = kernels();
    const auto screened = screen(table, directions, labels, ranking.k, execution);
    const auto make = [&](Range batch, std::size_t most_labels, std::size_t k) {
        return std::make_unique<DenseRanker>(table, directions, labels, screened ? &*screened : nullptr, batch,
                                             most_labels, k);
    };
    const auto write = [&](std::size_t q, const auto& best) { write_ranking(best, q, ranking); };
    const std::size_t n_labels = screened ? screened->size() : labels.view.rows;
    rank_in_batches(directions, {n_labels, labels.view.columns, ranking.k, false, make, write},
                    stage(execution, screened ? 1 : 0, 1));
}

void require_labels(const char* argument, const MatrixView& labels, std::size_t dimension) {
    require_id_range(argument, labels.rows);
    require_dimension(argument, labels, dimension);
    if (labels.dtype == DType::f64 || !labels.has_contiguous_rows()) {
        invalid_argument(argument, " must be float32 or float16 with contiguous rows");
    }
}

void require_lengths(const char* argument, const double* lengths, std::size_t count) {
    if (lengths == nullptr) return;
    Survey<double> survey;  // one after the other 20,842 of them took a fifth of a query
    kernels().survey_f64(lengths, count, 1, &survey);
    if (survey.finite && survey.minimum >= 0) return;
    for (std::size_t i = 0; i < count; ++i) {
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
    require_memory("queries", queries);
    require_results(ranking, queries.rows);
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
    require_results(ranking, probabilities.rows);
    require_at_least_one("top_t", combination.top_t);
    require_classes("class_embeddings", class_embeddings);
    require_class_columns("probabilities", probabilities, class_embeddings.rows);
    require_labels("label_embeddings", label_embeddings, class_embeddings.columns);
    const UnitRows unit = unit_rows(class_embeddings, "class_embeddings", combination.normalize_classes, execution);
    const ClassEmbeddings classes = class_rows(unit, class_embeddings, combination);
    const KernelTable& table = kernels();
    Directions directions(probabilities.rows, classes.dimension);
    const Work work{probabilities.rows, query_microseconds(classes.n_classes, combination.top_t, classes.dimension),
                    Query::kAtOnce};
    const auto rows = probability_rows(classes, probabilities);
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        const auto set = [&](std::size_t r, Query& query) { directions.set(r, query); };
        for_each_query(table, *rows, {begin, end}, combination.top_t, classes, set);
    });
    rank_directions(directions, {"label_embeddings", label_embeddings, nullptr}, ranking, execution);
}

}  // namespace conse
