// What labels cost the searches that read their blocks, class by class.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace conse {

/// What a row, or a block of rows, costs its group if its class has no higher one there.
struct Term {
    std::uint32_t class_id = 0;
    float cost = 0;
};

/// The highest terms of several rows or blocks, as many of each; those that one has not cost nothing.
class TermTable {
  public:
    TermTable(std::size_t n, std::size_t width) : width_(width), terms_(n * width) {}

    /// Reorders `terms`.
    void set(std::size_t i, std::vector<Term>& terms) {
        const std::size_t n = std::min(width_, terms.size());
        const auto end = terms.begin() + static_cast<std::ptrdiff_t>(n);
        std::nth_element(terms.begin(), end, terms.end(), [](const Term& a, const Term& b) { return a.cost > b.cost; });
        std::copy(terms.begin(), end, terms_.begin() + static_cast<std::ptrdiff_t>(i * width_));
    }

    struct Terms {
        const Term *first, *last;

        const Term* begin() const { return first; }
        const Term* end() const { return last; }
    };
    Terms operator[](std::size_t i) const { return {&terms_[i * width_], &terms_[i * width_] + width_}; }

  private:
    std::size_t width_;
    std::vector<Term> terms_;
};

}  // namespace conse
