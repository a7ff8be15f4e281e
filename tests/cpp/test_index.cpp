#include "conse/index.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "check.hpp"
#include "conse/conse.hpp"
#include "targets.hpp"

namespace conse {
namespace {

constexpr std::size_t kClasses = 40, kDimension = 19;

struct Problem {
    std::vector<float> classes, labels, probabilities;
    std::size_t n_labels;

    explicit Problem(std::size_t n_labels)
        : classes(testing::random_floats(kClasses * kDimension, 1)),
          labels(testing::random_floats(n_labels * kDimension, 2)),
          probabilities(testing::random_floats(6 * kClasses, 3)),
          n_labels(n_labels) {
        for (float& p : probabilities) p = std::abs(p);
    }

    BuildInput input() const {
        BuildInput input;
        input.class_embeddings = matrix_view(classes.data(), kClasses, kDimension);
        input.label_embeddings = matrix_view(labels.data(), n_labels, kDimension);
        input.n_labels = n_labels;
        return input;
    }
    MatrixView rows() const { return matrix_view(probabilities.data(), 6, kClasses); }
};

double length_of(const float* x) {
    return std::sqrt(std::inner_product(x, x + kDimension, x, 0.0));
}

// The definition, in float64, one label at a time.
std::vector<double> oracle(const Problem& problem, std::size_t row, std::size_t top_t) {
    const float* p = problem.probabilities.data() + row * kClasses;
    std::vector<std::size_t> order(kClasses);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p[a] > p[b]; });
    std::vector<double> f(kDimension);
    for (std::size_t t = 0; t < top_t; ++t) {
        const float* s = problem.classes.data() + order[t] * kDimension;
        for (std::size_t d = 0; d < kDimension; ++d)
            f[d] += static_cast<double>(p[order[t]]) * static_cast<double>(s[d]) / length_of(s);
    }
    const double length = std::sqrt(std::inner_product(f.begin(), f.end(), f.begin(), 0.0));
    std::vector<double> scores(problem.n_labels);
    for (std::size_t l = 0; l < problem.n_labels; ++l) {
        const float* label = problem.labels.data() + l * kDimension;
        scores[l] = std::inner_product(f.begin(), f.end(), label, 0.0) / length / length_of(label);
    }
    return scores;
}

CONSE_TEST(oracle_agreement, "index.ranks as the definition does, full and compact, on every target") {
    testing::for_each_target([] {
        for (const std::size_t n_labels : {1, 31, 32, 33, 1500}) {
            const Problem problem(n_labels);
            for (const bool compact : {false, true}) {
                const Index index = Index::build(problem.input(), {true, compact, ""});
                index.verify();
                for (const std::size_t top_t : {1, 5, 40}) {
                    const std::size_t k = 7;
                    std::vector<float> scores(6 * k);
                    std::vector<std::int64_t> indices(6 * k);
                    index.rank(problem.rows(), top_t, {scores.data(), indices.data(), k});
                    for (std::size_t row = 0; row < 6; ++row) {
                        std::vector<double> expected = oracle(problem, row, top_t), sorted = expected;
                        std::sort(sorted.rbegin(), sorted.rend());
                        for (std::size_t i = 0; i < k; ++i) {
                            const std::int64_t id = indices[row * k + i];
                            CHECK((id == -1) == (i >= n_labels));
                            if (id == -1) continue;
                            const double score = static_cast<double>(scores[row * k + i]);
                            CHECK(std::abs(score - expected[static_cast<std::size_t>(id)]) < 3e-6);
                            CHECK(std::abs(score - sorted[i]) < 3e-6);
                        }
                    }
                }
            }
        }
    });
}

CONSE_TEST(missing_classes, "index.the next classes take the places of missing ones, or they are refused") {
    Problem problem(100);
    for (const std::size_t c : {3, 17, 39}) {
        std::fill_n(problem.classes.begin() + static_cast<std::ptrdiff_t>(c * kDimension), kDimension, 0.0f);
    }
    BuildOptions options;
    options.missing_classes = MissingClasses::refill;
    const Index refill = Index::build(problem.input(), options), skip = Index::build(problem.input(), {});
    CHECK(refill.info().refill && !skip.info().refill);
    CHECK(Index::from_bytes(refill.bytes().data(), refill.bytes().size()).info().refill);
    std::vector<float> masked = problem.probabilities;
    for (std::size_t row = 0; row < 6; ++row) {
        for (const std::size_t c : {3, 17, 39}) masked[row * kClasses + c] = 0;
    }
    const auto ranked = [](const Index& index, const std::vector<float>& rows) {
        std::vector<float> scores(6 * 7);
        std::vector<std::int64_t> indices(6 * 7);
        index.rank(matrix_view(rows.data(), 6, kClasses), 10, {scores.data(), indices.data(), 7});
        return std::make_pair(scores, indices);
    };
    CHECK(ranked(refill, problem.probabilities) == ranked(skip, masked));
    CHECK(ranked(refill, problem.probabilities) != ranked(skip, problem.probabilities));
    options.missing_classes = MissingClasses::raise;
    CHECK_THROWS(Index::build(problem.input(), options), std::invalid_argument, "class_embeddings[3] is all zeros");
}

CONSE_TEST(bytes, "index.its bytes are an index again") {
    const Problem problem(100);
    const Index index = Index::build(problem.input(), {});
    const Index copy = Index::from_bytes(index.bytes().data(), index.bytes().size());
    copy.verify();
    CHECK(copy.info().checksum == index.info().checksum);
    CHECK(copy.info().n_labels == 100 && copy.info().n_blocks == 7);
}

CONSE_TEST(names, "index.names come back and damaged offsets are refused") {
    const Problem problem(2);
    BuildInput input = problem.input();
    const std::int64_t offsets[] = {0, 3, 8};
    input.label_names = {"onetwo\xc3\xa9", offsets, 2, 8};
    const Index index = Index::build(input, {});
    CHECK(text_at(index.label_names(), 0) == "one");
    CHECK(text_at(index.label_names(), 1) == "two\xc3\xa9");
    CHECK(index.class_names().offsets == nullptr);
    const std::int64_t wild[] = {0, 1000, 2};
    CHECK_THROWS(text_at({"ab", wild, 2, 2}, 0), FormatError, "lies outside");
    const std::int64_t descending[] = {3, 1, 8};
    input.label_names.offsets = descending;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "ascending offsets");
}

CONSE_TEST(arguments, "index.wrong arguments are named") {
    const Problem problem(50);
    const Index index = Index::build(problem.input(), {});
    float score;
    std::int64_t id;
    CHECK_THROWS(index.rank(matrix_view(problem.probabilities.data(), 1, kClasses - 1), 10, {&score, &id, 1}),
                 std::invalid_argument, "probabilities has 39 columns; expected 40");
    CHECK_THROWS(index.rank(problem.rows(), 0, {&score, &id, 1}), std::invalid_argument, "top_t must be at least 1");
    CHECK_THROWS(index.rank(problem.rows(), 1, {&score, &id, 0}), std::invalid_argument, "k must be at least 1");
    BuildInput input = problem.input();
    input.n_labels = 49;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "or row_label");
}

}  // namespace
}  // namespace conse
