// Registers of x86-64-v3: AVX2, FMA, F16C.
#pragma once

#include <cstdint>

#include <immintrin.h>

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

struct NativeF32 {
    static constexpr int kLanes = 8;
    __m256 v;

    static NativeF32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static NativeF32 load(const std::uint16_t* p) {
        return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
    }
    static NativeF32 broadcast(float x) { return {_mm256_set1_ps(x)}; }
    void store(float* p) const { _mm256_storeu_ps(p, v); }
    friend NativeF32 operator+(NativeF32 a, NativeF32 b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend NativeF32 multiply_add(NativeF32 a, NativeF32 b, NativeF32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
    friend NativeF32 max(NativeF32 a, NativeF32 b) { return {_mm256_max_ps(a.v, b.v)}; }
    friend NativeF32 min(NativeF32 a, NativeF32 b) { return {_mm256_min_ps(a.v, b.v)}; }
    friend std::uint32_t at_least(NativeF32 a, NativeF32 b) {
        return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)));
    }
};

// Row i of the square becomes its column i.
void transpose(NativeF32 (&square)[8]) {
    __m256 a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm256_unpacklo_ps(square[i].v, square[i + 1].v);
        a[i + 1] = _mm256_unpackhi_ps(square[i].v, square[i + 1].v);
    }
    for (int i = 0; i < 8; i += 4) {  // b[i + j], in each half: column j of rows i to i + 3
        for (int j = 0; j < 2; ++j) {
            b[i + 2 * j] = _mm256_shuffle_ps(a[i + j], a[i + 2 + j], 0x44);
            b[i + 2 * j + 1] = _mm256_shuffle_ps(a[i + j], a[i + 2 + j], 0xee);
        }
    }
    for (int j = 0; j < 4; ++j) {  // the halves change places
        square[j].v = _mm256_permute2f128_ps(b[j], b[4 + j], 0x20);
        square[4 + j].v = _mm256_permute2f128_ps(b[j], b[4 + j], 0x31);
    }
}

constexpr int kScoreRegisters = 2, kScoreQueries = 6;

struct NativeF64 {
    static constexpr int kLanes = 4;
    __m256d v;

    static NativeF64 load(const double* p) { return {_mm256_loadu_pd(p)}; }
    static NativeF64 load(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p))}; }
    static NativeF64 broadcast(double x) { return {_mm256_set1_pd(x)}; }
    void store(double* p) const { _mm256_storeu_pd(p, v); }
    friend NativeF64 operator+(NativeF64 a, NativeF64 b) { return {_mm256_add_pd(a.v, b.v)}; }
    friend NativeF64 multiply_add(NativeF64 a, NativeF64 b, NativeF64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
    friend NativeF64 max(NativeF64 a, NativeF64 b) { return {_mm256_max_pd(a.v, b.v)}; }
    friend NativeF64 min(NativeF64 a, NativeF64 b) { return {_mm256_min_pd(a.v, b.v)}; }
    friend std::uint32_t at_least(NativeF64 a, NativeF64 b) {
        return static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ)));
    }
};

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
