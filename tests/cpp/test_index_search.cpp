#include "core/index_search.hpp"

#include <memory>
#include <vector>

#include "check.hpp"
#include "core/block_scores.hpp"
#include "core/dispatch.hpp"
#include "core/index_build.hpp"
#include "targets.hpp"

namespace conse {
namespace {

constexpr std::size_t kClasses = 40, kDimension = 32, kLabels = 3200, kBlocks = kLabels / kBlockRows, kMost = 100;

std::vector<float> random_classes() {
    return testing::random_floats(kClasses * kDimension, 1);
}

// Alike in nothing.
std::vector<float> random_labels() {
    return testing::random_floats(kLabels * kDimension, 2);
}

// The first `n` labels are close to class 0.
std::vector<float> labels_near_a_class(std::size_t n) {
    const std::vector<float> classes = random_classes();
    std::vector<float> labels = random_labels();
    for (std::size_t i = 0; i < n * kDimension; ++i) labels[i] = classes[i % kDimension] + 0.05f * labels[i];
    return labels;
}

struct Outcome {
    bool gave_up;
    std::size_t blocks_scored;
    std::vector<float> scores;
    std::vector<std::int64_t> labels;
};

std::shared_ptr<const IndexData> build(const std::vector<float>& labels, bool compact) {
    const std::vector<float> classes = random_classes();
    BuildInput input;
    input.class_embeddings = matrix_view(classes.data(), kClasses, kDimension);
    input.label_embeddings = matrix_view(labels.data(), kLabels, kDimension);
    return build_index(input, {true, compact, ""}, {});
}

// For an image that is any of the first `n_terms` classes.
Outcome search(const IndexData& index, std::size_t n_terms, std::size_t k, std::size_t most_blocks,
               bool alone = false) {
    const Arithmetic arithmetic = choose_arithmetic(index, n_terms);
    Query query;
    std::vector<Entry<float>> kept;
    for (std::size_t t = 0; t < n_terms; ++t) kept.push_back({1.0f, static_cast<std::int32_t>(t)});
    query.set_weights(kept);
    combine_for(kernels(), index, arithmetic, &query, 1);
    Search search;
    search.begin(kernels(), index, {}, arithmetic, query, k, most_blocks, alone);
    while (search.choose()) search.visit();
    Outcome outcome{search.gave_up(), search.blocks_scored(), std::vector<float>(k), std::vector<std::int64_t>(k)};
    search.write_to({outcome.scores.data(), outcome.labels.data(), k}, 0);
    return outcome;
}

CONSE_TEST(gives_up, "index_search.a search that expects to score more than it may gives up early") {
    for (const bool compact : {false, true}) {
        const auto index = build(random_labels(), compact);
        testing::for_each_target([&] {
            const Outcome outcome = search(*index, 5, 10, kMost);
            CHECK(outcome.gave_up);
            CHECK(outcome.blocks_scored == 32);
        });
    }
}

CONSE_TEST(goes_on, "index_search.a search that has many blocks left, but few enough, goes on to the end") {
    for (const bool compact : {false, true}) {
        const auto index = build(labels_near_a_class(960), compact);
        testing::for_each_target([&] {
            for (const std::size_t k : {10, 200}) {
                const Outcome outcome = search(*index, 1, k, kMost);
                CHECK(!outcome.gave_up);
                CHECK(outcome.blocks_scored < kMost);
            }
        });
    }
}

CONSE_TEST(ends, "index_search.a search that may score everything never gives up") {
    const auto index = build(random_labels(), true);
    testing::for_each_target([&] {
        for (const std::size_t k : {std::size_t{1}, std::size_t{10}, std::size_t{640}, kLabels}) {
            const Outcome outcome = search(*index, 10, k, kBlocks + 1);
            CHECK(!outcome.gave_up);
            CHECK(outcome.blocks_scored <= kBlocks);
        }
    });
}

CONSE_TEST(wild_ids, "index_search.candidates that another thread changes once they are checked lead nowhere else") {
    const auto index = build(random_labels(), false);
    const std::int64_t ids[] = {7, std::int64_t{1} << 40, -5, -1, kLabels, 9};
    Filter filter;
    fill_filter(*index, {nullptr, ids, 6}, false, filter);
    CHECK(filter.n_rows == 2);
    exclude(*index, ids, 5, filter);
    std::size_t n_left = 0;
    for (const std::uint32_t block : filter.blocks) n_left += filter.lanes[block] != 0;
    CHECK(n_left == 1);
}

CONSE_TEST(alone, "index_search.a search alone finds the same, in the nearest blocks where its classes agree") {
    for (const bool compact : {false, true}) {
        const auto index = build(labels_near_a_class(160), compact);
        CHECK(index->nearest.blocks != nullptr);
        testing::for_each_target([&] {
            for (const std::size_t n_terms : {1, 2, 5, 32}) {
                const Outcome among = search(*index, n_terms, 10, kBlocks),
                              by_itself = search(*index, n_terms, 10, kBlocks, true);
                CHECK(by_itself.scores == among.scores);
                CHECK(by_itself.labels == among.labels);
                // Ten blocks of labels that are all but class 0, and hardly any that have to be scored besides.
                CHECK(n_terms > 1 || by_itself.blocks_scored <= 12);
            }
        });
    }
}

}  // namespace
}  // namespace conse
