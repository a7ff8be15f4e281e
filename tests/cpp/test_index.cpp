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
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return p[a] > p[b] || (p[a] == p[b] && a < b); });
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
    CHECK_THROWS(text_at(index.class_names(), 0), std::invalid_argument, "there is no text 0; the index has 0");
    CHECK_THROWS(text_at(index.label_names(), 2), std::invalid_argument, "there is no text 2; the index has 2");
    CHECK_THROWS(index.label_set(0), std::invalid_argument, "there is no label set 0; the index has 0");
    const std::int64_t wild[] = {0, 1000, 2};
    CHECK_THROWS(text_at({"ab", wild, 2, 2}, 0), FormatError, "lies outside");
    const std::int64_t descending[] = {3, 1, 8};
    input.label_names.offsets = descending;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "ascending offsets");
}

CONSE_TEST(label_sets, "index.label sets are kept, prepared and the same as their ids") {
    const Problem problem(100);
    BuildInput input = problem.input();
    const std::int64_t name_offsets[] = {0, 3, 8}, offsets[] = {0, 4, 6}, labels[] = {7, 3, 99, 7, 1, 2};
    input.label_set_names = {"oneother", name_offsets, 2, 8};
    input.label_set_offsets = offsets;
    input.label_sets = labels;
    const Index built = Index::build(input, {}), index = Index::from_bytes(built.bytes().data(), built.bytes().size());
    index.verify();
    CHECK(text_at(index.label_set_names(), 1) == "other");
    const LabelIds set = index.label_set(0);
    CHECK(std::vector<std::int32_t>(set.ids, set.ids + set.count) == (std::vector<std::int32_t>{3, 7, 99}));
    CHECK_THROWS(index.label_set(2), std::invalid_argument, "there is no label set 2; the index has 2");
    std::vector<float> scores(6 * 5), expected_scores(6 * 5);
    std::vector<std::int64_t> found(6 * 5), expected(6 * 5);
    RankOptions by_set, by_ids;
    by_set.candidates = index.prepare(set);
    by_ids.ids = labels;
    by_ids.n_ids = 4;
    index.rank(problem.rows(), 10, {scores.data(), found.data(), 5}, {}, by_set);
    index.rank(problem.rows(), 10, {expected_scores.data(), expected.data(), 5}, {}, by_ids);
    CHECK(found == expected && scores == expected_scores && found[3] == -1);
    const std::int64_t outside[] = {7, 100, 99, 7, 1, 2};
    input.label_sets = outside;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "'one' holds 100; expected label ids from 0 to 99");
    by_ids.ids = outside;
    CHECK_THROWS(index.rank(problem.rows(), 10, {scores.data(), found.data(), 5}, {}, by_ids), std::invalid_argument,
                 "candidates holds 100");
    CHECK(index.prepare(LabelIds{nullptr, 0}) != nullptr);
    const std::int64_t descending[] = {0, 1000000000, 4};
    input.label_set_offsets = descending;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "must ascend from 0 on, got 1000000000 and 4");
    input.label_set_offsets = nullptr;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "label_set_offsets is null");
    input.label_set_offsets = offsets;
    input.label_sets = nullptr;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "label_sets is null");
    input.label_sets = labels;
    const std::int64_t same_names[] = {0, 1, 2};
    input.label_set_names = {"oo", same_names, 2, 2};
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "two sets named 'o'");
    input.label_set_names = {};
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "label_sets needs label_set_names");
}

