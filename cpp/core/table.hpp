// The scores of classes against labels that an index is built from: computed in float64, rounded once.
#pragma once

#include <vector>

#include "core/query.hpp"

namespace conse {

/// Class embeddings in float64, (classes, dimension), C-contiguous.
using ClassMatrix = std::vector<double>;
ClassMatrix class_matrix(const ClassEmbeddings& classes);

/// scores[c * 16 + lane] = class c . label `lane` of the block; `labels` is (dimension, 16). `scratch` is
/// reused by the calls of one thread. A float32 product would err by 1e-6, half of what a score may.
void table_block(const ClassMatrix& classes, std::size_t dimension, const float* labels, std::vector<double>& scratch,
                 float* scores);

}  // namespace conse
