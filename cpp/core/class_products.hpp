// The products of all pairs of class embeddings, from which the length of f follows without f.
#pragma once

#include <cstddef>

#include "conse/execution.hpp"
#include "core/query.hpp"
#include "core/table.hpp"

namespace conse {

/// Up to so many classes: 34 MB of products. (With as many, and ten of them that are unlike each other, a query still
/// takes 0.95 of the time; a file should not double for it.)
inline constexpr std::size_t kMostClassesWithProducts = 4096;

/// Whether an index with a table holds the products of its classes: where they pay for ten kept ones.
inline bool products_pay(std::size_t n_classes, std::size_t dimension) {
    constexpr std::size_t kUsualTerms = 10;
    return n_classes <= kMostClassesWithProducts && products_are_shorter(kUsualTerms, dimension);
}

/// Fills `products` as ClassEmbeddings::products describes them, computed in float64 and rounded once.
void fill_class_products(const ClassEmbeddings& classes, float* products, const Execution& execution);

}  // namespace conse