CONSE_TEST(lists_and_pairs, "index.lists of T and scores of pairs have the bits of rankings") {
    const Problem problem(300);
    const Index index = Index::build(problem.input(), {});
    const std::vector<std::size_t> top_t{10, 1, 40, 35};
    std::vector<float> lists(4 * 6 * 3), scores(6 * 3);
    std::vector<std::int64_t> ids(4 * 6 * 3), indices(6 * 3);
    index.rank(problem.rows(), top_t, {lists.data(), ids.data(), 3});
    for (std::size_t i = 0; i < 4; ++i) {
        index.rank(problem.rows(), top_t[i], {scores.data(), indices.data(), 3});
        CHECK(std::equal(scores.begin(), scores.end(), lists.begin() + static_cast<std::ptrdiff_t>(i * 18)));
        CHECK(std::equal(indices.begin(), indices.end(), ids.begin() + static_cast<std::ptrdiff_t>(i * 18)));
        std::vector<std::int64_t> pairs;
        for (std::size_t place = 18; place-- > 0;) {
            pairs.insert(pairs.end(), {static_cast<std::int64_t>(place / 3), indices[place]});
        }
        std::vector<float> of_pairs(18);
        index.score_of(problem.rows(), top_t[i], pairs.data(), 18, of_pairs.data());
        CHECK(std::equal(of_pairs.rbegin(), of_pairs.rend(), scores.begin()));
    }
    CHECK_THROWS(index.rank(problem.rows(), std::vector<std::size_t>{}, {scores.data(), indices.data(), 3}),
                 std::invalid_argument, "top_t must hold at least one number");
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
    const MatrixView nowhere = matrix_view(nullptr, 1, kClasses);
    CHECK_THROWS(index.rank(nowhere, 1, {&score, &id, 1}), std::invalid_argument,
                 "probabilities is null; expected its elements");
    CHECK_THROWS(index.rank(problem.rows(), 1, {nullptr, &id, 1}), std::invalid_argument, "scores is null");
    CHECK_THROWS(index.rank(problem.rows(), 1, {&score, nullptr, 1}), std::invalid_argument, "indices is null");
    CHECK_THROWS(index.rank_pairs(nullptr, matrix_view(&score, 1, 1), {&score, &id, 1}), std::invalid_argument,
                 "indices is null");
    CHECK_THROWS(index.embed(problem.rows(), 1, nullptr), std::invalid_argument, "f is null");
    CHECK_THROWS(index.class_cosines(&(id = 0), 1, nullptr), std::invalid_argument, "cosines is null");
    CHECK_THROWS(index.prepare(LabelIds{nullptr, 3}), std::invalid_argument, "candidates is null");
    CHECK_THROWS(Index::from_bytes(nullptr, 10), std::invalid_argument, "bytes is null");
    double share = 0;
    CHECK_THROWS(index.explain(problem.rows(), 1, {&(id = 0), 0, 1, nullptr, &share}), std::invalid_argument,
                 "classes is null");
    CHECK_THROWS(index.explain(problem.rows(), 1, {&(id = 0), 0, 1, &id, nullptr}), std::invalid_argument,
                 "shares is null");
    CHECK_THROWS(Index::open(std::string("a\0b", 3)), std::invalid_argument, "null character");
    CHECK_THROWS(index.save(std::string("a\0b", 3)), std::invalid_argument, "null character");
    const Index other = Index::build(problem.input(), {});
    RankOptions options;
    options.candidates = other.prepare(nullptr);
    CHECK_THROWS(index.rank(problem.rows(), 1, {&score, &id, 1}, {}, options), std::invalid_argument,
                 "prepared by another index");
    CHECK_THROWS(index.plan(10, 5, 1024, options.candidates), std::invalid_argument, "prepared by another index");
    options.candidates = index.prepare(nullptr);
    options.ids = &id;
    CHECK_THROWS(index.rank(problem.rows(), 1, {&score, &id, 1}, {}, options), std::invalid_argument,
                 "give one of them");
    index.rank(matrix_view(nullptr, 0, kClasses), 1, {nullptr, nullptr, 1});
    CHECK_THROWS(index.rank(problem.rows(), 1, {&score, &id, 1}, {-1, {}}), std::invalid_argument,
                 "n_threads must be at least 0, got -1");
    BuildInput input = problem.input();
    input.n_labels = 49;
    CHECK_THROWS(Index::build(input, {}), std::invalid_argument, "or row_label");
}

}  // namespace
}  // namespace conse
