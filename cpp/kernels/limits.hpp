// What the machine can do at most: loads and multiply-adds that nothing holds up.
#pragma once

#include <cstddef>

#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

// Eight registers take maxima at a time, since one alone would wait for itself.
inline float read(const float* values, std::size_t n) {
    constexpr int kParts = F32::kRegisters < 8 ? 8 / F32::kRegisters : 1;
    constexpr std::size_t kStep = 16 * kParts;
    F32 largest[kParts];
    for (F32& x : largest) x = F32::load(values);
    std::size_t i = 0;
    for (; i + kStep <= n; i += kStep) {
        for (int part = 0; part < kParts; ++part) largest[part] = max(largest[part], F32::load(values + i + 16 * part));
    }
    for (; i + 16 <= n; i += 16) largest[0] = max(largest[0], F32::load(values + i));
    for (const F32& x : largest) largest[0] = max(largest[0], x);
    float lanes[16], result = values[0];
    largest[0].store(lanes);
    for (const float lane : lanes) result = lane > result ? lane : result;
    return result;
}

// A multiply-add takes 4 or 5 cycles, and 2 begin in each (4 on large AArch64 cores): so many registers, as far as
// there are (32 with AVX-512 and on AArch64, else 16). GCC 12 unrolls a loop over 16 and puts 24 into memory.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kChainRegisters = 16;
#else
constexpr int kChainRegisters = 12;
#endif

inline std::size_t multiply_adds(std::size_t rounds, float one, float* total) {
    constexpr int kChains = kChainRegisters / (F32::kRegisters < 4 ? F32::kRegisters : 4);
    float first[16 * kChains];  // all different: equal chains are one chain to a compiler
    for (int i = 0; i < 16 * kChains; ++i) first[i] = static_cast<float>(i);
    F32 chains[kChains], all = F32::broadcast(0);
    const F32 ones = F32::broadcast(one);
    for (int i = 0; i < kChains; ++i) chains[i] = F32::load(first + 16 * i);
    for (std::size_t round = 0; round < rounds; ++round) {
        for (F32& x : chains) {
            // Where a product is rounded by itself, that of two constants would be computed once, before the loop.
            x = CONSE_TARGET_FUSED ? multiply_add(ones, ones, x) : multiply_add(x, ones, ones);
        }
    }
    // GCC 12 for AArch64 stores all chains in every round unless this loop is unrolled early.
#pragma GCC unroll 16
    for (const F32& x : chains) all = all + x;
    *total = sum(all);
    return rounds * static_cast<std::size_t>(16 * kChains);
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
