#include "core/plan.hpp"

#include <algorithm>
#include <cmath>

#include "core/row_queries.hpp"

namespace conse {
namespace {

// The k best labels fill k / 16 blocks and are found in about 4 times as many (20,842 labels, real photos: 1.8 % of the
// blocks at k = 100 and 15 to 18 % at k = 1,000 with 300 dimensions, 3.6 and 23 % with 50).
constexpr double kBlocksPerFilled = 4;

// Bounds decide while they are expected to cost this share of scoring all labels.
constexpr double kMostExpected = 0.7;
// One search may cost this many times what scoring all does before it gives up: few rows that are scored together cost
// more than a share of many (with half, and 50 dimensions, one real photo in ten gave up, and a batch took 1.25 times
// as long). All searches of a call may together lose this share of it: the suite's 40 hard cases take at most 1.14
// times as long as scoring every label directly. With 0.15 batches of 32 with k = 1,000 were still tried, and took 1.27
// times as long (Gaussian 50); with 0.12 real ones with k = 100 gave up, and took 1.1 times as long.
constexpr double kMostOfOne = 2, kMostOfAll = 0.14;
// So many searches, of those under way, are expected to give up together; few where searches cost little as a rule:
// with many there, too, a batch of 32 real photos took 1.26 times as long (50 dimensions).
constexpr double kRareBelow = 0.2;
constexpr std::size_t kFewTogether = 4, kManyTogether = 16;

// Microseconds for a row of the blocks that are scored, and of the results (AVX-512, one thread, 20,842 labels), whose
// ratios matter. A search takes a block at a time, with its bounds and what it has to wait for, and pushes few labels
// that are pushed out again; else the table is read from end to end, and embeddings for all rows of a batch together.
struct Cost {
    double block, result;
    double of(double n_blocks, double n_results) const { return block * n_blocks + result * n_results; }
};
Cost search_cost(Arithmetic arithmetic, std::size_t n_terms, std::size_t dimension) {
    if (arithmetic == Arithmetic::table) return {0.125 + 0.005 * static_cast<double>(n_terms), 0.03};
    return {0.02 + 0.0015 * static_cast<double>(dimension), 0.03};
}
Cost sweep_cost(Arithmetic arithmetic, std::size_t n_terms, std::size_t dimension, std::size_t n_rows) {
    if (arithmetic == Arithmetic::table) return {0.009 + 0.002 * static_cast<double>(n_terms), 0.08};
    const double reading = 0.001 / static_cast<double>(std::max<std::size_t>(1, n_rows));
    return {0.004 + (0.00014 + reading) * static_cast<double>(dimension), 0.08};
}

// By how much more the candidates make a search score. The k best of a tenth of the labels are found among the 10 k
// best of all, but blocks that only others fill are passed over: 20,842 labels and k = 10, of which 1,549 (2-hops) take
// a search 1.4 (300 dimensions) to 1.9 times as long (50) as all, and a random tenth 1.8 to 2.2 times.
double widening(const IndexData& index, const Extent& candidates) {
    if (candidates.rows >= static_cast<double>(index.n_rows)) return 1;  // the root takes 2 % of a single row's call
    return std::cbrt(static_cast<double>(index.n_rows) / std::max(candidates.rows, 1.0));
}

}  // namespace

Arithmetic choose_arithmetic(const IndexData& index, std::size_t top_t) {
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes);
    const bool from_table = !index.compact() && table_is_shorter(n_terms, index.classes.dimension);
    return from_table ? Arithmetic::table : Arithmetic::embeddings;
}

RankPlan make_plan(const IndexData& index, const Extent& candidates, std::size_t top_t, std::size_t k,
                   std::size_t n_rows) {
    const auto n_blocks = static_cast<double>(index.n_blocks);
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes), dimension = index.classes.dimension;
    const auto n_results = static_cast<double>(std::min(k, index.n_rows));
    const double filled = n_results / static_cast<double>(std::max<std::size_t>(index.n_rows, 1));
    RankPlan plan{};
    plan.arithmetic = choose_arithmetic(index, top_t);
    const double expected = widening(index, candidates) * (index.scored_fraction + kBlocksPerFilled * filled);
    plan.expected_fraction = std::min(1.0, expected);
    const Cost search = search_cost(plan.arithmetic, n_terms, dimension);
    const double sweep = sweep_cost(plan.arithmetic, n_terms, dimension, n_rows).of(candidates.blocks, n_results);
    const double paying = (kMostExpected * sweep - search.of(0, n_results)) / search.of(std::max(n_blocks, 1.0), 0);
    plan.most_fraction = std::clamp(paying, 0.0, 1.0);
    plan.bounded =
        (plan.expected_fraction < 1 && plan.expected_fraction <= plan.most_fraction) || index.n_blocks <= kFewBlocks;
    plan.paying_blocks = std::max(0.0, sweep - search.of(0, n_results)) / search.block;
    plan.most_blocks =
        std::max(kFewBlocks, static_cast<std::size_t>(std::min(kMostOfOne * sweep / search.block, n_blocks)));
    // Without an index all embeddings are scored, whatever the candidates; those make a sweep short, too.
    const double without = sweep_cost(Arithmetic::embeddings, n_terms, dimension, n_rows).of(n_blocks, n_results);
    const double spare = std::max(kMostOfAll * sweep, (1 + kMostOfAll) * without - sweep) / search.block;
    plan.spare_blocks = index.n_blocks <= kFewBlocks ? kFewBlocks + 1 : spare;
    const double expected_cost = search.of(plan.expected_fraction * n_blocks, n_results);
    plan.gives_up_together = expected_cost < kRareBelow * sweep ? kFewTogether : kManyTogether;
    plan.row_microseconds =
        query_microseconds(index.classes.n_classes, n_terms, dimension) + (plan.bounded ? expected_cost : sweep);
    plan.sweep_microseconds = sweep_cost(plan.arithmetic, n_terms, dimension, 1).of(candidates.blocks, n_results);
    return plan;
}

}  // namespace conse
