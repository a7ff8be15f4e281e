// Bound and score: weighted sums whose lanes are labels, or blocks of labels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"
#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

// Up to kRuns runs side by side, since one chain of additions alone waits for itself: 3.3 instead of 3.6 us a query
// from the embeddings (300 dimensions). The last run may be shorter.
template <bool kPlain, int kRuns>
F32 score_runs(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
               std::size_t stride, F32 total) {
    F32 runs[kRuns];
    for (F32& run : runs) run = F32::broadcast(0);
    const auto add = [&](int run, std::size_t t) {
        const float* row = block + stride * (kPlain ? t : rows[t]);
        runs[run] = multiply_add(F32::broadcast(weights[t]), F32::load(row), runs[run]);
    };
    const std::size_t last = n_terms - (kRuns - 1) * kRunTerms;
    for (std::size_t t = 0; t < last; ++t) {
        for (int run = 0; run < kRuns; ++run) add(run, t + static_cast<std::size_t>(run) * kRunTerms);
    }
    for (std::size_t t = last; kRuns > 1 && t < kRunTerms; ++t) {
        for (int run = 0; run < kRuns - 1; ++run) add(run, t + static_cast<std::size_t>(run) * kRunTerms);
    }
    for (const F32& run : runs) total = total + run;
    return total;
}

// Up to kRunTerms runs; of the table, where more than one are rare, one at a time.
template <bool kPlain>
F32 score_run_of_runs(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
                      std::size_t stride) {
    constexpr std::size_t kTerms = (kPlain ? 4 : 1) * kRunTerms;
    F32 total = F32::broadcast(0);
    for (std::size_t t = 0; t < n_terms; t += kTerms) {
        const std::size_t left = n_terms - t < kTerms ? n_terms - t : kTerms;
        const float* columns = kPlain ? block + stride * t : block;
        const std::uint32_t* own_rows = kPlain ? nullptr : rows + t;
        if (left > 3 * kRunTerms) {
            total = score_runs<kPlain, 4>(weights + t, own_rows, left, columns, stride, total);
        } else if (left > 2 * kRunTerms) {
            total = score_runs<kPlain, 3>(weights + t, own_rows, left, columns, stride, total);
        } else if (left > kRunTerms) {
            total = score_runs<kPlain, 2>(weights + t, own_rows, left, columns, stride, total);
        } else {
            total = score_runs<kPlain, 1>(weights + t, own_rows, left, columns, stride, total);
        }
    }
    return total;
}

template <bool kPlain>
F32 score_many(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
               std::size_t stride) {
    constexpr std::size_t kTerms = kRunTerms * kRunTerms;
    F32 total = F32::broadcast(0);
    for (std::size_t t = 0; t < n_terms; t += kTerms) {
        const std::size_t n = n_terms - t < kTerms ? n_terms - t : kTerms;
        total = total + score_run_of_runs<kPlain>(weights + t, kPlain ? nullptr : rows + t, n,
                                                  kPlain ? block + stride * t : block, stride);
    }
    return total;
}

// A single run, the usual case, without the loops around it.
template <bool kPlain>
std::uint32_t score(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
                    std::size_t stride, float floor, float* scores) {
    const F32 total = n_terms <= kRunTerms
                          ? score_runs<kPlain, 1>(weights, rows, n_terms, block, stride, F32::broadcast(0))
                          : score_many<kPlain>(weights, rows, n_terms, block, stride);
    total.store(scores);
    return at_least(total, F32::broadcast(floor));
}

std::uint32_t score_block(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
                          std::size_t stride, float floor, float* scores) {
    return score<false>(weights, rows, n_terms, block, stride, floor, scores);
}

std::uint32_t score_plain_block(const float* weights, std::size_t n_terms, const float* block, float floor,
                                float* scores) {
    return score<true>(weights, nullptr, n_terms, block, kBlockRows, floor, scores);
}

std::uint32_t best_lane_of(const F32& low, const F32& high, float* best) {
    *best = largest(max(low, high));
    const F32 lowest = F32::broadcast(*best);
    const std::uint32_t mask = at_least(low, lowest) | at_least(high, lowest) << 16;
    return mask == 0 ? 0 : static_cast<std::uint32_t>(__builtin_ctz(mask));
}

std::uint32_t bound_tile(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const std::int16_t* tile,
                         std::size_t stride, float step, std::size_t n_children, float* bounds, float* best) {
    F32 low = F32::broadcast(0), high = low;
    for (std::size_t t = 0; t < n_terms; ++t) {
        const std::int16_t* row = tile + stride * rows[t];
        const F32 weight = F32::broadcast(weights[t]);
        low = multiply_add(weight, F32::load(row), low);
        high = multiply_add(weight, F32::load(row + 16), high);
    }
    const F32 scale = F32::broadcast(step);  // a power of two: to the same bits as if each weight were scaled
    low = multiply_add(low, scale, F32::broadcast(0));
    high = multiply_add(high, scale, F32::broadcast(0));
    const F32 nothing = F32::broadcast(-__builtin_inff()), end = F32::broadcast(static_cast<float>(n_children));
    low = choose(F32::places(0), end, nothing, low);
    high = choose(F32::places(16), end, nothing, high);
    low.store(bounds);
    high.store(bounds + 16);
    return best_lane_of(low, high, best);
}

std::uint32_t best_lane(const float* bounds, float* best) {
    return best_lane_of(F32::load(bounds), F32::load(bounds + 16), best);
}

// A float as an unsigned integer in the same order, zeros of both signs being one.
std::uint32_t ordered_bits(float value) {
    const float one_zero = value + 0.0f;
    std::uint32_t bits;
    __builtin_memcpy(&bits, &one_zero, sizeof bits);
    return bits ^ (0x80000000u | (0u - (bits >> 31)));
}

// A value and, below it, its id, the lower the higher: 63 bits, which compare as a finite double does. Their upper
// eleven, its exponent, are all ones for NaN only and all zeros for -NaN.
void keep_best(const float* values, const std::int32_t* ids, std::uint32_t mask, std::uint32_t n_ids, double* kept) {
    std::uint64_t keys[kFewBest + 1];  // and none
    for (std::size_t lane = 0; lane < kFewBest; ++lane) {
        const auto id = static_cast<std::uint32_t>(ids[lane]);
        const std::uint64_t key = static_cast<std::uint64_t>(ordered_bits(values[lane])) << 31 | (0x7fffffffu - id);
        keys[lane] = id < n_ids ? key : 0;
    }
    keys[kFewBest] = 0;
    // Two at a time: the i-th best is then the best of the i-th before, of the one before it or the better of the two,
    // whichever is lower, and of the one before that or the other.
    F64 best = F64::load(kept);
    while (mask != 0) {
        double first, second;
        __builtin_memcpy(&first, &keys[__builtin_ctz(mask)], sizeof first);
        mask &= mask - 1;
        __builtin_memcpy(&second, &keys[__builtin_ctz(mask | 1u << kFewBest)], sizeof second);
        mask &= mask - 1;
        const F64 a = F64::broadcast(first), b = F64::broadcast(second);
        const F64 before = following(__builtin_inf(), best), two_before = following(__builtin_inf(), before);
        best = max(max(best, min(before, max(a, b))), min(two_before, min(a, b)));
    }
    best.store(kept);
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
