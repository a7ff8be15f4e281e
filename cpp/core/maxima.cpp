#include "core/maxima.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace conse {
namespace {

constexpr double kMostSteps = std::numeric_limits<std::int16_t>::max();

}  // namespace

int maxima_exponent(const std::vector<double>& class_lengths) {
    // The factor is for lengths of class and label that are 1 only up to the rounding of their elements.
    const double largest = 1.00001 * *std::max_element(class_lengths.begin(), class_lengths.end());
    return largest > 0 ? static_cast<int>(std::ceil(std::log2(largest / kMostSteps))) : 0;
}

void raise_block(const float* scores, std::size_t n_classes, std::size_t n_lanes, double step,
                 const MaximaLane& above) {
    for (std::size_t c = 0; c < n_classes && n_lanes > 0; ++c, scores += kBlockRows) {
        const double steps = std::ceil(static_cast<double>(*std::max_element(scores, scores + n_lanes)) / step);
        above.first[c * above.stride] = static_cast<std::int16_t>(std::clamp(steps, -kMostSteps, kMostSteps));
    }
}

void raise_level(const std::vector<std::size_t>& sizes, std::size_t level, std::size_t n_classes,
                 const std::int16_t* below, std::int16_t* above) {
    const std::size_t stride_below = lines_per_class(sizes[level - 1]) * kFanOut;
    const std::size_t stride = lines_per_class(sizes[level]) * kFanOut;
    for (std::size_t child = 0; child < sizes[level - 1]; ++child) {
        const std::size_t n_filled = std::min(kFanOut, sizes[level - 2] - child * kFanOut);
        raise_tile(below + child * kFanOut, stride_below, n_classes, n_filled, {above + child, stride});
    }
}

void raise_tile(const std::int16_t* tile, std::size_t stride, std::size_t n_classes, std::size_t n_lanes,
                const MaximaLane& above) {
    for (std::size_t c = 0; c < n_classes && n_lanes > 0; ++c, tile += stride) {
        above.first[c * above.stride] = *std::max_element(tile, tile + n_lanes);
    }
}

}  // namespace conse
