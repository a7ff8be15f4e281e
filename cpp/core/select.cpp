#include "core/select.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/dtype.hpp"
#include "core/message.hpp"
#include "core/survey.hpp"

namespace conse {
namespace {

// The slow, exact look at a row of which the survey said that something may be wrong.
template <class Element>
void check_values(const Element* row, std::size_t n, Domain domain, const char* argument, std::size_t row_number) {
    for (std::size_t column = 0; column < n; ++column) {
        const auto x = value_of(row[column]);
        const bool fits =
            !std::isnan(x) && (domain == Domain::ordered || std::isfinite(x)) && (domain != Domain::weights || x >= 0);
        if (fits) continue;
        const std::string what = std::isfinite(x) ? "a negative value" : word_for(x);
        const char* expected = domain == Domain::ordered  ? "numbers"
                               : domain == Domain::finite ? "finite numbers"
                                                          : "finite numbers >= 0";
        const char* cure = std::isfinite(x) ? "; logits belong to rank_logits" : "";
        invalid_argument(argument, "[", row_number, "] holds ", what, " at column ", column, "; expected ", expected,
                         cure);
    }
}

constexpr std::size_t kColumnsAtOnce = 1024;  // gathered before the floor is raised

// Sixteen gathered columns at a time, without a branch for any of them.
template <class Element>
void select_few(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k, float floor,
                std::uint32_t* columns, std::vector<Entry<float>>& kept) {
    FewBest best;
    best.reset(std::max<std::size_t>(1, k));
    for (std::size_t begin = 0; begin < n; begin += kColumnsAtOnce) {
        const std::size_t found =
            collect_of(kernels, row)(row, begin, std::min(n, begin + kColumnsAtOnce), floor, columns);
        for (std::size_t first = 0; first < found; first += kFewBest) {
            // Columns come in ascending order: an equal value that comes later cannot enter any more.
            if (best.full()) floor = std::nextafter(best.floor(), std::numeric_limits<float>::infinity());
            float values[kFewBest] = {};
            std::int32_t ids[kFewBest] = {};
            std::uint32_t mask = 0;
            for (std::size_t i = 0; i < std::min(kFewBest, found - first); ++i) {
                ids[i] = static_cast<std::int32_t>(columns[first + i]);
                values[i] = value_of(row[ids[i]]);
                mask |= static_cast<std::uint32_t>(values[i] >= floor) << i;
            }
            best.take(kernels, values, ids, mask, static_cast<std::uint32_t>(n));
        }
    }
    best.write_to(kept);
    for (Entry<float>& entry : kept) entry.value = value_of(row[entry.id]);  // a zero keeps its sign
}

// Columns in ascending order to their k best, each at once to its place. No branch asks whether that is among the k:
// two in twelve are not. `values` is scratch, since an array of its own would be filled with zeros every time, 1 % of a
// query.
template <class Element>
void place_few(const KernelTable& kernels, const Element* row, const std::uint32_t* columns, std::size_t n,
               std::size_t k, std::vector<float>& values, std::vector<Entry<float>>& kept) {
    std::uint32_t places[kMostRanked];
    values.resize(kMostRanked);
    for (std::size_t i = 0; i < n; ++i) values[i] = value_of(row[columns[i]]);
    kernels.rank_few(values.data(), n, places);
    kept.resize(n);
    for (std::size_t i = 0; i < n; ++i) kept[places[i]] = {values[i], static_cast<std::int32_t>(columns[i])};
    kept.resize(std::min(k, n));
}

}  // namespace

// Checks the row by the way. Most rows are weights in order, which one operation for 16 columns can tell.
template <class Element>
auto Selector<Element>::floor_of(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k,
                                 Domain domain, const char* argument, std::size_t row_number) -> Value {
    if constexpr (!std::is_same_v<Element, double>) {
        WeightSurvey survey{0, false};
        if (domain == Domain::weights) weight_survey_of(kernels, row)(row, n, k, &survey);
        if (survey.valid) return survey.floor;
    }
    Survey<Value> survey;
    survey_of(kernels, row)(row, n, k, &survey);
    const bool doubtful = !survey.finite || (domain == Domain::weights && survey.minimum < 0);
    if (doubtful) check_values(row, n, domain, argument, row_number);
    return survey.floor;
}

template <class Element>
auto Selector<Element>::select(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k,
                               Domain domain, const char* argument,
                               std::size_t row_number) -> const std::vector<Entry<Value>>& {
    Value floor = floor_of(kernels, row, n, k, domain, argument, row_number);
    if (k > kSurveyLanes) return many_.select(kernels, row, n, k);
    columns_.resize(kColumnsAtOnce);
    if constexpr (std::is_same_v<Value, float>) {
        const std::size_t found = n > kColumnsAtOnce ? n : collect_of(kernels, row)(row, 0, n, floor, columns_.data());
        if (found <= kMostRanked) {
            place_few(kernels, row, columns_.data(), found, k, values_, few_);
            return few_;
        }
        if (k <= FewBest::kMost) {
            select_few(kernels, row, n, std::min(k, n), floor, columns_.data(), few_);
            return few_;
        }
    }
    collector_.reset(std::max<std::size_t>(1, std::min(k, n)));
    for (std::size_t begin = 0; begin < n; begin += kColumnsAtOnce) {
        const std::size_t found =
            collect_of(kernels, row)(row, begin, std::min(n, begin + kColumnsAtOnce), floor, columns_.data());
        for (std::size_t i = 0; i < found; ++i) {
            const Value value = value_of(row[columns_[i]]);
            if (value < floor) continue;
            collector_.push(value, static_cast<std::int32_t>(columns_[i]));
            collector_.settle_when_due();
            // Columns come in ascending order: an equal value that comes later cannot enter any more.
            if (collector_.full()) floor = std::nextafter(collector_.floor(), std::numeric_limits<Value>::infinity());
        }
    }
    return collector_.finish();
}

template <class Element>
auto Selector<Element>::select_terms(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t top_t,
                                     Domain domain, const char* argument,
                                     std::size_t row_number) -> const std::vector<Entry<Value>>& {
    if (top_t > kSurveyLanes && n > kSurveyLanes) {
        const auto& first = select(kernels, row, n, kBoundTerms, domain, argument, row_number);
        return many_.complete(kernels, first, row, n, top_t);
    }
    const auto& kept = select(kernels, row, n, std::min(top_t, n), domain, argument, row_number);
    if (kept.size() <= kBoundTerms) return kept;
    if (&kept != &few_) few_ = kept;
    sort_rest_by_id(few_, kBoundTerms);
    return few_;
}

template class Selector<std::uint16_t>;
template class Selector<float>;
template class Selector<double>;

}  // namespace conse
