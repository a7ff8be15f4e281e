// What a call hands over, rows of probabilities, of logits, or pairs of classes and weights, as queries.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "conse/matrix_view.hpp"
#include "core/collector.hpp"
#include "core/directions.hpp"
#include "core/dtype.hpp"
#include "core/query.hpp"

namespace conse {

/// One T, or several for which selection is done once.
struct TopTs {
    const std::size_t* values;
    std::size_t count;

    const std::size_t* begin() const { return values; }
    const std::size_t* end() const { return values + count; }
};

/// Rows of one element type; to be used from any thread.
class RowQueries {
  public:
    explicit RowQueries(const MatrixView& rows) : rows_(rows) {}
    virtual ~RowQueries() = default;

    std::size_t n_rows() const { return rows_.rows; }
    Bytes bytes_of(std::size_t begin, std::size_t end) const { return bytes_of_rows(rows_, begin, end); }

    /// Sets up the queries of a row, one for each T, not yet combined.
    virtual void fill(const KernelTable& kernels, std::size_t row, const TopTs& top_t, Query* const* queries) const = 0;

    /// The kept classes of a row, all in the order of selection: value descending, class id ascending.
    virtual void list(const KernelTable& kernels, std::size_t row, std::size_t top_t,
                      std::vector<Entry<double>>& kept) const = 0;

    /// Throws what is wrong with the first row of a range of which anything is.
    void check(const KernelTable& kernels, std::size_t begin, std::size_t end) const;

    void fill(const KernelTable& kernels, std::size_t row, std::size_t top_t, Query& query) const {
        Query* const one = &query;
        fill(kernels, row, {&top_t, 1}, &one);
    }

  protected:
    const MatrixView rows_;
};

/// Rows of any non-negative finite weights, one column per class.
std::unique_ptr<RowQueries> probability_rows(const ClassEmbeddings& classes, const MatrixView& probabilities);
/// Rows of finite numbers, one column per class, of which exp((logit - largest) / temperature) are the weights.
std::unique_ptr<RowQueries> logit_rows(const ClassEmbeddings& classes, const MatrixView& logits, double temperature);
/// `ids` of classes are (weights.rows, weights.columns), C-contiguous; T is the number of columns.
std::unique_ptr<RowQueries> pair_rows(std::size_t n_classes, const std::int64_t* ids, const MatrixView& weights);

/// Calls use(r, query) for each row of a range, with the query combined.
template <class Use>
void for_each_query(const KernelTable& kernels, const RowQueries& rows, Range range, std::size_t top_t,
                    const ClassEmbeddings& classes, const Use& use) {
    thread_local std::array<Query, Query::kAtOnce> queries;
    for (std::size_t begin = range.begin; begin < range.end; begin += Query::kAtOnce) {
        const std::size_t count = std::min(Query::kAtOnce, range.end - begin);
        for (std::size_t i = 0; i < count; ++i) rows.fill(kernels, begin + i, top_t, queries[i]);
        Query::combine(kernels, classes, queries.data(), count);
        for (std::size_t i = 0; i < count; ++i) use(begin + i, queries[i]);
    }
}

/// Microseconds that selection and combination take per row; only the sharing of work over threads uses it.
inline double query_microseconds(std::size_t n_columns, std::size_t top_t, std::size_t dimension) {
    return 0.5 + 0.0005 * static_cast<double>(n_columns) + 0.0001 * static_cast<double>(top_t * dimension);
}

}  // namespace conse
