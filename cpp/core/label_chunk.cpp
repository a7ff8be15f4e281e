#include "core/label_chunk.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/dtype.hpp"
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

void LabelChunk::take(std::size_t begin, std::size_t end) {
    begin_ = begin;
    rows_ = labels_.rows_of(begin, end);
    lengths_ = labels_.lengths_from(begin);
}

void LabelChunk::take(const std::int32_t* ids, std::size_t count) {
    begin_ = 0;
    rows_ = labels_.rows_of(0, count);
    rows_.ids = ids;
    chosen_lengths_.resize(labels_.lengths ? count : 0);
    for (std::size_t i = 0; i < chosen_lengths_.size(); ++i) chosen_lengths_[i] = labels_.lengths[ids[i]];
    lengths_ = labels_.lengths ? chosen_lengths_.data() : nullptr;
}

void LabelChunk::pack(std::size_t begin, std::size_t end, std::size_t soon) {
    const auto kernel = labels_.view.dtype == DType::f16 ? kernels_.pack_f16 : kernels_.pack_f32;
    take(begin, end);
    next_ = bytes_of_rows(labels_.view, end, soon);
    lines_.resize(factors_.size() * rows_.dimension);
    kernel(rows_, lines_.data()->lanes, squared_lengths_.data());
    make_factors();
}

void LabelChunk::score(std::size_t begin, std::size_t end, const float* query, float floor, float* scores,
                       std::uint16_t* masks) {
    take(begin, end);
    score(query, floor, scores, masks);
}

void LabelChunk::score(const std::int32_t* ids, std::size_t count, const float* query, float floor, float* scores,
                       std::uint16_t* masks) {
    take(ids, count);
    score(query, floor, scores, masks);
}

void LabelChunk::score(const float* query, float floor, float* scores, std::uint16_t* masks) {
    const auto kernel = labels_.view.dtype == DType::f16 ? kernels_.dots_f16 : kernels_.dots_f32;
    kernel(query, rows_, scores, squared_lengths_.data());
    make_factors();
    kernels_.scale(scores, factors_.data()->lanes, n_tiles_ * kDenseLanes, floor, scores, masks);
}

// A factor of NaN keeps a label out of what the kernels find.
void LabelChunk::make_factors() {
    const std::size_t count = rows_.count;
    n_tiles_ = (count + kDenseLanes - 1) / kDenseLanes;
    extremes_.clear();
    float* factors = factors_.data()->lanes;
    const double* squares = squared_lengths_.data();
    const bool usual = lengths_ != nullptr && kernels_.invert_given(lengths_, squares, count, factors);
    if (!usual && (!kernels_.invert_lengths(squares, n_tiles_ * kDenseLanes, factors) || lengths_ != nullptr)) {
        for (std::size_t lane = 0; lane < count; ++lane) correct_factor(lane);
    }
    std::fill(factors + count, factors + n_tiles_ * kDenseLanes, std::numeric_limits<float>::quiet_NaN());
}

void LabelChunk::correct_factor(std::size_t lane) {
    float& factor = factors_.data()->lanes[lane];
    const double squares = squared_lengths_[lane];
    bool usual = !std::isnan(factor);
    if (lengths_ != nullptr) {
        constexpr double kLargestSquare = kLargestFactor * kLargestFactor;  // leaves 1e7 for queries longer than 1
        const double inverse = 1 / lengths_[lane];
        usual = (usual || squares == 0) && inverse >= kLeastFactor && inverse <= kLargestFactor &&
                squares * inverse * inverse <= kLargestSquare;
        factor = usual ? static_cast<float>(inverse) : std::numeric_limits<float>::quiet_NaN();
    }
    if (!usual && !is_zero(lane)) extremes_.push_back(label_of(lane));
}

bool LabelChunk::is_zero(std::size_t lane) const {
    return lengths_ ? lengths_[lane] == 0 : squared_lengths_[lane] == 0;
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
