// What an index tells of single scores: their parts, and the classes that are near a label.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "conse/index.hpp"
#include "core/arguments.hpp"
#include "core/block_scores.hpp"
#include "core/dispatch.hpp"
#include "core/filter.hpp"
#include "core/index_data.hpp"
#include "core/parallel.hpp"
#include "core/plan.hpp"
#include "core/row_queries.hpp"
#include "core/similarities.hpp"

namespace conse {
namespace {

constexpr float kNothing = -std::numeric_limits<float>::infinity();

class Explainer {
  public:
    Explainer(const IndexData& index, const RowQueries& rows, std::size_t top_t, const ExplanationView& out,
              const RankOptions& options)
        : index_(index),
          rows_(rows),
          out_(out),
          kernels_(kernels()),
          places_(index.label_places()),
          arithmetic_(choose_arithmetic(index, top_t)),
          penalty_(penalty_of(options)),
          dot_(options.dot) {}

    void explain(Range rows) const {
        std::array<Query, Query::kAtOnce> queries;
        Similarities similarities(index_);
        for (std::size_t begin = rows.begin; begin < rows.end; begin += Query::kAtOnce) {
            const std::size_t count = std::min(Query::kAtOnce, rows.end - begin);
            for (std::size_t i = 0; i < count; ++i) keep(begin + i, queries[i]);
            combine_for(kernels_, index_, arithmetic_, queries.data(), count);
            for (std::size_t i = 0; i < count; ++i) {
                queries[i].use_dot(dot_);
                if (queries[i].has_direction()) make_scorable(index_, arithmetic_, queries[i]);
                for (std::size_t m = 0; m < out_.n_labels; ++m) explain_label(begin + i, m, queries[i], similarities);
            }
        }
    }

    /// About, of one row on one thread.
    double microseconds() const {
        const auto terms = static_cast<double>(out_.terms), dimension = static_cast<double>(index_.classes.dimension);
        const double of_score = 0.005 * (arithmetic_ == Arithmetic::table ? terms : dimension);
        const double of_parts = terms * (index_.compact() ? 0.0005 * dimension : 0.005);
        return query_microseconds(index_.classes.n_classes, out_.terms, index_.classes.dimension) +
               static_cast<double>(out_.n_labels) * (of_score + of_parts);
    }

  private:
    // Writes the kept classes with their shares, and sets up the row's query.
    void keep(std::size_t r, Query& query) const {
        thread_local std::vector<Entry<double>> kept;
        rows_.list(kernels_, r, out_.terms, kept);
        const double largest = kept.front().value;
        const int exponent = largest > 0 ? std::ilogb(largest) : 0;  // a sum of 1e308s would leave float64
        double* shares = out_.shares + r * out_.terms;
        double total = 0;
        for (std::size_t t = 0; t < out_.terms; ++t) {
            out_.classes[r * out_.terms + t] = kept[t].id;
            shares[t] = std::ldexp(kept[t].value, -exponent);
            total += shares[t];
        }
        for (std::size_t t = 0; t < out_.terms && total > 0; ++t) shares[t] /= total;
        sort_rest_by_id(kept, kBoundTerms);
        query.set_weights(kept);
    }

    void explain_label(std::size_t r, std::size_t m, const Query& query, Similarities& similarities) const {
        const std::size_t place = r * out_.n_labels + m;
        const std::int64_t label = out_.labels[place];
        double* of_label = out_.similarities + place * out_.terms;
        double* contributions = out_.contributions + place * out_.terms;
        float best = kNothing;
        std::size_t best_row = 0;
        for (const std::size_t row : places_.rows_of(query.has_direction() ? label : -1)) {
            float scores[kBlockRows];
            score_rows(kernels_, index_, arithmetic_, query, row / kBlockRows, kNothing, scores);
            if (!(scores[row % kBlockRows] > best)) continue;
            best = scores[row % kBlockRows];
            best_row = row;
        }
        out_.scores[place] = best;
        if (best == kNothing) {
            std::fill_n(of_label, out_.terms, 0.0);
            std::fill_n(contributions, out_.terms, 0.0);
            return;
        }
        if (index_.label_class[label] >= 0) out_.scores[place] -= penalty_;
        similarities.of_row(best_row);
        const double divisor = dot_ ? 1 : query.length();
        for (std::size_t t = 0; t < out_.terms; ++t) {
            of_label[t] = similarities(static_cast<std::size_t>(out_.classes[r * out_.terms + t]));
            contributions[t] = out_.shares[r * out_.terms + t] / divisor * of_label[t];
        }
    }

    const IndexData& index_;
    const RowQueries& rows_;
    const ExplanationView out_;
    const KernelTable& kernels_;
    const LabelPlaces& places_;
    const Arithmetic arithmetic_;
    const float penalty_;
    const bool dot_;
};

}  // namespace

void Index::explain(const MatrixView& probabilities, std::size_t top_t, const ExplanationView& explanation,
                    const Execution& execution, const RankOptions& options) const {
    const IndexData& index = *data_;
    const auto rows = probability_rows(index.classes, probabilities);
    require_at_least_one("top_t", top_t);
    const std::size_t terms = std::min(top_t, index.classes.n_classes);
    if (explanation.terms != terms) invalid_argument("terms must be ", terms, ", got ", explanation.terms);
    const std::size_t n_scores = probabilities.rows * explanation.n_labels;
    require_label_ids("labels", explanation.labels, n_scores, index.n_labels);
    require_memory("classes", explanation.classes, probabilities.rows * terms);
    require_memory("shares", explanation.shares, probabilities.rows * terms);
    require_memory("scores", explanation.scores, n_scores);
    require_memory("similarities", explanation.similarities, n_scores * terms);
    require_memory("contributions", explanation.contributions, n_scores * terms);
    const Explainer explainer(index, *rows, top_t, explanation, options);
    parallel_for({probabilities.rows, explainer.microseconds(), Query::kAtOnce}, execution,
                 [&](std::size_t begin, std::size_t end) { explainer.explain({begin, end}); });
}

void Index::class_cosines(const std::int64_t* labels, std::size_t n_labels, float* cosines,
                          const Execution& execution) const {
    const IndexData& index = *data_;
    require_label_ids("labels", labels, n_labels, index.n_labels);
    require_memory("cosines", cosines, n_labels);
    const LabelPlaces& places = index.label_places();
    const std::size_t n_classes = index.classes.n_classes;
    const double of_class = index.compact() ? 0.0005 * static_cast<double>(index.classes.dimension) : 0.01;
    parallel_for({n_labels, of_class * static_cast<double>(n_classes)}, execution,
                 [&](std::size_t begin, std::size_t end) {
                     Similarities similarities(index);
                     for (std::size_t i = begin; i < end; ++i) {
                         float* of_label = cosines + i * n_classes;
                         std::fill_n(of_label, n_classes, kNothing);
                         for (const std::size_t row : places.rows_of(labels[i])) {
                             similarities.of_row(row);
                             for (std::size_t c = 0; c < n_classes; ++c) {
                                 const double length = index.class_lengths[c];
                                 if (length == 0) continue;
                                 of_label[c] = std::max(of_label[c], static_cast<float>(similarities(c) / length));
                             }
                         }
                     }
                 });
}

std::vector<std::uint32_t> Index::rows_per_label() const {
    const LabelPlaces& places = data_->label_places();
    std::vector<std::uint32_t> counts(data_->n_labels);
    for (std::size_t label = 0; label < counts.size(); ++label) {
        counts[label] = places.offsets[label + 1] - places.offsets[label];
    }
    return counts;
}

}  // namespace conse
