#include "core/plan.hpp"

#include <algorithm>
#include <cmath>

#include "core/message.hpp"
#include "core/row_queries.hpp"

namespace conse {
namespace {

// The k best labels fill k / 16 blocks and are found in about 4 times as many (20,842 labels, real photos: 1.8 % of the
// blocks at k = 100 and 15 to 18 % at k = 1,000 with 300 dimensions, 3.6 and 23 % with 50).
constexpr double kBlocksPerFilled = 4;

// Bounds decide while they are expected to cost this share of scoring all labels.
constexpr double kMostExpected = 0.7;
// A search gives up when it has cost this share: even if most do, the sum stays below 1.25 times what scoring all would
// have cost. Where hardly any search comes near, those that do are few, and few together cost more than a share of
// many: with the smaller share and 50 dimensions one real photo in ten gave up, and a batch took 1.25 times as long.
constexpr double kMostSpent = 0.5, kMostSpentIfRare = 2, kRareBelow = 0.2;
constexpr std::size_t kFewBlocks = 16;

// Microseconds per block of 16 labels and query (AVX-512, 2.6 GHz, one thread), whose ratio matters. A search takes a
// block at a time, with its bounds and what it has to wait for; else the table is read from end to end, and embeddings
// are read for all queries of a batch together.
double search_cost(Arithmetic arithmetic, std::size_t n_terms, std::size_t dimension) {
    const bool from_table = arithmetic == Arithmetic::table;
    return 0.15 + (from_table ? 0.005 * static_cast<double>(n_terms) : 0.0027 * static_cast<double>(dimension));
}
double sweep_cost(Arithmetic arithmetic, std::size_t n_terms, std::size_t dimension, std::size_t n_rows) {
    if (arithmetic == Arithmetic::table) return 0.01 + 0.0025 * static_cast<double>(n_terms);
    const double reading = 0.0064 / static_cast<double>(std::max<std::size_t>(1, n_rows));
    return 0.01 + (0.0002 + reading) * static_cast<double>(dimension);
}

}  // namespace

Arithmetic choose_arithmetic(const IndexData& index, std::size_t top_t) {
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes);
    const bool from_table = !index.compact() && table_is_shorter(n_terms, index.classes.dimension);
    return from_table ? Arithmetic::table : Arithmetic::embeddings;
}

namespace {

// By how much more the candidates make a search score. The k best of a tenth of the labels are found among the 10 k
// best of all, but blocks that only others fill are passed over: 20,842 labels and k = 10, of which 1,549 (2-hops) take
// a search 1.4 (300 dimensions) to 1.9 times as long (50) as all, and a random tenth 1.8 to 2.2 times.
double widening(const IndexData& index, const Extent& candidates) {
    return std::cbrt(static_cast<double>(index.n_rows) / std::max(candidates.rows, 1.0));
}

}  // namespace

RankPlan make_plan(const IndexData& index, const Extent& candidates, std::size_t top_t, std::size_t k,
                   std::size_t n_rows) {
    const auto n_blocks = static_cast<double>(index.n_blocks);
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes), dimension = index.classes.dimension;
    const double filled = static_cast<double>(std::min(k, index.n_labels)) / static_cast<double>(index.n_labels);
    RankPlan plan{};
    plan.arithmetic = choose_arithmetic(index, top_t);
    const double expected = widening(index, candidates) * (index.scored_fraction + kBlocksPerFilled * filled);
    plan.expected_fraction = std::min(1.0, expected);
    const double search = search_cost(plan.arithmetic, n_terms, dimension);
    const double sweep = sweep_cost(plan.arithmetic, n_terms, dimension, n_rows);
    const double left = candidates.blocks / std::max(n_blocks, 1.0);
    plan.most_fraction = std::min(1.0, kMostExpected * left * sweep / search);
    plan.bounded = plan.expected_fraction <= plan.most_fraction || index.n_blocks <= kFewBlocks;
    // Candidates make a sweep short, so that a search that gives up has lost little.
    const bool rare = left < 1 || plan.expected_fraction * search < kRareBelow * sweep;
    const double most = std::min(1.0, (rare ? kMostSpentIfRare : kMostSpent) * left * sweep / search) * n_blocks;
    plan.most_blocks = std::max(kFewBlocks, static_cast<std::size_t>(most));
    plan.row_microseconds = query_microseconds(index.classes.n_classes, n_terms, dimension) +
                            n_blocks * (plan.bounded ? search * plan.expected_fraction : left * sweep) +
                            0.02 * static_cast<double>(std::min(k, index.n_labels));
    plan.sweep_microseconds = candidates.blocks * sweep_cost(plan.arithmetic, n_terms, dimension, 1);
    return plan;
}

std::string reason_of(const RankPlan& plan, const IndexData& index, const Extent& candidates, std::size_t top_t,
                      std::size_t k) {
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes), dimension = index.classes.dimension;
    std::string reason;
    if (plan.arithmetic == Arithmetic::table) {
        reason = concat("a label costs ", n_terms, " products with the table, ", dimension, " with its embedding");
    } else if (index.compact()) {
        reason = "a compact index has no table";
    } else {
        reason = concat("the table pays up to ", std::max<std::size_t>(1, dimension / kDimensionsPerTerm),
                        " classes at ", dimension, " dimensions");
    }
    const auto percent = [](double share) { return std::lround(1000 * share) / 10.0; };
    const bool all = candidates.blocks >= static_cast<double>(index.n_blocks);
    const std::string where =
        all ? ""
            : concat(", candidates lie in ", percent(candidates.blocks / static_cast<double>(index.n_blocks)), " %");
    return concat(reason, "; for the ", std::min(k, index.n_labels), " best of ", index.n_labels, " labels about ",
                  percent(plan.expected_fraction), " % of the blocks are scored", where, ", and bounds pay up to ",
                  percent(plan.most_fraction), " %", index.n_blocks <= kFewBlocks ? " or with so few labels" : "");
}

}  // namespace conse
