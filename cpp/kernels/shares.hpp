// The shares of all classes, from a row of their weights: what is left of a row when its largest weights are taken out.
#pragma once

#include <cstddef>

#include "kernels.hpp"
#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

// Sixteen weights, multiplied by both factors of the scale. Inlined in any case: by way of memory they wait.
template <class Value>
__attribute__((always_inline)) inline F64 scaled(const Value* weights, const RowScale& scale) {
    const F64 zero = F64::broadcast(0);
    const F64 half = multiply_add(F64::load(weights), F64::broadcast(scale.half), zero);
    return multiply_add(half, F64::broadcast(scale.rest), zero);
}

template <class Value>
double total_weight(const Value* row, std::size_t n, const RowScale& scale) {
    constexpr int kChained = F64::kRegisters / 2;  // eight lanes
    NativeF64 chains[kChained];
    for (NativeF64& chain : chains) chain = NativeF64::broadcast(0);
    for (std::size_t c = 0; c < n; c += 16) {
        const F64 x = scaled(row + c, scale);
        for (int i = 0; i < F64::kRegisters; ++i) chains[i % kChained] = chains[i % kChained] + x.r[i];
    }
    double lanes[8], total = 0;
    for (int i = 0; i < kChained; ++i) chains[i].store(lanes + i * NativeF64::kLanes);
    for (const double lane : lanes) total += lane;
    return total;
}

template <class Value>
void share_out(const Value* row, std::size_t n, const RowScale& scale, double factor, float* shares) {
    const F64 each = F64::broadcast(factor), zero = F64::broadcast(0);
    for (std::size_t c = 0; c < n; c += 16) {
        double lanes[16];
        multiply_add(scaled(row + c, scale), each, zero).store(lanes);
        for (int i = 0; i < 16; ++i) shares[c + static_cast<std::size_t>(i)] = static_cast<float>(lanes[i]);
    }
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
