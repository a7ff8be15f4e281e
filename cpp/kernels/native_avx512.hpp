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
    static NativeF32 broadcast(float x) { return {_mm512_set1_ps(x)}; }
    void store(float* p) const { _mm512_storeu_ps(p, v); }
    friend NativeF32 operator+(NativeF32 a, NativeF32 b) { return {_mm512_add_ps(a.v, b.v)}; }
    friend NativeF32 multiply_add(NativeF32 a, NativeF32 b, NativeF32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    friend NativeF32 max(NativeF32 a, NativeF32 b) { return {_mm512_max_ps(a.v, b.v)}; }
    friend NativeF32 min(NativeF32 a, NativeF32 b) { return {_mm512_min_ps(a.v, b.v)}; }
    friend std::uint32_t at_least(NativeF32 a, NativeF32 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }
};

// Row i of the square becomes its column i.
void transpose(NativeF32 (&square)[16]) {
    __m512 a[16], b[16];
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_ps(square[i].v, square[i + 1].v);
        a[i + 1] = _mm512_unpackhi_ps(square[i].v, square[i + 1].v);
    }
    for (int i = 0; i < 16; i += 4) {  // b[i + j], in each quarter: column j of rows i to i + 3
        for (int j = 0; j < 2; ++j) {
            const __m512d low = _mm512_castps_pd(a[i + j]), high = _mm512_castps_pd(a[i + 2 + j]);
            b[i + 2 * j] = _mm512_castpd_ps(_mm512_unpacklo_pd(low, high));
            b[i + 2 * j + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low, high));
        }
    }
    for (int j = 0; j < 4; ++j) {  // the quarters change places
        const __m512 x = _mm512_shuffle_f32x4(b[j], b[4 + j], 0x88),
                     y = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0x88);
        const __m512 z = _mm512_shuffle_f32x4(b[j], b[4 + j], 0xdd),
                     w = _mm512_shuffle_f32x4(b[8 + j], b[12 + j], 0xdd);
        square[j].v = _mm512_shuffle_f32x4(x, y, 0x88);
        square[4 + j].v = _mm512_shuffle_f32x4(z, w, 0x88);
        square[8 + j].v = _mm512_shuffle_f32x4(x, y, 0xdd);
        square[12 + j].v = _mm512_shuffle_f32x4(z, w, 0xdd);
    }
}

constexpr int kScoreRegisters = 2, kScoreQueries = 12;

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
