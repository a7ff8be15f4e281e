// Registers of x86-64-v4: AVX-512 F, BW, CD, DQ, VL.
#pragma once

#include <cstdint>

#include <immintrin.h>

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

struct NativeF32 {
    static constexpr int kLanes = 16;
    __m512 v;

    static NativeF32 load(const float* p) { return {_mm512_loadu_ps(p)}; }
    static NativeF32 load(const std::uint16_t* p) {
        return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
    }
    static NativeF32 load(const std::int16_t* p) {
        return {_mm512_cvtepi32_ps(_mm512_cvtepi16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))))};
    }
    static NativeF32 broadcast(float x) { return {_mm512_set1_ps(x)}; }
    void store(float* p) const { _mm512_storeu_ps(p, v); }
    friend NativeF32 operator+(NativeF32 a, NativeF32 b) { return {_mm512_add_ps(a.v, b.v)}; }
    friend NativeF32 multiply_add(NativeF32 a, NativeF32 b, NativeF32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    friend NativeF32 max(NativeF32 a, NativeF32 b) { return {_mm512_max_ps(a.v, b.v)}; }
    friend NativeF32 min(NativeF32 a, NativeF32 b) { return {_mm512_min_ps(a.v, b.v)}; }
    friend NativeF32 max_bits(NativeF32 a, NativeF32 b) {
        return {_mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a.v), _mm512_castps_si512(b.v)))};
    }
    friend float largest(NativeF32 a) { return _mm512_reduce_max_ps(a.v); }
    friend std::uint32_t at_least(NativeF32 a, NativeF32 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }
};

struct NativeF64 {
    static constexpr int kLanes = 8;
    __m512d v;

    static NativeF64 load(const double* p) { return {_mm512_loadu_pd(p)}; }
    static NativeF64 load(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
    static NativeF64 broadcast(double x) { return {_mm512_set1_pd(x)}; }
    void store(double* p) const { _mm512_storeu_pd(p, v); }
    friend NativeF64 operator+(NativeF64 a, NativeF64 b) { return {_mm512_add_pd(a.v, b.v)}; }
    friend NativeF64 multiply_add(NativeF64 a, NativeF64 b, NativeF64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
    friend NativeF64 max(NativeF64 a, NativeF64 b) { return {_mm512_max_pd(a.v, b.v)}; }
    friend NativeF64 min(NativeF64 a, NativeF64 b) { return {_mm512_min_pd(a.v, b.v)}; }
    friend std::uint32_t at_least(NativeF64 a, NativeF64 b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ); }
};

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
