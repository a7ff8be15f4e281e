#include "core/select.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/dtype.hpp"
#include "core/message.hpp"

namespace conse {
namespace {

void survey(const KernelTable& k, const std::uint16_t* row, std::size_t n, Survey<float>* s) {
    k.survey_f16(row, n, s);
}
void survey(const KernelTable& k, const float* row, std::size_t n, Survey<float>* s) {
    k.survey_f32(row, n, s);
}
void survey(const KernelTable& k, const double* row, std::size_t n, Survey<double>* s) {
    k.survey_f64(row, n, s);
}

auto collect_of(const KernelTable& k, const std::uint16_t*) {
    return k.collect_f16;
}
auto collect_of(const KernelTable& k, const float*) {
    return k.collect_f32;
}
auto collect_of(const KernelTable& k, const double*) {
    return k.collect_f64;
}

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
        const char* cure = domain == Domain::weights ? "; logits belong to rank_logits" : "";
        invalid_argument(argument, "[", row_number, "] holds ", what, " at column ", column, "; expected ", expected,
                         cure);
    }
}

}  // namespace

// The k-th largest of the lanes' maxima: at least k values of the row are not below it.
template <class Element>
auto Selector<Element>::starting_floor(std::size_t n, std::size_t k) -> Value {
    if (k > kSurveyLanes || k > n) return -std::numeric_limits<Value>::infinity();
    Value* kth = survey_.maxima + (k - 1);
    std::nth_element(survey_.maxima, kth, survey_.maxima + kSurveyLanes, std::greater<Value>());
    return *kth;
}

template <class Element>
auto Selector<Element>::select(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k,
                               Domain domain, const char* argument,
                               std::size_t row_number) -> const std::vector<Entry<Value>>& {
    survey(kernels, row, n, &survey_);
    const bool doubtful = !survey_.finite || (domain == Domain::weights && survey_.minimum < 0);
    if (doubtful) check_values(row, n, domain, argument, row_number);

    constexpr std::size_t kChunk = 1024;  // columns gathered before the floor is raised
    columns_.resize(kChunk + kSurveyLanes);
    collector_.reset(std::max<std::size_t>(1, std::min(k, n)));
    Value floor = starting_floor(n, k);
    for (std::size_t column = 0; column < n;) {
        std::size_t found = 0;
        column = collect_of(kernels, row)(row, column, std::min(n, column + kChunk), floor, columns_.data(), &found,
                                          columns_.size());
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

template class Selector<std::uint16_t>;
template class Selector<float>;
template class Selector<double>;

}  // namespace conse
