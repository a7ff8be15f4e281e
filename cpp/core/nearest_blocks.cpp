#include "core/nearest_blocks.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace conse {

void fill_nearest_blocks(const std::int16_t* maxima, std::size_t stride, std::size_t n_classes, std::size_t n_blocks,
                         std::int32_t* nearest, std::int16_t* nearest_maxima) {
    std::vector<std::int32_t> order(n_blocks);
    for (std::size_t c = 0; c < n_classes; ++c, maxima += stride) {
        std::iota(order.begin(), order.end(), 0);
        const auto end = order.begin() + NearestBlocks::kCount;
        std::partial_sort(order.begin(), end, order.end(), [&](std::int32_t a, std::int32_t b) {
            return maxima[a] != maxima[b] ? maxima[a] > maxima[b] : a < b;
        });
        nearest = std::copy(order.begin(), end, nearest);
        nearest_maxima = std::transform(order.begin(), end, nearest_maxima, [&](std::int32_t b) { return maxima[b]; });
    }
}

}  // namespace conse
