// Registers of x86-64-v3: AVX2, FMA, F16C.
#pragma once

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

constexpr bool kConvertsHalves = true;  // by an instruction

struct NativeF32 {
    static constexpr int kLanes = 8;
    __m256 v;

    static NativeF32 load(const float* p) { return {_mm256_loadu_ps(p)}; }
    static NativeF32 load(const std::uint16_t* p) {
        return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
    }
    static NativeF32 load(const std::int16_t* p) {
        return {_mm256_cvtepi32_ps(_mm256_cvtepi16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))))};
    }
    static NativeF32 broadcast(float x) { return {_mm256_set1_ps(x)}; }
    void store(float* p) const { _mm256_storeu_ps(p, v); }
    friend NativeF32 operator+(NativeF32 a, NativeF32 b) { return {_mm256_add_ps(a.v, b.v)}; }
    friend NativeF32 operator*(NativeF32 a, NativeF32 b) { return {_mm256_mul_ps(a.v, b.v)}; }
    friend NativeF32 multiply_add(NativeF32 a, NativeF32 b, NativeF32 c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
    friend NativeF32 operator/(NativeF32 a, NativeF32 b) { return {_mm256_div_ps(a.v, b.v)}; }
    friend NativeF32 root(NativeF32 a) { return {_mm256_sqrt_ps(a.v)}; }
    friend NativeF32 max(NativeF32 a, NativeF32 b) { return {_mm256_max_ps(a.v, b.v)}; }
    friend NativeF32 min(NativeF32 a, NativeF32 b) { return {_mm256_min_ps(a.v, b.v)}; }
    friend NativeF32 max_bits(NativeF32 a, NativeF32 b) {
        return {_mm256_castsi256_ps(_mm256_max_epu32(_mm256_castps_si256(a.v), _mm256_castps_si256(b.v)))};
    }
    friend float largest(NativeF32 a) {
        const __m128 four = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
        const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
        return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
    }
    friend NativeF32 choose(NativeF32 a, NativeF32 b, NativeF32 x, NativeF32 y) {
        return {_mm256_blendv_ps(y.v, x.v, _mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ))};
    }
    friend std::uint32_t at_least(NativeF32 a, NativeF32 b) {
        return static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.v, b.v, _CMP_GE_OQ)));
    }
};

// Four columns of rows i (low half) and j.
__m256 load_halves(const float* i, const float* j) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(i)), _mm_loadu_ps(j), 1);
}
__m256 load_halves(const std::uint16_t* i, const std::uint16_t* j) {
    const __m128i low = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(i));
    return _mm256_cvtph_ps(_mm_unpacklo_epi64(low, _mm_loadl_epi64(reinterpret_cast<const __m128i*>(j))));
}

// The eight columns from d on of eight rows. Rows meet in a register as they are loaded, which takes a third of the
// shuffles away from the one port that they have.
template <class Element>
void load_square(const Element* const* rows, std::size_t d, NativeF32* columns) {
    for (std::size_t half = 0; half < 2; ++half, d += 4, columns += 4) {
        __m256 x[4];
        for (int i = 0; i < 4; ++i) x[i] = load_halves(rows[i] + d, rows[i + 4] + d);
        const __m256 a = _mm256_unpacklo_ps(x[0], x[1]), b = _mm256_unpackhi_ps(x[0], x[1]);
        const __m256 c = _mm256_unpacklo_ps(x[2], x[3]), e = _mm256_unpackhi_ps(x[2], x[3]);
        columns[0].v = _mm256_shuffle_ps(a, c, 0x44);
        columns[1].v = _mm256_shuffle_ps(a, c, 0xee);
        columns[2].v = _mm256_shuffle_ps(b, e, 0x44);
        columns[3].v = _mm256_shuffle_ps(b, e, 0xee);
    }
}

// The sums of four rows in each half of the registers.
NativeF32 sums_of(const NativeF32 (&rows)[4]) {
    return {_mm256_hadd_ps(_mm256_hadd_ps(rows[0].v, rows[1].v), _mm256_hadd_ps(rows[2].v, rows[3].v))};
}
// Adds up the halves of each.
NativeF32 join(const NativeF32 (&sums)[2]) {
    return {_mm256_add_ps(_mm256_permute2f128_ps(sums[0].v, sums[1].v, 0x20),
                          _mm256_permute2f128_ps(sums[0].v, sums[1].v, 0x31))};
}

// Tiles and queries that are scored at once: 12 of 16 registers add up.
constexpr int kScoreTiles = 1, kScoreQueries = 6;

struct NativeF64 {
    static constexpr int kLanes = 4;
    __m256d v;

    static NativeF64 load(const double* p) { return {_mm256_loadu_pd(p)}; }
    static NativeF64 load(const float* p) { return {_mm256_cvtps_pd(_mm_loadu_ps(p))}; }
    static NativeF64 broadcast(double x) { return {_mm256_set1_pd(x)}; }
    void store(double* p) const { _mm256_storeu_pd(p, v); }
    friend NativeF64 operator+(NativeF64 a, NativeF64 b) { return {_mm256_add_pd(a.v, b.v)}; }
    friend NativeF64 multiply_add(NativeF64 a, NativeF64 b, NativeF64 c) { return {_mm256_fmadd_pd(a.v, b.v, c.v)}; }
    friend NativeF64 inverse_root(NativeF64 a) { return {_mm256_div_pd(_mm256_set1_pd(1), _mm256_sqrt_pd(a.v))}; }
    friend NativeF64 max(NativeF64 a, NativeF64 b) { return {_mm256_max_pd(a.v, b.v)}; }
    friend NativeF64 min(NativeF64 a, NativeF64 b) { return {_mm256_min_pd(a.v, b.v)}; }
    friend NativeF64 following(NativeF64 before, NativeF64 a) {
        return {_mm256_shuffle_pd(_mm256_permute2f128_pd(before.v, a.v, 0x21), a.v, 0x5)};
    }
    friend std::uint32_t at_least(NativeF64 a, NativeF64 b) {
        return static_cast<std::uint32_t>(_mm256_movemask_pd(_mm256_cmp_pd(a.v, b.v, _CMP_GE_OQ)));
    }
};

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
