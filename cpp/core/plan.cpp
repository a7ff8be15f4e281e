#include "core/plan.hpp"

#include <algorithm>
#include <cmath>

#include "core/message.hpp"
#include "core/query_rows.hpp"

namespace conse {
namespace {

// A block costs a line of the cache for each kept class, far from each other, or one for each dimension, all in a row.
constexpr std::size_t kDimensionsPerTerm = 6;

// Bounds pay while fewer blocks than this are scored: one block for one query costs four to five times what it costs
// in a batch that goes through all of them.
constexpr double kMostFraction = 0.2;

// The k best labels fill k / 16 blocks and are found in about 3 times as many (20,842 labels x 300: 1.4 % of the
// blocks at k = 100, 15 % at k = 1,000).
constexpr double kBlocksPerFilled = 3;

// A search gives up when it has scored this share of the blocks, or twice what was expected: about a quarter of what
// scoring all takes. At 3 % with 50 dimensions one real photo in twenty gave up, and scoring all labels for the two or
// three of a batch of 32 made the batch take 1.7 times as long.
constexpr double kGivesUpAt = 0.06;
constexpr std::size_t kFewBlocks = 64;

}  // namespace

Arithmetic choose_arithmetic(const IndexData& index, std::size_t top_t) {
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes);
    const bool table_is_shorter = n_terms == 1 || n_terms * kDimensionsPerTerm <= index.classes.dimension;
    return !index.compact() && table_is_shorter ? Arithmetic::table : Arithmetic::embeddings;
}

RankPlan make_plan(const IndexData& index, std::size_t top_t, std::size_t k) {
    const auto n_blocks = static_cast<double>(index.n_blocks);
    const std::size_t n_terms = std::min(top_t, index.classes.n_classes);
    const double filled = static_cast<double>(std::min(k, index.n_labels)) / static_cast<double>(index.n_labels);
    RankPlan plan{};
    plan.arithmetic = choose_arithmetic(index, top_t);
    plan.expected_fraction = std::min(1.0, index.scored_fraction + kBlocksPerFilled * filled);
    plan.bounded = plan.expected_fraction <= kMostFraction || index.n_blocks <= kFewBlocks;
    const double most = std::max(kGivesUpAt, 2 * plan.expected_fraction) * n_blocks;
    plan.most_blocks = std::max(kFewBlocks, static_cast<std::size_t>(most));

    const bool from_table = plan.arithmetic == Arithmetic::table;
    const auto terms = static_cast<double>(from_table ? n_terms : index.classes.dimension);
    const double block = plan.bounded ? 0.08 + 0.003 * terms : 0.01 + (from_table ? 0.0025 : 0.0004) * terms;
    const double blocks = n_blocks * (plan.bounded ? plan.expected_fraction : 1);
    plan.row_microseconds = query_microseconds(index.classes.n_classes, n_terms, index.classes.dimension) +
                            block * blocks + 0.02 * static_cast<double>(std::min(k, index.n_labels));
    return plan;
}

std::string reason_of(const RankPlan& plan, const IndexData& index, std::size_t top_t, std::size_t k) {
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
    return concat(reason, "; for the ", std::min(k, index.n_labels), " best of ", index.n_labels, " labels about ",
                  percent(plan.expected_fraction), " % of the blocks are scored, and bounds pay up to ",
                  percent(kMostFraction), " %", index.n_blocks <= kFewBlocks ? " or with so few labels" : "");
}

}  // namespace conse
