// Labels as `cosine_rank` is given them, some of them at a time as the kernels read them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "conse/matrix_view.hpp"
#include "core/line.hpp"
#include "kernels/kernels.hpp"

namespace conse {

struct LabelRows {
    const char* argument;  // what the caller calls them
    const MatrixView& view;
    const double* lengths;  // or null: those of the rows

    DenseRows rows_of(std::size_t begin, std::size_t end) const {
        return {view.row(begin), view.row_stride, end - begin, view.columns};
    }
    const double* lengths_from(std::size_t begin) const { return lengths ? lengths + begin : nullptr; }
};

/// "label_lengths[3] is ...": a score by this length is more than float32 can hold.
[[noreturn]] void refuse_length(const char* argument, std::size_t row, double given, double length);

/// Some labels, each with the factor that brings it to length 1. Scratch of one thread.
class LabelChunk {
  public:
    LabelChunk(const KernelTable& kernels, const LabelRows& labels, std::size_t most);

    /// Packs the labels [begin, end), at most as many as it was made for, into tiles; those up to `soon` come next.
    void pack(std::size_t begin, std::size_t end, std::size_t soon);
    DenseTiles tiles() const {
        return {lines_.data()->lanes, n_tiles_, rows_.dimension, factors_.data()->lanes, next_};
    }

    /// Reads the labels for one query alone: its scores and masks, as score_queries gives them for tiles.
    void score(std::size_t begin, std::size_t end, const float* query, float floor, float* scores,
               std::uint16_t* masks);
    /// The same for labels that do not follow each other; `ids` must live as long as what is asked about them.
    void score(const std::int32_t* ids, std::size_t count, const float* query, float floor, float* scores,
               std::uint16_t* masks);

    /// What the lanes hold: labels from the first on, or of those ids.
    std::size_t first_label() const { return begin_; }
    const std::int32_t* ids() const { return rows_.ids; }
    std::size_t n_tiles() const { return n_tiles_; }

    /// Labels that the kernels cannot score: too long or too short for float32, or not finite. Ascending.
    const std::vector<std::size_t>& extremes() const { return extremes_; }

    /// Whether the label of a lane has no direction and never ranks.
    bool is_zero(std::size_t lane) const;

    /// Scores a label, which must be finite, in float64.
    float score_in_float64(const float* query, std::size_t label);

  private:
    void take(std::size_t begin, std::size_t end);
    void take(const std::int32_t* ids, std::size_t count);
    void score(const float* query, float floor, float* scores, std::uint16_t* masks);
    void make_factors();
    void correct_factor(std::size_t lane);
    std::size_t label_of(std::size_t lane) const {
        return rows_.ids ? static_cast<std::size_t>(rows_.ids[lane]) : begin_ + lane;
    }

    const KernelTable& kernels_;
    LabelRows labels_;
    std::size_t begin_ = 0, n_tiles_ = 0;
    DenseRows rows_{};                 // of the lanes
    const double* lengths_ = nullptr;  // of the lanes, where they are given
    Bytes next_;                       // rows that will be packed next
    std::vector<double> chosen_lengths_;
    std::vector<Line> lines_;    // (tiles, dimension)
    std::vector<Line> factors_;  // (tiles)
    std::vector<double> squared_lengths_;
    std::vector<std::size_t> extremes_;
    std::vector<double> row_;
};

}  // namespace conse
