// Labels whose rows hold the same bits: a search needs one of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/index_data.hpp"

namespace conse {

/// For each label the next one, in ascending order, whose row holds the same bits, or -1. Empty where no two do.
/// `data`: rows of `dimension` numbers each; `row_of`: (labels) each label's row, or kNoRow.
std::vector<std::int32_t> next_twins(const float* data, std::size_t dimension,
                                     const std::vector<std::uint32_t>& row_of);

}  // namespace conse
