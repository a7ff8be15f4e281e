#include "core/row_queries.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/arguments.hpp"
#include "core/collector.hpp"
#include "core/dtype.hpp"
#include "core/missing_classes.hpp"
#include "core/select.hpp"

namespace conse {
namespace {

template <class Element>
using ValueOf = typename Selector<Element>::Value;

// The top_t of a list that selection made for a larger T: the kBoundTerms largest in their order, the others by class
// id.
template <class Value>
const std::vector<Entry<Value>>& first_of(const std::vector<Entry<Value>>& list, std::size_t top_t) {
    if (top_t >= list.size()) return list;
    thread_local std::vector<Entry<Value>> first;
    if (top_t <= kBoundTerms) {
        first.assign(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(top_t));
        return first;
    }
    first = list;
    const auto end = first.begin() + static_cast<std::ptrdiff_t>(top_t);
    std::nth_element(first.begin() + kBoundTerms, end, first.end(), RanksBefore());
    first.erase(end, first.end());
    sort_rest_by_id(first, kBoundTerms);
    return first;
}

template <class Value>
void in_order(const std::vector<Entry<Value>>& list, std::vector<Entry<double>>& kept) {
    kept.clear();
    for (const Entry<Value>& entry : list) kept.push_back({static_cast<double>(entry.value), entry.id});
    std::sort(kept.begin(), kept.end(), RanksBefore());
}

// A classifier's output for every class.
template <class Element>
class ClassifierRows : public RowQueries {
  public:
    ClassifierRows(const ClassEmbeddings& classes, const MatrixView& x, Domain domain, const char* argument)
        : RowQueries(x), classes_(classes), domain_(domain), argument_(argument) {}

    void fill(const KernelTable& kernels, std::size_t r, const TopTs& top_t, Query* const* queries) const override {
        std::size_t most = 0;
        for (const std::size_t t : top_t) most = std::max(most, n_listed(t));
        const List& list = select(kernels, r, most);
        for (std::size_t i = 0; i < top_t.count; ++i) {
            set(kernels, r, first_of(list, n_listed(top_t.values[i])), top_t.values[i], *queries[i]);
        }
    }

    void list(const KernelTable& kernels, std::size_t r, std::size_t top_t,
              std::vector<Entry<double>>& kept) const override {
        in_order(select(kernels, r, std::min(top_t, rows_.columns)), kept);
    }

  protected:
    using List = std::vector<Entry<ValueOf<Element>>>;

    // Classes that selection has to list.
    virtual std::size_t n_listed(std::size_t top_t) const = 0;
    virtual void set(const KernelTable& kernels, std::size_t r, const List& listed, std::size_t top_t,
                     Query& query) const = 0;

    // Row r as selection sees it: missing classes may have to give their places to the next ones.
    MatrixView seen_row(std::size_t r) const {
        if (classes_.n_refilled == 0) return rows_;
        thread_local std::vector<Element> scratch;
        return without_missing(rows_, r, classes_, domain_ == Domain::finite, scratch);
    }

    const ClassEmbeddings& classes_;

  private:
    // The n largest of row r, which is read several times.
    const List& select(const KernelTable& kernels, std::size_t r, std::size_t n) const {
        Selector<Element>& selector = selector_of_thread();
        const Element* row = contiguous_row(seen_row(r), r, selector.gathered);
        const List& list = selector.select_terms(kernels, row, rows_.columns, n, domain_, argument_, r);
        if (list.size() < std::min(n, rows_.columns)) {
            invalid_argument(argument_, "[", r, "] changed while it was read; hand over a copy");
        }
        return list;
    }

    // Not inlined, or the compiler asks at every use where it lies.
    [[gnu::noinline]] static Selector<Element>& selector_of_thread() {
        thread_local Selector<Element> selector;
        return selector;
    }

    const Domain domain_;
    const char* const argument_;
};

template <class Element>
class ProbabilityRows : public ClassifierRows<Element> {
  public:
    ProbabilityRows(const ClassEmbeddings& classes, const MatrixView& probabilities)
        : ClassifierRows<Element>(classes, probabilities, Domain::weights, "probabilities") {}

  protected:
    // Where f is combined of all classes, the row itself is read for those behind the first.
    std::size_t n_listed(std::size_t top_t) const override {
        return combines_all(this->classes_, top_t) ? kBoundTerms : std::min(top_t, this->rows_.columns);
    }

    void set(const KernelTable& kernels, std::size_t r, const typename ClassifierRows<Element>::List& listed,
             std::size_t top_t, Query& query) const override {
        if (!combines_all(this->classes_, top_t)) return query.set_weights(listed);
        thread_local std::vector<Element> gathered;
        query.set_all_weights(kernels, listed, contiguous_row(this->seen_row(r), r, gathered), this->rows_.columns);
    }
};

template <class Element>
class LogitRows : public ClassifierRows<Element> {
  public:
    LogitRows(const ClassEmbeddings& classes, const MatrixView& logits, double temperature)
        : ClassifierRows<Element>(classes, logits, Domain::finite, "logits"), temperature_(temperature) {}

