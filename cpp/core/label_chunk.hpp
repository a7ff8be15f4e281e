// Labels as `cosine_rank` is given them, some of them at a time as the kernels read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conse/matrix_view.hpp"
#include "kernels/kernels.hpp"

namespace conse {

struct LabelRows {
    const char* argument;  // what the caller calls them
    const MatrixView& view;
    const double* lengths;  // or null: those of the rows
};

/// Float32 products are exact enough between these lengths; outside, float64 takes over.
constexpr double kShortestFloat32 = 1e-30, kLongestFloat32 = 1e30;

/// "label_lengths[3] is ...": a score by this length is more than float32 can hold.
[[noreturn]] void refuse_length(const char* argument, std::size_t row, double given, double length);

/// Consecutive labels packed into tiles, each with the factor that brings it to length 1. Scratch of one thread.
class LabelChunk {
  public:
    LabelChunk(const KernelTable& kernels, const LabelRows& labels, std::size_t most);

    /// Takes the labels [begin, end), at most as many as it was made for. `more`: those that follow come next.
    void pack(std::size_t begin, std::size_t end, bool more);

    DenseTiles tiles() const;
    std::size_t first_label() const { return begin_; }

    /// Labels that the kernels cannot score: too long or too short for float32, or not finite. Ascending.
    const std::vector<std::size_t>& extremes() const { return extremes_; }

    /// Scores a label, which must be finite, in float64.
    float score_in_float64(const float* query, std::size_t label);

  private:
    struct alignas(64) Line {
        float lanes[kDenseLanes];
    };

    float factor_of(std::size_t label, double squared_length);

    LabelRows labels_;
    decltype(KernelTable::pack_f32) pack_;
    std::size_t begin_ = 0, n_tiles_ = 0;
    std::vector<Line> lines_;    // (tiles, dimension)
    std::vector<Line> factors_;  // (tiles)
    std::vector<std::size_t> extremes_;
    std::vector<double> row_;
};

}  // namespace conse
