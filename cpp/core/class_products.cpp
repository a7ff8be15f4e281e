#include "core/class_products.hpp"

#include <algorithm>
#include <vector>

#include "core/parallel.hpp"

namespace conse {

// Sixteen classes at a time in place of a block of labels.
void fill_class_products(const ClassEmbeddings& classes, float* products, const Execution& execution) {
    const std::size_t n = classes.n_classes, dimension = classes.dimension;
    const ClassMatrix matrix = class_matrix(classes);
    const Work work{(n + kBlockRows - 1) / kBlockRows, 0.0025 * static_cast<double>(n * dimension)};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        std::vector<double> scratch;
        std::vector<float> block(dimension * kBlockRows), scores(n * kBlockRows);
        for (std::size_t first = begin * kBlockRows; first < std::min(n, end * kBlockRows); first += kBlockRows) {
            const std::size_t last = std::min(n, first + kBlockRows);
            for (std::size_t c = first; c < last; ++c) {
                for (std::size_t d = 0; d < dimension; ++d) {
                    block[d * kBlockRows + (c - first)] = classes.data[c * dimension + d];
                }
            }
            table_block(matrix, dimension, block.data(), scratch, scores.data());
            for (std::size_t c = first; c < last; ++c) {
                float* of_class = products + ClassEmbeddings::n_products(c);
                for (std::size_t other = 0; other <= c; ++other) {
                    of_class[other] = scores[other * kBlockRows + (c - first)];
                }
            }
        }
    });
}

}  // namespace conse
