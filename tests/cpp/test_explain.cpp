#include <cmath>
#include <cstdlib>
#include <limits>

#include "check.hpp"
#include "conse/conse.hpp"
#include "targets.hpp"

namespace conse {
namespace {

constexpr std::size_t kClasses = 40, kDimension = 19, kLabels = 333, kRows = 6, kAsked = 3;

struct Explained {
    std::vector<std::int64_t> labels{0, 7, -1, 332, 331, 330, 1, 1, 1, 2, 3, 4, 5, 6, 7, 100, 200, 300}, classes;
    std::vector<double> shares, similarities, contributions;
    std::vector<float> scores;

    ExplanationView view(std::size_t terms) {
        classes.resize(kRows * terms);
        shares.resize(kRows * terms);
        scores.resize(kRows * kAsked);
        similarities.resize(kRows * kAsked * terms);
        contributions.resize(kRows * kAsked * terms);
        return {labels.data(),       kAsked, terms, classes.data(), shares.data(), scores.data(), similarities.data(),
                contributions.data()};
    }
};

// Label 5 has no vector, and image 4 no probabilities.
struct Problem {
    std::vector<float> classes = testing::random_floats(kClasses * kDimension, 1);
    std::vector<float> labels = testing::random_floats(kLabels * kDimension, 2);
    std::vector<float> probabilities = testing::random_floats(kRows * kClasses, 3);

    Problem() {
        for (float& p : probabilities) p = std::abs(p);
        std::fill_n(labels.begin() + 5 * kDimension, kDimension, 0.0f);
        std::fill_n(probabilities.begin() + 4 * kClasses, kClasses, 0.0f);
    }
    Index build(bool compact) const {
        BuildInput input;
        input.class_embeddings = matrix_view(classes.data(), kClasses, kDimension);
        input.label_embeddings = matrix_view(labels.data(), kLabels, kDimension);
        input.n_labels = kLabels;
        return Index::build(input, {true, compact, ""});
    }
    MatrixView rows() const { return matrix_view(probabilities.data(), kRows, kClasses); }
};

// The score of each label in a ranking of all; none has -infinity.
std::vector<float> ranked_scores(const Index& index, const Problem& problem, std::size_t top_t) {
    std::vector<float> scores(kRows * kLabels), by_label(scores.size(), -std::numeric_limits<float>::infinity());
    std::vector<std::int64_t> indices(scores.size());
    index.rank(problem.rows(), top_t, {scores.data(), indices.data(), kLabels});
    for (std::size_t i = 0; i < scores.size(); ++i) {
        if (indices[i] >= 0) by_label[i / kLabels * kLabels + static_cast<std::size_t>(indices[i])] = scores[i];
    }
    return by_label;
}

CONSE_TEST(parts, "explain.the parts add up to the scores of rankings, full and compact, on every target") {
    const Problem problem;
    testing::for_each_target([&] {
        for (const bool compact : {false, true}) {
            const Index index = problem.build(compact);
            for (const std::size_t top_t : {1, 5, 40, 90}) {
                const std::size_t terms = std::min(top_t, kClasses);
                Explained explained;
                index.explain(problem.rows(), top_t, explained.view(terms));
                const std::vector<float> ranked = ranked_scores(index, problem, top_t);
                for (std::size_t i = 0; i < kRows * kAsked; ++i) {
                    const std::int64_t label = explained.labels[i];
                    const float score = explained.scores[i];
                    if (label < 0) {
                        CHECK(std::isinf(score));
                        continue;
                    }
                    CHECK(score == ranked[i / kAsked * kLabels + static_cast<std::size_t>(label)]);
                    double total = 0;
                    for (std::size_t t = 0; t < terms; ++t) total += explained.contributions[i * terms + t];
                    CHECK(std::abs(total - (std::isinf(score) ? 0 : static_cast<double>(score))) < 3e-6);
                }
            }
        }
    });
}

CONSE_TEST(vocabulary, "explain.cosines of classes with labels, and labels without a vector") {
    const Problem problem;
    for (const bool compact : {false, true}) {
        const Index index = problem.build(compact);
        CHECK(index.rows_per_label()[4] == 1 && index.rows_per_label()[5] == 0);
        const std::int64_t labels[] = {9, 5};
        std::vector<float> cosines(2 * kClasses);
        index.class_cosines(labels, 2, cosines.data());
        CHECK(std::isinf(cosines[kClasses]));
        double dot = 0, of_class = 0, of_label = 0;
        for (std::size_t d = 0; d < kDimension; ++d) {
            const double s = static_cast<double>(problem.classes[kDimension + d]);
            const double l = static_cast<double>(problem.labels[9 * kDimension + d]);
            dot += s * l;
            of_class += s * s;
            of_label += l * l;
        }
        CHECK(std::abs(static_cast<double>(cosines[1]) - dot / std::sqrt(of_class * of_label)) < 1e-6);
    }
}

CONSE_TEST(arguments, "explain.wrong arguments are named") {
    const Problem problem;
    const Index index = problem.build(false);
    Explained explained;
    CHECK_THROWS(index.explain(problem.rows(), 5, explained.view(6)), std::invalid_argument, "terms must be 5, got 6");
    CHECK_THROWS(index.explain(problem.rows(), 0, explained.view(1)), std::invalid_argument, "top_t must be at least");
    explained.labels[2] = kLabels;
    CHECK_THROWS(index.explain(problem.rows(), 5, explained.view(5)), std::invalid_argument, "labels holds 333");
    RankOptions options;
    options.seen_penalty = std::numeric_limits<double>::quiet_NaN();
    explained.labels[2] = -1;
    CHECK_THROWS(index.explain(problem.rows(), 5, explained.view(5), {}, options), std::invalid_argument,
                 "seen_penalty must be a finite number");
}

}  // namespace
}  // namespace conse
