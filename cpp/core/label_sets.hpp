// Named sets of labels on their way into an index.
#pragma once

#include <cstdint>
#include <vector>

#include "conse/index.hpp"

namespace conse {

struct LabelSets {
    std::vector<std::int64_t> offsets;  // (sets + 1) into labels; empty without sets
    std::vector<std::int32_t> labels;   // ascending within each set
};

/// The sets of a build, sorted. Names that are empty or given twice, offsets that do not ascend, an empty set and an id
/// that is no label's are std::invalid_argument.
LabelSets sorted_label_sets(const BuildInput& input, std::size_t n_labels);

}  // namespace conse
