// One row of a classifier's output, turned into a Query.
#pragma once

#include <algorithm>
#include <array>

#include "conse/matrix_view.hpp"
#include "core/directions.hpp"
#include "core/dtype.hpp"
#include "core/missing_classes.hpp"
#include "core/query.hpp"
#include "core/select.hpp"

namespace conse {

/// Microseconds that selection and combination take per row; only the sharing of work over threads uses it.
inline double query_microseconds(std::size_t n_columns, std::size_t top_t, std::size_t dimension) {
    return 0.5 + 0.0005 * static_cast<double>(n_columns) + 0.0001 * static_cast<double>(top_t * dimension);
}

/// Asks for row r while something else is computed: a row is about one page, and the hardware's own prefetching
/// stops at page borders.
inline void prefetch_row(const MatrixView& x, std::size_t r) {
    constexpr std::size_t kLine = 64, kMost = 8192;
    if (r >= x.rows || !x.has_contiguous_rows()) return;
    const char* row = static_cast<const char*>(x.row(r));
    const std::size_t n_bytes = std::min(kMost, x.columns * size_of(x.dtype));
    for (std::size_t i = 0; i < n_bytes; i += kLine) __builtin_prefetch(row + i);
}

/// The top_t of row r, selected, while the next row is on its way. `argument` is for messages.
template <class Element>
const auto& kept_of_row(const KernelTable& kernels, const MatrixView& x, std::size_t r, std::size_t top_t,
                        Domain domain, const char* argument) {
    thread_local Selector<Element> selector;
    const Element* row = contiguous_row(x, r, selector.gathered);
    const auto& kept = selector.select_terms(kernels, row, x.columns, top_t, domain, argument, r);
    prefetch_row(x, r + 1);
    return kept;
}

/// Selects the top_t of row r of probabilities for query, not yet combined.
template <class Element>
void query_of_row(const KernelTable& kernels, const MatrixView& probabilities, std::size_t r, std::size_t top_t,
                  const ClassEmbeddings& classes, Query& query) {
    constexpr const char* kArgument = "probabilities";
    if (!combines_all(classes, top_t)) {
        query.set_weights(kept_of_row<Element>(kernels, probabilities, r, top_t, Domain::weights, kArgument));
        return;
    }
    thread_local Selector<Element> selector;
    const Element* row = contiguous_row(probabilities, r, selector.gathered);
    query.set_all_weights(
        selector.select(kernels, row, probabilities.columns, kBoundTerms, Domain::weights, kArgument, r), row,
        probabilities.columns);
}

/// Calls use(r, query) for each row of probabilities from begin to end, with the query combined. Missing
/// classes that are `refilled` are passed over.
template <class Element, class Use>
void for_each_query(const KernelTable& kernels, const MatrixView& probabilities, Range rows, std::size_t top_t,
                    const ClassEmbeddings& classes, const std::vector<std::uint32_t>& refilled, const Use& use) {
    thread_local std::array<Query, Query::kAtOnce> queries;
    thread_local std::vector<Element> scratch;
    for (std::size_t begin = rows.begin; begin < rows.end; begin += Query::kAtOnce) {
        const std::size_t count = std::min(Query::kAtOnce, rows.end - begin);
        for (std::size_t i = 0; i < count; ++i) {
            const MatrixView row = without_missing(probabilities, begin + i, refilled, false, scratch);
            query_of_row<Element>(kernels, row, begin + i, top_t, classes, queries[i]);
        }
        Query::combine(kernels, classes, queries.data(), count);
        for (std::size_t i = 0; i < count; ++i) use(begin + i, queries[i]);
    }
}

/// f as float32, as `embed` and `convex_combination` return it.
inline void write_f(const Query& query, std::size_t dimension, float* out) {
    for (std::size_t d = 0; d < dimension; ++d) out[d] = static_cast<float>(query.f()[d]);
}

}  // namespace conse
