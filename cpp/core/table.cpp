#include "core/table.hpp"

#include <Eigen/Core>

namespace conse {
namespace {

constexpr int kLanes = static_cast<int>(kBlockRows);
using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Block = Eigen::Matrix<double, Eigen::Dynamic, kLanes, Eigen::RowMajor>;
using FloatBlock = Eigen::Matrix<float, Eigen::Dynamic, kLanes, Eigen::RowMajor>;

}  // namespace

ClassMatrix class_matrix(const ClassEmbeddings& classes) {
    return {classes.data, classes.data + classes.n_classes * classes.dimension};
}

void table_block(const ClassMatrix& classes, std::size_t dimension, const float* labels, std::vector<double>& scratch,
                 float* scores) {
    const auto n_classes = static_cast<Eigen::Index>(classes.size() / dimension);
    const auto n_dimensions = static_cast<Eigen::Index>(dimension);
    scratch.resize((classes.size() / dimension + dimension) * kBlockRows);
    Eigen::Map<Block> products(scratch.data(), n_classes, kLanes);
    Eigen::Map<Block> unit_labels(scratch.data() + n_classes * kLanes, n_dimensions, kLanes);
    unit_labels = Eigen::Map<const FloatBlock>(labels, n_dimensions, kLanes).cast<double>();
    products.noalias() = Eigen::Map<const RowMajor>(classes.data(), n_classes, n_dimensions) * unit_labels;
    Eigen::Map<FloatBlock>(scores, n_classes, kLanes) = products.cast<float>();
}

}  // namespace conse
