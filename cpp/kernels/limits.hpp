// What the machine can do at most: loads and multiply-adds that nothing holds up.
//
// Loops over registers ask to be unrolled. Left to -O2 (the generic kernels) or to GCC 12 for AArch64 they would go
// through memory: reading took eight times as long.
#pragma once

#include <cstddef>

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

// Eight registers take maxima at a time, since one alone would wait for itself.
inline float read(const float* values, std::size_t n) {
    constexpr std::size_t kLanes = NativeF32::kLanes, kRegisters = 8;
    NativeF32 largest[kRegisters];
#pragma GCC unroll 8
    for (NativeF32& x : largest) x = NativeF32::load(values);
    std::size_t i = 0;
    for (; i + kRegisters * kLanes <= n; i += kRegisters * kLanes) {
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kRegisters; ++r) {
            largest[r] = max(largest[r], NativeF32::load(values + i + r * kLanes));
        }
    }
    for (; i + kLanes <= n; i += kLanes) largest[0] = max(largest[0], NativeF32::load(values + i));
#pragma GCC unroll 8
    for (std::size_t r = 1; r < kRegisters; ++r) largest[0] = max(largest[0], largest[r]);
    float lanes[kLanes];
    largest[0].store(lanes);
    float result = lanes[0];
    for (const float lane : lanes) result = lane > result ? lane : result;
    return result;
}

// A multiply-add takes 4 or 5 cycles, and 2 begin in each (4 on large AArch64 cores): so many registers, as far as
// there are (32 with AVX-512 and on AArch64, else 16).
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr std::size_t kChains = 16;
#else
constexpr std::size_t kChains = 12;
#endif

inline std::size_t multiply_adds(std::size_t rounds, float one, float* total) {
    constexpr std::size_t kLanes = NativeF32::kLanes;
    float values[kLanes * kChains];  // all different: equal chains are one chain to a compiler
    for (std::size_t i = 0; i < kLanes * kChains; ++i) values[i] = static_cast<float>(i);
    NativeF32 chains[kChains];
    const NativeF32 ones = NativeF32::broadcast(one);
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kChains; ++i) chains[i] = NativeF32::load(values + kLanes * i);
    for (std::size_t round = 0; round < rounds; ++round) {
#pragma GCC unroll 16
        for (NativeF32& x : chains) {
            // Where a product is rounded by itself, that of two constants would be computed once, before the loop.
            x = CONSE_TARGET_FUSED ? multiply_add(ones, ones, x) : multiply_add(x, ones, ones);
        }
    }
#pragma GCC unroll 16
    for (std::size_t i = 0; i < kChains; ++i) chains[i].store(values + kLanes * i);
    *total = 0;
    for (const float value : values) *total += value;
    return rounds * kLanes * kChains;
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
