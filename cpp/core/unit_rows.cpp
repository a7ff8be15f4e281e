#include "core/unit_rows.hpp"

#include <algorithm>
#include <cmath>

#include "core/arguments.hpp"
#include "core/chains.hpp"
#include "core/dtype.hpp"
#include "core/message.hpp"
#include "core/parallel.hpp"

namespace conse {
namespace {

template <class Element>
void read_row(const MatrixView& x, std::size_t r, double* out) {
    std::vector<Element> gathered;
    const Element* row = contiguous_row(x, r, gathered);
    for (std::size_t d = 0; d < x.columns; ++d) out[d] = static_cast<double>(value_of(row[d]));
}

// The largest magnitude of a row, whose values must be finite.
double largest_of(const double* row, std::size_t n, std::size_t r, const char* argument) {
    double largest[kChains] = {}, doubts[kChains] = {};  // 0, or NaN from the first NaN or infinity on
    in_chains(n, [&](std::size_t chain, std::size_t d) {
        const double value = std::abs(row[d]);
        largest[chain] = value > largest[chain] ? value : largest[chain];
        doubts[chain] += row[d] * 0.0;
    });
    if (sum_of(doubts) != 0) {
        const double* const bad = std::find_if_not(row, row + n, [](double value) { return std::isfinite(value); });
        invalid_argument(argument, "[", r, "] holds ", word_for(*bad), " at column ", bad - row,
                         "; expected finite numbers");
    }
    return *std::max_element(largest, largest + kChains);
}

}  // namespace

double read_unit_row(const MatrixView& x, std::size_t r, const char* argument, double* out) {
    const std::size_t n = x.columns;
    visit_dtype(x.dtype, [&](auto element) { read_row<decltype(element)>(x, r, out); });
    const double largest = largest_of(out, n, r, argument);
    if (largest == 0) return 0;
    int exponent;
    std::frexp(largest, &exponent);
    // Two powers of two, since one of the smallest numbers' would be infinite.
    const double half = std::ldexp(1, -exponent / 2), rest = std::ldexp(1, -exponent - -exponent / 2);
    double squares[kChains] = {};
    in_chains(n, [&](std::size_t chain, std::size_t d) {
        out[d] = out[d] * half * rest;
        squares[chain] += out[d] * out[d];
    });
    const double relative_length = std::sqrt(sum_of(squares));
    const double inverse = 1 / relative_length;
    for (std::size_t d = 0; d < n; ++d) out[d] *= inverse;
    return std::ldexp(relative_length, exponent);
}

UnitRows unit_rows(const MatrixView& x, const char* argument, bool normalize, const Execution& execution) {
    require_memory(argument, x);
    UnitRows unit{std::vector<float>(x.rows * x.columns), std::vector<double>(x.rows)};
    const Work work{x.rows, 0.005 * static_cast<double>(x.columns)};
    parallel_for(work, execution, [&](std::size_t begin, std::size_t end) {
        std::vector<double> row(x.columns);
        for (std::size_t r = begin; r < end; ++r) {
            const double length = unit.lengths[r] = read_unit_row(x, r, argument, row.data());
            if (!normalize && length != 0 && !(length >= 1e-15 && length <= 1e15)) {
                invalid_argument(argument, "[", r, "] has length ", length,
                                 "; without normalisation lengths must lie between 1e-15 and 1e15: scale them");
            }
            const double scale = normalize || length == 0 ? 1 : length;
            float* out = unit.data.data() + r * x.columns;
            for (std::size_t d = 0; d < x.columns; ++d) out[d] = static_cast<float>(row[d] * scale);
        }
    });
    return unit;
}

}  // namespace conse
