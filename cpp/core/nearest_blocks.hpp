// For each class the blocks that its own best labels lie in.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conse {

struct NearestBlocks {
    static constexpr std::size_t kCount = 16;  // a line of each; a near search reads as many as it has use for

    const std::int32_t* blocks = nullptr;  // (n_classes, kCount), those with the highest maxima first; null: not known
    const std::int16_t* maxima = nullptr;  // (n_classes, kCount)
};

/// Whether an index of so many blocks holds them: not when they would be all.
inline bool has_nearest_blocks(std::size_t n_blocks) {
    return n_blocks > NearestBlocks::kCount;
}

/// From the first level of maxima: those of `n_blocks` blocks for each class, `stride` apart. Of equal maxima those of
/// the first blocks.
void fill_nearest_blocks(const std::int16_t* maxima, std::size_t stride, std::size_t n_classes, std::size_t n_blocks,
                         std::int32_t* nearest, std::int16_t* nearest_maxima);

}  // namespace conse