  protected:
    // No more than there are: the lowest logits would have a weight, if a small one.
    std::size_t n_listed(std::size_t top_t) const override {
        return std::min(top_t, std::max<std::size_t>(1, this->rows_.columns - this->classes_.n_refilled));
    }

    void set(const KernelTable&, std::size_t, const typename ClassifierRows<Element>::List& listed, std::size_t,
             Query& query) const override {
        query.set_logits(listed, temperature_);
    }

  private:
    const double temperature_;
};

template <class Element>
class PairRows : public RowQueries {
  public:
    PairRows(std::size_t n_classes, const std::int64_t* ids, const MatrixView& weights)
        : RowQueries(weights), n_classes_(static_cast<std::int64_t>(n_classes)), ids_(ids) {}

    void fill(const KernelTable&, std::size_t r, const TopTs& top_t, Query* const* queries) const override {
        const auto& pairs = read(r);
        for (std::size_t i = 0; i < top_t.count; ++i) queries[i]->set_weights(pairs);
    }

    void list(const KernelTable&, std::size_t r, std::size_t, std::vector<Entry<double>>& kept) const override {
        in_order(read(r), kept);
    }

  private:
    // The pairs of a row as selection would have listed them.
    const std::vector<Entry<ValueOf<Element>>>& read(std::size_t r) const {
        thread_local std::vector<Entry<ValueOf<Element>>> pairs;
        read(r, pairs);
        sort_rest_by_id(pairs, 0);
        for (std::size_t t = 1; t < pairs.size(); ++t) {
            if (pairs[t].id != pairs[t - 1].id) continue;
            invalid_argument("indices[", r, "] holds class ", pairs[t].id,
                             " twice; add the weights of a repeated class up first");
        }
        std::sort(pairs.begin(), pairs.end(), RanksBefore());
        sort_rest_by_id(pairs, kBoundTerms);
        return pairs;
    }

    void read(std::size_t r, std::vector<Entry<ValueOf<Element>>>& pairs) const {
        thread_local Selector<Element> selector;
        const Element* row = contiguous_row(rows_, r, selector.gathered);
        pairs.clear();
        for (std::size_t t = 0; t < rows_.columns; ++t) {
            const std::int64_t class_id = ids_[r * rows_.columns + t];
            if (class_id < 0 || class_id >= n_classes_) {
                invalid_argument("indices[", r, "] holds ", class_id, " at column ", t,
                                 "; expected class ids from 0 to ", n_classes_ - 1);
            }
            const auto weight = value_of(row[t]);
            if (!(std::isfinite(weight) && weight >= 0)) {
                invalid_argument("weights[", r, "] holds ", word_for(weight), " at column ", t,
                                 "; expected finite numbers >= 0");
            }
            pairs.push_back({weight, static_cast<std::int32_t>(class_id)});
        }
    }

    const std::int64_t n_classes_;
    const std::int64_t* const ids_;
};

template <template <class> class Rows, class... Arguments>
std::unique_ptr<RowQueries> make_rows(DType dtype, const Arguments&... arguments) {
    std::unique_ptr<RowQueries> rows;
    visit_dtype(dtype, [&](auto element) { rows = std::make_unique<Rows<decltype(element)>>(arguments...); });
    return rows;
}

}  // namespace

void RowQueries::check(const KernelTable& kernels, std::size_t begin, std::size_t end) const {
    std::vector<Entry<double>> kept;
    for (std::size_t row = begin; row < end; ++row) list(kernels, row, 1, kept);
}

std::unique_ptr<RowQueries> probability_rows(const ClassEmbeddings& classes, const MatrixView& probabilities) {
    require_class_columns("probabilities", probabilities, classes.n_classes);
    return make_rows<ProbabilityRows>(probabilities.dtype, classes, probabilities);
}

std::unique_ptr<RowQueries> logit_rows(const ClassEmbeddings& classes, const MatrixView& logits, double temperature) {
    require_class_columns("logits", logits, classes.n_classes);
    if (!(std::isfinite(temperature) && temperature > 0)) {
        invalid_argument("temperature must be a finite number > 0, got ", temperature);
    }
    return make_rows<LogitRows>(logits.dtype, classes, logits, temperature);
}

std::unique_ptr<RowQueries> pair_rows(std::size_t n_classes, const std::int64_t* ids, const MatrixView& weights) {
    if (weights.columns < 1) invalid_argument("weights needs at least one column");
    require_memory("weights", weights);
    require_memory("indices", ids, weights.rows * weights.columns);
    return make_rows<PairRows>(weights.dtype, n_classes, ids, weights);
}

}  // namespace conse
