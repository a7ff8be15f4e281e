// The blocks nearest to the first class of a query, and whether they are all that matters.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/ask_for_line.hpp"
#include "core/index_data.hpp"
#include "core/nearest_blocks.hpp"
#include "core/query.hpp"

namespace conse {

/// Where f hardly differs from its first class s, that class alone says which labels can be among the best. With
/// u = f / ||f||, t the angle between u and s, and x = cos(s, l), a unit label l has
///     u . l <= cos t x + sin t sqrt(1 - x^2)   while x <= cos t, and at most 1 beyond,
/// which grows with x: no block scores higher than its maximum allows, nor higher than a nearer one.
class NearSearch {
  public:
    enum class Step : std::uint8_t { score, done, leave };

    /// Asks for what begin() will read of a query whose length is not known yet.
    static void prefetch(const IndexData& index, const Query& query) {
        if (index.nearest.blocks == nullptr || query.classes().empty()) return;
        const std::size_t at = query.classes().front() * NearestBlocks::kCount;
        ask_for_line(index.nearest.blocks + at);
        ask_for_line(index.nearest.maxima + at);
    }

    /// Asks for what the first blocks' scores will take from the table, before begin() finds out whether they are all
    /// that matters: a row alone takes 0.91 of the time (300 dimensions; 0.92 with two blocks, and with four no less).
    static void prefetch_scores(const IndexData& index, const Query& query) {
        if (index.nearest.blocks == nullptr || query.classes().empty()) return;
        const std::int32_t* blocks = index.nearest.blocks + query.classes().front() * NearestBlocks::kCount;
        for (std::size_t i = 0; i < kAskedFor; ++i) {
            const auto block = static_cast<std::size_t>(blocks[i]);
            if (block >= index.n_blocks) return;  // in a damaged file
            ask_for_lines(index.table_block(block), index.table_stride(), query.classes());
        }
    }

    void reset() { n_visited_ = 0; }

    /// False where it cannot tell anything. `slack`: by how much a score may exceed what it would be without roundings.
    bool begin(const IndexData& index, const Query& query, double slack) {
        const std::uint32_t first = query.classes().front();
        const double length = index.class_lengths[first];
        if (index.nearest.blocks == nullptr || !(length > 0)) return false;
        const double exact = query.product_with_first(index.classes) / (query.length() * length);
        const double cosine = exact - kCosineError;
        if (!(cosine >= 0 && cosine <= 1)) return false;
        n_blocks_ = static_cast<std::uint32_t>(index.n_distinct_blocks());
        blocks_ = index.nearest.blocks + first * NearestBlocks::kCount;
        const std::int16_t* maxima = index.nearest.maxima + first * NearestBlocks::kCount;
        const auto c = static_cast<float>(cosine), s = static_cast<float>(std::sqrt(1 - cosine * cosine));
        const auto step = static_cast<float>(static_cast<double>(index.maxima_step) / length);
        const auto margin = static_cast<float>(slack + kRounding);
        for (std::size_t i = 0; i < NearestBlocks::kCount; ++i) {
            const float x = static_cast<float>(maxima[i]) * step;
            bounds_[i] = x > c ? kBeyond : c * x + s * std::sqrt(std::max(0.0f, 1 - x * x)) + margin;
        }
        return true;
    }

    /// The next block, unless those before it have settled the search, or the tiles will do so sooner.
    Step step(float lowest_bound, std::uint32_t* block) {
        if (!(bounds_[n_visited_] >= lowest_bound)) return Step::done;
        if (n_visited_ >= kTrials && bounds_[kMost] >= lowest_bound) return Step::leave;
        *block = static_cast<std::uint32_t>(blocks_[n_visited_]);
        if (*block >= n_blocks_) return Step::leave;  // in a damaged file
        ++n_visited_;
        return Step::score;
    }

    std::size_t n_visited() const { return n_visited_; }
    std::uint32_t visited(std::size_t i) const { return static_cast<std::uint32_t>(blocks_[i]); }

  private:
    // The products of classes are rounded to float32, and the length of f that comes of them may be off by 2.4e-7 of
    // itself. A bound takes seven operations in float32, and lengths of 1 are 1 up to the rounding of their elements.
    static constexpr double kCosineError = 1e-6, kRounding = 2e-6;
    static constexpr float kBeyond = 2;
    // Blocks that are scored in any case, and so many that the tiles are sooner done. A row alone takes 1.02 to 1.06
    // times as long with 1 and 12 or 8, and as long within 0.02 with 3 and 12 or 2 and 15.
    static constexpr std::size_t kTrials = 2, kMost = 12;
    static constexpr std::size_t kAskedFor = 3;

    alignas(64) float bounds_[NearestBlocks::kCount];
    const std::int32_t* blocks_ = nullptr;
    std::uint32_t n_blocks_ = 0;
    std::size_t n_visited_ = 0;
};

}  // namespace conse
