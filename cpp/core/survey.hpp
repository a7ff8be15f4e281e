// The kernels that select, by the type of a row's elements, and the floors that they find.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/dtype.hpp"
#include "kernels/kernels.hpp"

namespace conse {

inline auto survey_of(const KernelTable& k, const std::uint16_t*) {
    return k.survey_f16;
}
inline auto survey_of(const KernelTable& k, const float*) {
    return k.survey_f32;
}
inline auto survey_of(const KernelTable& k, const double*) {
    return k.survey_f64;
}

inline auto weight_survey_of(const KernelTable& k, const std::uint16_t*) {
    return k.survey_weights_f16;
}
inline auto weight_survey_of(const KernelTable& k, const float*) {
    return k.survey_weights_f32;
}

inline auto collect_of(const KernelTable& k, const std::uint16_t*) {
    return k.collect_f16;
}
inline auto collect_of(const KernelTable& k, const float*) {
    return k.collect_f32;
}
inline auto collect_of(const KernelTable& k, const double*) {
    return k.collect_f64;
}

/// What at least k values of a row without NaN reach, and few more; k is kSurveyLanes at most.
template <class Element>
auto surveyed_floor(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k) {
    Survey<decltype(value_of(*row))> survey;
    survey_of(kernels, row)(row, n, k, &survey);
    return survey.floor;
}

/// What a sample of the row says that k values reach and some more, about twice as many; k is above kSurveyLanes. The
/// sample is spread over the row, since neighbours are often alike. `sample` is scratch.
template <class Element>
auto guessed_floor(const KernelTable& kernels, const Element* row, std::size_t n, std::size_t k,
                   std::vector<Element>& sample) {
    constexpr std::size_t kRun = 16;                   // neighbours: a line of float32
    constexpr std::size_t kExpected = 24, kRank = 34;  // of the k in the sample; two standard deviations more
    const std::size_t step = k / kExpected * kRun;
    sample.clear();
    for (std::size_t i = 0; i + kRun <= n; i += step) sample.insert(sample.end(), row + i, row + i + kRun);
    return surveyed_floor(kernels, sample.data(), sample.size(), kRank);
}

}  // namespace conse
