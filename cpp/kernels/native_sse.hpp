// Registers of x86-64-v2: SSE4.2. There is no FMA: products and sums round separately.
#pragma once

#include <cstddef>
#include <cstdint>

#include <nmmintrin.h>

#include "half.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

constexpr bool kConvertsHalves = false;  // by an instruction

struct NativeF32 {
    static constexpr int kLanes = 4;
    __m128 v;

    static NativeF32 load(const float* p) { return {_mm_loadu_ps(p)}; }
    static NativeF32 load(const std::uint16_t* p) {
        return {_mm_setr_ps(half_to_float(p[0]), half_to_float(p[1]), half_to_float(p[2]), half_to_float(p[3]))};
    }
    static NativeF32 load(const std::int16_t* p) {
        return {_mm_cvtepi32_ps(_mm_cvtepi16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
    }
    static NativeF32 broadcast(float x) { return {_mm_set1_ps(x)}; }
    void store(float* p) const { _mm_storeu_ps(p, v); }
    friend NativeF32 operator+(NativeF32 a, NativeF32 b) { return {_mm_add_ps(a.v, b.v)}; }
    friend NativeF32 operator*(NativeF32 a, NativeF32 b) { return {_mm_mul_ps(a.v, b.v)}; }
    friend NativeF32 multiply_add(NativeF32 a, NativeF32 b, NativeF32 c) {
        return {_mm_add_ps(_mm_mul_ps(a.v, b.v), c.v)};
    }
    friend NativeF32 operator/(NativeF32 a, NativeF32 b) { return {_mm_div_ps(a.v, b.v)}; }
    friend NativeF32 root(NativeF32 a) { return {_mm_sqrt_ps(a.v)}; }
    friend NativeF32 max(NativeF32 a, NativeF32 b) { return {_mm_max_ps(a.v, b.v)}; }
    friend NativeF32 min(NativeF32 a, NativeF32 b) { return {_mm_min_ps(a.v, b.v)}; }
    friend NativeF32 max_bits(NativeF32 a, NativeF32 b) {
        return {_mm_castsi128_ps(_mm_max_epu32(_mm_castps_si128(a.v), _mm_castps_si128(b.v)))};
    }
    friend float largest(NativeF32 a) {
        const __m128 two = _mm_max_ps(a.v, _mm_movehl_ps(a.v, a.v));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }
    friend NativeF32 choose(NativeF32 a, NativeF32 b, NativeF32 x, NativeF32 y) {
        return {_mm_blendv_ps(y.v, x.v, _mm_cmpge_ps(a.v, b.v))};
    }
    friend std::uint32_t at_least(NativeF32 a, NativeF32 b) {
        return static_cast<std::uint32_t>(_mm_movemask_ps(_mm_cmpge_ps(a.v, b.v)));
    }
};

// The four columns from d on of four rows.
template <class Element>
void load_square(const Element* const* rows, std::size_t d, NativeF32* columns) {
    for (int i = 0; i < 4; ++i) columns[i] = NativeF32::load(rows[i] + d);
    _MM_TRANSPOSE4_PS(columns[0].v, columns[1].v, columns[2].v, columns[3].v);
}

// The sums of four rows.
NativeF32 sums_of(const NativeF32 (&rows)[4]) {
    return {_mm_hadd_ps(_mm_hadd_ps(rows[0].v, rows[1].v), _mm_hadd_ps(rows[2].v, rows[3].v))};
}

// Tiles and queries that are scored at once: 12 of 16 registers add up.
constexpr int kScoreTiles = 1, kScoreQueries = 3;

struct NativeF64 {
    static constexpr int kLanes = 2;
    __m128d v;

    static NativeF64 load(const double* p) { return {_mm_loadu_pd(p)}; }
    static NativeF64 load(const float* p) {
        return {_mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))))};
    }
    static NativeF64 broadcast(double x) { return {_mm_set1_pd(x)}; }
    void store(double* p) const { _mm_storeu_pd(p, v); }
    friend NativeF64 operator+(NativeF64 a, NativeF64 b) { return {_mm_add_pd(a.v, b.v)}; }
    friend NativeF64 multiply_add(NativeF64 a, NativeF64 b, NativeF64 c) {
        return {_mm_add_pd(_mm_mul_pd(a.v, b.v), c.v)};
    }
    friend NativeF64 inverse_root(NativeF64 a) { return {_mm_div_pd(_mm_set1_pd(1), _mm_sqrt_pd(a.v))}; }
    friend NativeF64 max(NativeF64 a, NativeF64 b) { return {_mm_max_pd(a.v, b.v)}; }
    friend NativeF64 min(NativeF64 a, NativeF64 b) { return {_mm_min_pd(a.v, b.v)}; }
    friend NativeF64 following(NativeF64 before, NativeF64 a) { return {_mm_shuffle_pd(before.v, a.v, 1)}; }
    friend std::uint32_t at_least(NativeF64 a, NativeF64 b) {
        return static_cast<std::uint32_t>(_mm_movemask_pd(_mm_cmpge_pd(a.v, b.v)));
    }
};

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
