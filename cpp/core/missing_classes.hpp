// Classes without a vector whose place among the kept ones the next classes take.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/dtype.hpp"
#include "core/query.hpp"

namespace conse {

namespace detail {

template <class Element>
constexpr Element lowest() {
    return std::numeric_limits<Element>::lowest();
}
template <>
constexpr std::uint16_t lowest<std::uint16_t>() {
    return 0xfbff;  // -65504 as float16
}

}  // namespace detail

/// Row r of x as selection has to see it, whichever row is asked of the view: classes to be refilled are zero, or the
/// lowest number where there are negative ones. What is no valid value stays, so that selection finds and names it. The
/// row is copied into `scratch`, other rows are not.
template <class Element>
MatrixView without_missing(const MatrixView& x, std::size_t r, const ClassEmbeddings& classes, bool any_sign,
                           std::vector<Element>& scratch) {
    const Element* row = contiguous_row(x, r, scratch);
    if (row != scratch.data()) scratch.assign(row, row + x.columns);
    for (std::size_t i = 0; i < classes.n_refilled; ++i) {
        const std::uint32_t c = classes.refilled[i];
        const auto value = value_of(scratch[c]);
        if (std::isfinite(value) && (any_sign || value >= 0)) {
            scratch[c] = any_sign ? detail::lowest<Element>() : Element{};
        }
    }
    return {scratch.data(), x.dtype, x.rows, x.columns, 0, sizeof(Element)};
}

}  // namespace conse
