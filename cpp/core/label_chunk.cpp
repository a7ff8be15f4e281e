#include "core/label_chunk.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/message.hpp"
#include "core/unit_rows.hpp"

namespace conse {

void refuse_length(const char* argument, std::size_t row, double given, double length) {
    invalid_argument(argument, "[", row, "] is ", given, " but the row's length is ", length,
                     "; scores by the given length leave float32");
}

LabelChunk::LabelChunk(const KernelTable& kernels, const LabelRows& labels, std::size_t most)
    : kernels_(kernels),
      labels_(labels),
      factors_((most + kDenseLanes - 1) / kDenseLanes),
      squared_lengths_(factors_.size() * kDenseLanes) {}

DenseRows LabelChunk::take(std::size_t begin, std::size_t end) {
    begin_ = begin;
    n_tiles_ = (end - begin + kDenseLanes - 1) / kDenseLanes;
    extremes_.clear();
    return {labels_.view.row(begin), labels_.view.row_stride, end - begin, labels_.view.columns};
}

void LabelChunk::pack(std::size_t begin, std::size_t end) {
    const auto kernel = labels_.view.dtype == DType::f16 ? kernels_.pack_f16 : kernels_.pack_f32;
    const DenseRows rows = take(begin, end);
    lines_.resize(factors_.size() * rows.dimension);
    kernel(rows, lines_.data()->lanes, squared_lengths_.data());
    make_factors(end);
}

DenseTiles LabelChunk::tiles() const {
    return {lines_.data()->lanes, n_tiles_, labels_.view.columns, factors_.data()->lanes};
}

void LabelChunk::score(std::size_t begin, std::size_t end, const float* query, float floor, float* scores,
                       std::uint16_t* masks) {
    const auto kernel = labels_.view.dtype == DType::f16 ? kernels_.dots_f16 : kernels_.dots_f32;
    kernel(query, take(begin, end), scores, squared_lengths_.data());
    make_factors(end);
    kernels_.scale(scores, factors_.data()->lanes, n_tiles_ * kDenseLanes, floor, scores, masks);
}

// A factor of NaN keeps a label out of what the kernels find.
void LabelChunk::make_factors(std::size_t end) {
    const std::size_t count = end - begin_;
    float* factors = factors_.data()->lanes;
    const double* squares = squared_lengths_.data();
    const bool usual =
        labels_.lengths != nullptr && kernels_.invert_given(labels_.lengths + begin_, squares, count, factors);
    if (!usual && (!kernels_.invert_lengths(squares, n_tiles_ * kDenseLanes, factors) || labels_.lengths != nullptr)) {
        for (std::size_t i = 0; i < count; ++i) correct_factor(i);
    }
    std::fill(factors + count, factors + n_tiles_ * kDenseLanes, std::numeric_limits<float>::quiet_NaN());
}

void LabelChunk::correct_factor(std::size_t i) {
    float& factor = factors_.data()->lanes[i];
    const double squares = squared_lengths_[i];
    bool usual = !std::isnan(factor);
    if (labels_.lengths != nullptr) {
        constexpr double kLargestSquare = kLargestFactor * kLargestFactor;  // leaves 1e7 for queries longer than 1
        const double inverse = 1 / labels_.lengths[begin_ + i];
        usual = (usual || squares == 0) && inverse >= kLeastFactor && inverse <= kLargestFactor &&
                squares * inverse * inverse <= kLargestSquare;
        factor = usual ? static_cast<float>(inverse) : std::numeric_limits<float>::quiet_NaN();
    }
    if (!usual && !is_zero(begin_ + i)) extremes_.push_back(begin_ + i);
}

bool LabelChunk::is_zero(std::size_t label) const {
    return labels_.lengths ? labels_.lengths[label] == 0 : squared_lengths_[label - begin_] == 0;
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
