// Which labels may be among the k best of one query: between what two numbers each score lies is known at the speed of
// memory, in whatever order of additions is fastest, and hardly more than k labels are left to be scored.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "conse/execution.hpp"
#include "core/directions.hpp"
#include "core/label_chunk.hpp"

namespace conse {

/// Labels, ascending, among which the k best of the only query are; all that only float64 can score are among them.
/// Nothing where scoring every label costs less: for several queries, many results, or labels that float32 can hardly
/// tell apart.
std::optional<std::vector<std::int32_t>> screen(const KernelTable& kernels, const Directions& queries,
                                                const LabelRows& labels, std::size_t k, const Execution& execution);

}  // namespace conse
