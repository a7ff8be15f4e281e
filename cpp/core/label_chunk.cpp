#include "core/label_chunk.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/message.hpp"
#include "core/unit_rows.hpp"

namespace conse {
namespace {

bool fits_float32(double length) {
    return length >= kShortestFloat32 && length <= kLongestFloat32;
}

}  // namespace

void refuse_length(const char* argument, std::size_t row, double given, double length) {
    invalid_argument(argument, "[", row, "] is ", given, " but the row's length is ", length,
                     "; scores by the given length leave float32");
}

LabelChunk::LabelChunk(const KernelTable& kernels, const LabelRows& labels, std::size_t most)
    : labels_(labels),
      pack_(labels.view.dtype == DType::f16 ? kernels.pack_f16 : kernels.pack_f32),
      factors_((most + kDenseLanes - 1) / kDenseLanes) {
    lines_.resize(factors_.size() * labels.view.columns);
}

void LabelChunk::pack(std::size_t begin, std::size_t end, bool more) {
    const MatrixView& view = labels_.view;
    begin_ = begin;
    n_tiles_ = (end - begin + kDenseLanes - 1) / kDenseLanes;
    extremes_.clear();
    for (std::size_t tile = 0; tile < n_tiles_; ++tile) {
        const std::size_t first = begin + tile * kDenseLanes, count = std::min(kDenseLanes, end - first);
        const std::size_t after = more ? view.rows : end;
        double squared_lengths[kDenseLanes];
        pack_(view.row(first), view.row_stride, count, view.columns, first + 2 * kDenseLanes <= after,
              lines_.data()->lanes + tile * view.columns * kDenseLanes, squared_lengths);
        for (std::size_t lane = 0; lane < kDenseLanes; ++lane) {
            factors_[tile].lanes[lane] =
                lane < count ? factor_of(first + lane, squared_lengths[lane]) : std::numeric_limits<float>::quiet_NaN();
        }
    }
}

DenseTiles LabelChunk::tiles() const {
    return {lines_.data()->lanes, n_tiles_, labels_.view.columns, factors_.data()->lanes};
}

// NaN keeps a label out of every ranking, but for the extremes.
float LabelChunk::factor_of(std::size_t label, double squared_length) {
    const double length = std::sqrt(squared_length), given = labels_.lengths ? labels_.lengths[label] : length;
    const bool zero = given == 0;
    // The last condition leaves a factor of 1e8 for queries that are longer than 1.
    const bool usual = fits_float32(given) && (length == 0 || fits_float32(length)) && length <= 1e30 * given;
    if (!zero && !usual) extremes_.push_back(label);
    return usual ? static_cast<float>(1 / given) : std::numeric_limits<float>::quiet_NaN();
}

float LabelChunk::score_in_float64(const float* query, std::size_t label) {
    row_.resize(labels_.view.columns);
    const double length = read_unit_row(labels_.view, label, labels_.argument, row_.data());
    double dot = 0;
    for (std::size_t d = 0; d < row_.size(); ++d) dot += static_cast<double>(query[d]) * row_[d];
    if (labels_.lengths == nullptr) return static_cast<float>(dot);
    const auto score = static_cast<float>(dot * (length / labels_.lengths[label]));
    if (!std::isfinite(score)) refuse_length("label_lengths", label, labels_.lengths[label], length);
    return score;
}

}  // namespace conse
