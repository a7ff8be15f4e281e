// From a dtype known at run time to an element type known to the compiler, and to plain numbers; and where rows lie.
#pragma once

#include <cstdint>
#include <vector>

#include "conse/matrix_view.hpp"
#include "kernels/half.hpp"
#include "kernels/kernels.hpp"

namespace conse {

/// Calls visitor with an Element{} of the view's type; float16 is given as its bits.
template <class Visitor>
decltype(auto) visit_dtype(DType dtype, Visitor&& visitor) {
    switch (dtype) {
        case DType::f16:
            return visitor(std::uint16_t{});
        case DType::f32:
            return visitor(float{});
        default:
            return visitor(double{});
    }
}

inline float value_of(std::uint16_t bits) {
    return half_to_float(bits);
}
inline float value_of(float x) {
    return x;
}
inline double value_of(double x) {
    return x;
}

/// Row r as contiguous elements: where it lies, or gathered into `buffer`.
template <class Element>
const Element* contiguous_row(const MatrixView& x, std::size_t r, std::vector<Element>& buffer) {
    const char* bytes = static_cast<const char*>(x.row(r));
    if (x.has_contiguous_rows()) return reinterpret_cast<const Element*>(bytes);
    buffer.resize(x.columns);
    for (Element& element : buffer) {
        element = *reinterpret_cast<const Element*>(bytes);
        bytes += x.column_stride;
    }
    return buffer.data();
}

/// Where rows [begin, end) lie; nowhere if so far apart, or the other way round, that most of what lies between is not
/// read.
inline Bytes bytes_of_rows(const MatrixView& x, std::size_t begin, std::size_t end) {
    const auto row_bytes = static_cast<std::ptrdiff_t>(x.columns * size_of(x.dtype));
    if (x.row_stride < 0 || x.row_stride >= 2 * row_bytes) return {};
    return {static_cast<const char*>(x.row(begin)), static_cast<const char*>(x.row(end))};
}

}  // namespace conse
