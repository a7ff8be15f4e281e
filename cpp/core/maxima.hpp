// Upper bounds of blocks of labels, class by class, as 16-bit multiples of a power of two, rounded up.
#pragma once

#include <cstdint>
#include <vector>

#include "core/index_data.hpp"

namespace conse {

/// The exponent of the smallest power of two whose 32,767-fold is not below any score of classes so long. Half the
/// range of a 16-bit integer for unit embeddings: a step is 6e-5, and 0.1 % more blocks are scored than with float32.
int maxima_exponent(const std::vector<double>& class_lengths);

/// out[c * 32] = the largest of block[c * 16 ... + n_lanes) in steps, for each class: one lane of level 1.
void raise_block(const float* block, std::size_t n_classes, std::size_t n_lanes, double step, std::int16_t* out);

/// out[c * 32] = the largest of tile[c * 32 ... + n_lanes) for each class: one lane of the level above.
void raise_tile(const std::int16_t* tile, std::size_t n_classes, std::size_t n_lanes, std::int16_t* out);

}  // namespace conse
