// The squared length of f from the products of its classes.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"
#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

// The triangle of pairs is folded, so that n + 1 lanes hold two rows at a time: those of row `high` from the first lane
// on, those of row `low`, which has as many less, from the last one back. What a class has with itself counts half
// here.
double pair_sum_of_any(const double* weights, const std::uint32_t* ids, std::size_t n, const float* products) {
    std::uint32_t firsts[kBoundTerms];
    double sums[16] = {};
    for (std::size_t i = 0; i < n; ++i) firsts[i] = ids[i] * (ids[i] + 1) / 2;
    const auto add = [&](std::size_t lane, std::size_t i, std::size_t j, double weight) {
        const std::uint32_t a = firsts[i] + ids[j], b = firsts[j] + ids[i];
        const double both = weight * weights[j], product = products[a > b ? a : b];
        double& sum = sums[lane % 16];
        sum = CONSE_TARGET_FUSED ? __builtin_fma(both, product, sum) : both * product + sum;
    };
    for (std::size_t low = 0; 2 * low < n; ++low) {
        const std::size_t high = n - 1 - low;
        for (std::size_t j = 0; j < high; ++j) add(j, high, j, weights[high]);
        add(high, high, high, 0.5 * weights[high]);
        if (low == high) break;
        for (std::size_t j = 0; j < low; ++j) add(n - j, low, j, weights[low]);
        add(n - low, low, low, 0.5 * weights[low]);
    }
    return 2 * sum(F64::load(sums));
}

// x86-64-v4 has its own.
template <class Id>
double pair_sum_of_few(const double* weights, const Id* ids, std::size_t n, const float* products) {
    return pair_sum_of_any(weights, ids, n, products);
}

double pair_sum(const double* weights, const std::uint32_t* ids, std::size_t n, const float* products) {
    return n < 16 ? pair_sum_of_few(weights, ids, n, products) : pair_sum_of_any(weights, ids, n, products);
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
