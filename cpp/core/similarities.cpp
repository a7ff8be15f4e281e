#include "core/similarities.hpp"

#include <Eigen/Core>

namespace conse {

void Similarities::of_row(std::size_t row) {
    const std::size_t block = row / kBlockRows, lane = row % kBlockRows;
    if (!index_.compact()) {
        entries_ = index_.table_block(block) + lane;
        return;
    }
    label_.resize(index_.classes.dimension);
    for (std::size_t d = 0; d < label_.size(); ++d) {
        label_[d] = static_cast<double>(index_.label_block(block)[d * kBlockRows + lane]);
    }
}

double Similarities::product(std::size_t class_id) const {
    const auto size = static_cast<Eigen::Index>(label_.size());
    const Eigen::Map<const Eigen::VectorXf> embedding(index_.classes.data + class_id * label_.size(), size);
    return embedding.cast<double>().dot(Eigen::Map<const Eigen::VectorXd>(label_.data(), size));
}

}  // namespace conse
