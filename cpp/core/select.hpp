// Partial top-k selection of one row.
#pragma once

#include <cstdint>
#include <type_traits>
#include <vector>

#include "core/collector.hpp"
#include "core/few_best.hpp"
#include "core/select_many.hpp"
#include "kernels/kernels.hpp"

namespace conse {

/// What a row may hold; anything else is std::invalid_argument.
enum class Domain {
    ordered,  // no NaN
    finite,   // no NaN, no infinity
    weights,  // finite and not negative
};

/// Scratch of one thread for rows of this element type (float16 as bits).
template <class Element>
class Selector {
  public:
    using Value = std::conditional_t<std::is_same_v<Element, double>, double, float>;

    /// The k largest of row[0..n), ordered by (value descending, column ascending). `argument` and
    /// `row_number` are for messages.
    const std::vector<Entry<Value>>& select(const KernelTable& kernels, const Element* row, std::size_t n,
                                            std::size_t k, Domain domain, const char* argument, std::size_t row_number);

    /// The top_t largest as a Query takes them: the kBoundTerms largest in this order, the others by column.
    const std::vector<Entry<Value>>& select_terms(const KernelTable& kernels, const Element* row, std::size_t n,
                                                  std::size_t top_t, Domain domain, const char* argument,
                                                  std::size_t row_number);

    std::vector<Element> gathered;  // for rows that are not contiguous

  private:
    // At least k values of the row are not below it.
    static Value floor_of(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k, Domain domain,
                          const char* argument, std::size_t row_number);

    std::vector<Entry<Value>> few_;
    ManySelector<Element> many_;
    std::vector<std::uint32_t> columns_;
    std::vector<float> values_;  // of those columns
    Collector<Value> collector_;
};

}  // namespace conse
