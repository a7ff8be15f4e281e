// Upper bounds of blocks of labels, class by class, as 16-bit multiples of a power of two, rounded up.
#pragma once

#include <cstdint>
#include <vector>

#include "core/index_data.hpp"

namespace conse {

/// The exponent of the smallest power of two whose 32,767-fold is not below any score of classes so long. Half the
/// range of a 16-bit integer for unit embeddings: a step is 6e-5, and 0.1 % more blocks are scored than with float32.
int maxima_exponent(const std::vector<double>& class_lengths);

/// One lane of a level, for each class; the classes are `stride` apart.
struct MaximaLane {
    std::int16_t* first;
    std::size_t stride;
};

/// The largest of scores[c * 16 ... + n_lanes) in steps.
void raise_block(const float* scores, std::size_t n_classes, std::size_t n_lanes, double step, const MaximaLane& above);

/// A level above the first from the one below, both whole; `sizes` are those of all levels, from the blocks on.
void raise_level(const std::vector<std::size_t>& sizes, std::size_t level, std::size_t n_classes,
                 const std::int16_t* below, std::int16_t* above);

/// The largest of tile[c * stride ... + n_lanes).
void raise_tile(const std::int16_t* tile, std::size_t stride, std::size_t n_classes, std::size_t n_lanes,
                const MaximaLane& above);

}  // namespace conse
