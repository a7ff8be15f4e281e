// The scores of classes against labels that an index is built from: computed in float64, rounded once.
#pragma once

#include <vector>

#include "core/query.hpp"

namespace conse {

/// Class embeddings in float64, (classes, dimension), C-contiguous.
using ClassMatrix = std::vector<double>;
ClassMatrix class_matrix(const ClassEmbeddings& classes);

/// tile[c * 32 + lane] = class c . label `lane` of the block; `label_tile` is (dimension, 32). `scratch` is
/// reused by the calls of one thread. A float32 product would err by 1e-6, half of what a score may.
void table_tile(const ClassMatrix& classes, std::size_t dimension, const float* label_tile,
                std::vector<double>& scratch, float* tile);

/// out[c * 32] = the largest of tile[c * 32 ... + n_lanes) for each class: one lane of the level above.
void raise_maxima(const float* tile, std::size_t n_classes, std::size_t n_lanes, float* out);

}  // namespace conse
