#include "core/unit_rows.hpp"

#include <algorithm>
#include <cmath>

#include "core/dtype.hpp"
#include "core/message.hpp"
#include "core/parallel.hpp"

namespace conse {
namespace {

template <class Element>
void read_row(const MatrixView& x, std::size_t r, double* out) {
    const char* bytes = static_cast<const char*>(x.row(r));
    for (std::size_t d = 0; d < x.columns; ++d, bytes += x.column_stride) {
        out[d] = static_cast<double>(value_of(*reinterpret_cast<const Element*>(bytes)));
    }
}

}  // namespace

double read_unit_row(const MatrixView& x, std::size_t r, const char* argument, double* out) {
    visit_dtype(x.dtype, [&](auto element) { read_row<decltype(element)>(x, r, out); });
    double largest = 0;
    for (std::size_t d = 0; d < x.columns; ++d) {
        if (!std::isfinite(out[d])) {
            invalid_argument(argument, "[", r, "] holds ", word_for(out[d]), " at column ", d,
                             "; expected finite numbers");
        }
        largest = std::max(largest, std::abs(out[d]));
    }
    if (largest == 0) return 0;
    double squares = 0;
    for (std::size_t d = 0; d < x.columns; ++d) {
        out[d] /= largest;
        squares += out[d] * out[d];
    }
    const double relative_length = std::sqrt(squares);
    for (std::size_t d = 0; d < x.columns; ++d) out[d] /= relative_length;
    return relative_length * largest;
}

UnitRows unit_rows(const MatrixView& x, const char* argument, bool normalize, const Execution& execution) {
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
