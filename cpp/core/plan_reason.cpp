// The plan in words. Apart from the plan itself, which every call makes, it is compiled for size.
#include <algorithm>
#include <cmath>

#include "core/message.hpp"
#include "core/plan.hpp"

namespace conse {

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
    return concat(reason, "; for the ", std::min(k, index.n_rows), " best of ", index.n_rows, " label vectors about ",
                  percent(plan.expected_fraction), " % of the blocks are scored", where, ", and bounds pay up to ",
                  percent(plan.most_fraction), " %", index.n_blocks <= kFewBlocks ? " or with so few labels" : "");
}

}  // namespace conse
