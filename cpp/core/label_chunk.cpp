#include "core/label_chunk.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
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

DenseRows LabelChunk::rows_of(std::size_t begin, std::size_t end) const {
    return {labels_.view.row(begin), labels_.view.row_stride, end - begin, labels_.view.columns};
}

void LabelChunk::take(std::size_t begin, std::size_t end) {
    begin_ = begin;
    ids_ = nullptr;
    rows_ = rows_of(begin, end);
    lengths_ = lengths_of(begin);
}

void LabelChunk::gather(const std::int32_t* ids, std::size_t count) {
    begin_ = 0;
    ids_ = ids;
    const std::size_t row_bytes = labels_.view.columns * size_of(labels_.view.dtype);
    gathered_rows_.resize(count * row_bytes);
    gathered_lengths_.resize(labels_.lengths ? count : 0);
    for (std::size_t lane = 0; lane < count; ++lane) {
        std::memcpy(gathered_rows_.data() + lane * row_bytes, labels_.view.row(label_of(lane)), row_bytes);
        if (labels_.lengths) gathered_lengths_[lane] = labels_.lengths[label_of(lane)];
    }
    rows_ = {gathered_rows_.data(), static_cast<std::ptrdiff_t>(row_bytes), count, labels_.view.columns};
    lengths_ = labels_.lengths ? gathered_lengths_.data() : nullptr;
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
    gather(ids, count);
    score(query, floor, scores, masks);
}

void LabelChunk::score(const float* query, float floor, float* scores, std::uint16_t* masks) {
    const auto kernel = labels_.view.dtype == DType::f16 ? kernels_.dots_f16 : kernels_.dots_f32;
    kernel(query, rows_, scores, squared_lengths_.data());
    make_factors();
    kernels_.scale(scores, factors_.data()->lanes, n_tiles_ * kDenseLanes, floor, scores, masks);
}

void LabelChunk::screen(std::size_t begin, std::size_t end, const float* query, float floor, float margin,
                        std::vector<std::int32_t>& ids) {
    const auto kernel = labels_.view.dtype == DType::f16 ? kernels_.screen_f16 : kernels_.screen_f32;
    screened_.resize((end - begin + kDenseLanes - 1) / kDenseLanes);
    kernel(query, rows_of(begin, end), lengths_of(begin), floor, margin, screened_.data());
    for (std::size_t tile = 0; tile < screened_.size(); ++tile) {
        for (std::uint32_t mask = screened_[tile]; mask != 0; mask &= mask - 1) {
            const std::size_t label = begin + tile * kDenseLanes + static_cast<std::size_t>(__builtin_ctz(mask));
            if (label < end) ids.push_back(static_cast<std::int32_t>(label));
        }
    }
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
