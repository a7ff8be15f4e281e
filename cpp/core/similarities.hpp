// Class embedding . label embedding, for single labels.
#pragma once

#include <cstddef>
#include <vector>

#include "core/index_data.hpp"

namespace conse {

/// For one stored row at a time: the entry of the table that scores are sums of, or without a table the product in
/// float64. Scratch of one thread.
class Similarities {
  public:
    explicit Similarities(const IndexData& index) : index_(index) {}

    void of_row(std::size_t row);
    double operator()(std::size_t class_id) const {
        return index_.compact() ? product(class_id) : static_cast<double>(entries_[class_id * index_.table_stride()]);
    }

  private:
    double product(std::size_t class_id) const;

    const IndexData& index_;
    const float* entries_ = nullptr;  // of the row, table_stride() apart
    std::vector<double> label_;       // its embedding, in the compact form
};

}  // namespace conse
