#include "core/table.hpp"

#include <algorithm>

#include <Eigen/Core>

namespace conse {
namespace {

constexpr int kLanes = static_cast<int>(kTileLanes);
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Tile = Eigen::Matrix<double, Eigen::Dynamic, kLanes, Eigen::RowMajor>;
using FloatTile = Eigen::Matrix<float, Eigen::Dynamic, kLanes, Eigen::RowMajor>;

}  // namespace

ClassMatrix class_matrix(const ClassEmbeddings& classes) {
    return {classes.data, classes.data + classes.n_classes * classes.dimension};
}

void table_tile(const ClassMatrix& classes, std::size_t dimension, const float* label_tile,
                std::vector<double>& scratch, float* tile) {
    const auto n_classes = static_cast<Eigen::Index>(classes.size() / dimension);
    const auto n_dimensions = static_cast<Eigen::Index>(dimension);
    scratch.resize((classes.size() / dimension + dimension) * kTileLanes);
    Eigen::Map<Tile> scores(scratch.data(), n_classes, kLanes);
    Eigen::Map<Tile> labels(scratch.data() + n_classes * kLanes, n_dimensions, kLanes);
    labels = Eigen::Map<const FloatTile>(label_tile, n_dimensions, kLanes).cast<double>();
    scores.noalias() = Eigen::Map<const RowMajor>(classes.data(), n_classes, n_dimensions) * labels;
    Eigen::Map<FloatTile>(tile, n_classes, kLanes) = scores.cast<float>();
}

void raise_maxima(const float* tile, std::size_t n_classes, std::size_t n_lanes, float* out) {
    for (std::size_t c = 0; c < n_classes && n_lanes > 0; ++c) {
        out[c * kTileLanes] = *std::max_element(tile + c * kTileLanes, tile + c * kTileLanes + n_lanes);
    }
}

}  // namespace conse
