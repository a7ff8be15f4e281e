// Registers of x86-64-v4: AVX-512 F, BW, CD, DQ, VL.
#pragma once

#include <cstddef>
#include <cstdint>

#include <immintrin.h>

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

constexpr bool kConvertsHalves = true;  // by an instruction

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
    friend NativeF32 operator*(NativeF32 a, NativeF32 b) { return {_mm512_mul_ps(a.v, b.v)}; }
    friend NativeF32 multiply_add(NativeF32 a, NativeF32 b, NativeF32 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
    friend NativeF32 operator/(NativeF32 a, NativeF32 b) { return {_mm512_div_ps(a.v, b.v)}; }
    friend NativeF32 root(NativeF32 a) { return {_mm512_sqrt_ps(a.v)}; }
    friend NativeF32 max(NativeF32 a, NativeF32 b) { return {_mm512_max_ps(a.v, b.v)}; }
    friend NativeF32 min(NativeF32 a, NativeF32 b) { return {_mm512_min_ps(a.v, b.v)}; }
    friend NativeF32 max_bits(NativeF32 a, NativeF32 b) {
        return {_mm512_castsi512_ps(_mm512_max_epu32(_mm512_castps_si512(a.v), _mm512_castps_si512(b.v)))};
    }
    friend float largest(NativeF32 a) { return _mm512_reduce_max_ps(a.v); }
    friend NativeF32 choose(NativeF32 a, NativeF32 b, NativeF32 x, NativeF32 y) {
        return {_mm512_mask_mov_ps(y.v, _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ), x.v)};
    }
    friend std::uint32_t at_least(NativeF32 a, NativeF32 b) { return _mm512_cmp_ps_mask(a.v, b.v, _CMP_GE_OQ); }
};

// Eight columns of rows i (low half) and j.
__m512 load_halves(const float* i, const float* j) {
    return _mm512_castpd_ps(_mm512_insertf64x4(_mm512_castps_pd(_mm512_castps256_ps512(_mm256_loadu_ps(i))),
                                               _mm256_castps_pd(_mm256_loadu_ps(j)), 1));
}
__m512 load_halves(const std::uint16_t* i, const std::uint16_t* j) {
    const __m128i low = _mm_loadu_si128(reinterpret_cast<const __m128i*>(i));
    return _mm512_cvtph_ps(
        _mm256_inserti128_si256(_mm256_castsi128_si256(low), _mm_loadu_si128(reinterpret_cast<const __m128i*>(j)), 1));
}

// Transposes four rows in each quarter of the registers.
void transpose_quarters(__m512 (&x)[4]) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(x[0], x[1])),
                  b = _mm512_castps_pd(_mm512_unpackhi_ps(x[0], x[1]));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(x[2], x[3])),
                  d = _mm512_castps_pd(_mm512_unpackhi_ps(x[2], x[3]));
    x[0] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    x[1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    x[2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    x[3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
}

// The sixteen columns from d on of sixteen rows. Rows meet in a register as they are loaded, which takes a quarter of
// the shuffles away from the one port that they have. Inlined in any case: by way of memory a query alone takes 1.5
// times as long.
template <class Element>
__attribute__((always_inline)) inline void load_square(const Element* const* rows, std::size_t d, NativeF32* columns) {
    for (std::size_t half = 0; half < 2; ++half, d += 8, columns += 8) {
        __m512 low[4], high[4];  // quarters of low: rows 0-3, columns 0-3 and 4-7; rows 4-7, the same columns
        for (int i = 0; i < 4; ++i) {
            low[i] = load_halves(rows[i] + d, rows[i + 4] + d);
            high[i] = load_halves(rows[i + 8] + d, rows[i + 12] + d);
        }
        transpose_quarters(low);
        transpose_quarters(high);
        for (int i = 0; i < 4; ++i) {
            columns[i].v = _mm512_shuffle_f32x4(low[i], high[i], 0x88);
            columns[i + 4].v = _mm512_shuffle_f32x4(low[i], high[i], 0xdd);
        }
    }
}

// The sums of four rows in each quarter of the registers.
NativeF32 sums_of(const NativeF32 (&rows)[4]) {
    const __m512 a = _mm512_add_ps(_mm512_unpacklo_ps(rows[0].v, rows[1].v), _mm512_unpackhi_ps(rows[0].v, rows[1].v));
    const __m512 b = _mm512_add_ps(_mm512_unpacklo_ps(rows[2].v, rows[3].v), _mm512_unpackhi_ps(rows[2].v, rows[3].v));
    return {_mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee))};
}
// Adds up the quarters of each.
NativeF32 join(const NativeF32 (&sums)[4]) {
    const auto halve = [](__m512 x, __m512 y) {
        return _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
    };
    return {halve(halve(sums[0].v, sums[1].v), halve(sums[2].v, sums[3].v))};
}

// Tiles and queries that are scored at once. 24 of 32 registers add up; 2 x 12 would be as many, but the addresses of
// twelve queries do not fit the other registers: 78 instead of 87 billion products a second at 300 dimensions.
constexpr int kScoreTiles = 3, kScoreQueries = 8;

struct NativeF64 {
    static constexpr int kLanes = 8;
    __m512d v;

    static NativeF64 load(const double* p) { return {_mm512_loadu_pd(p)}; }
    static NativeF64 load(const float* p) { return {_mm512_cvtps_pd(_mm256_loadu_ps(p))}; }
    static NativeF64 broadcast(double x) { return {_mm512_set1_pd(x)}; }
    void store(double* p) const { _mm512_storeu_pd(p, v); }
    friend NativeF64 operator+(NativeF64 a, NativeF64 b) { return {_mm512_add_pd(a.v, b.v)}; }
    friend NativeF64 multiply_add(NativeF64 a, NativeF64 b, NativeF64 c) { return {_mm512_fmadd_pd(a.v, b.v, c.v)}; }
    friend NativeF64 inverse_root(NativeF64 a) { return {_mm512_div_pd(_mm512_set1_pd(1), _mm512_sqrt_pd(a.v))}; }
    friend NativeF64 max(NativeF64 a, NativeF64 b) { return {_mm512_max_pd(a.v, b.v)}; }
    friend NativeF64 min(NativeF64 a, NativeF64 b) { return {_mm512_min_pd(a.v, b.v)}; }
    friend NativeF64 following(NativeF64 before, NativeF64 a) {
        return {_mm512_castsi512_pd(_mm512_alignr_epi64(_mm512_castpd_si512(a.v), _mm512_castpd_si512(before.v), 7))};
    }
    friend std::uint32_t at_least(NativeF64 a, NativeF64 b) { return _mm512_cmp_pd_mask(a.v, b.v, _CMP_GE_OQ); }
};

// Terms of pair_sum() in lanes: ids, where their products begin, and weights.
struct PairTerms {
    __m512i id, first;
    __m512d weight[2];

    static PairTerms all(const double* weights, const std::uint32_t* ids, std::size_t n) {
        const std::uint32_t used = (1u << n) - 1;
        const __m512i id = _mm512_maskz_loadu_epi32(static_cast<__mmask16>(used), ids);
        const __m512i twice = _mm512_mullo_epi32(id, _mm512_add_epi32(id, _mm512_set1_epi32(1)));
        return {id,
                _mm512_srli_epi32(twice, 1),
                {_mm512_maskz_loadu_pd(static_cast<__mmask8>(used), weights),
                 _mm512_maskz_loadu_pd(static_cast<__mmask8>(used >> 8), weights + 8)}};
    }
    // One of them in all lanes.
    static PairTerms one(double weight, std::uint32_t id) {
        return {_mm512_set1_epi32(static_cast<int>(id)),
                _mm512_set1_epi32(static_cast<int>(id * (id + 1) / 2)),
                {_mm512_set1_pd(weight), _mm512_set1_pd(weight)}};
    }
    // Those of the lanes n, n - 1, ...
    PairTerms from(std::size_t n) const {
        const __m512i each = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
        const __m512i lanes = _mm512_sub_epi32(_mm512_set1_epi32(static_cast<int>(n)), each);
        const __m512i low = _mm512_cvtepu32_epi64(_mm512_castsi512_si256(lanes));
        const __m512i high = _mm512_cvtepu32_epi64(_mm512_extracti64x4_epi64(lanes, 1));
        return {
            _mm512_permutexvar_epi32(lanes, id),
            _mm512_permutexvar_epi32(lanes, first),
            {_mm512_permutex2var_pd(weight[0], low, weight[1]), _mm512_permutex2var_pd(weight[0], high, weight[1])}};
    }
    // Those of x in the lanes of the mask.
    PairTerms with(std::uint32_t mask, const PairTerms& x) const {
        return {_mm512_mask_mov_epi32(id, static_cast<__mmask16>(mask), x.id),
                _mm512_mask_mov_epi32(first, static_cast<__mmask16>(mask), x.first),
                {_mm512_mask_mov_pd(weight[0], static_cast<__mmask8>(mask), x.weight[0]),
                 _mm512_mask_mov_pd(weight[1], static_cast<__mmask8>(mask >> 8), x.weight[1])}};
    }
};

// pair_sum() of up to fifteen terms, to the bits of pair_sum_of_any() in pairs.hpp; two rows are gathered at a time:
// 0.95 of a query (300 dimensions, T = 10).
double pair_sum_of_few(const double* weights, const std::uint32_t* ids, std::size_t n, const float* products) {
    const PairTerms all = PairTerms::all(weights, ids, n), back = all.from(n);
    __m512d sums[2] = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    for (std::size_t low = 0; 2 * low < n; ++low) {
        const std::size_t high = n - 1 - low;
        const std::uint32_t of_high = (2u << high) - 1, used = low < high ? (2u << n) - 1 : of_high;
        const std::uint32_t own = (low < high ? 3u : 1u) << high;
        const PairTerms row =
            PairTerms::one(weights[low], ids[low]).with(of_high, PairTerms::one(weights[high], ids[high]));
        const PairTerms column = back.with(of_high, all);
        const __m512i places =
            _mm512_max_epu32(_mm512_add_epi32(row.first, column.id), _mm512_add_epi32(column.first, row.id));
        const __m512 found = _mm512_mask_i32gather_ps(_mm512_setzero_ps(), static_cast<__mmask16>(used), places,
                                                      products, sizeof *products);
        const __m256 product[2] = {_mm512_castps512_ps256(found), _mm512_extractf32x8_ps(found, 1)};
        for (int half = 0; half < 2; ++half) {
            __m512d both = _mm512_mul_pd(row.weight[half], column.weight[half]);
            both = _mm512_mask_mul_pd(both, static_cast<__mmask8>(own >> 8 * half), both, _mm512_set1_pd(0.5));
            sums[half] = _mm512_fmadd_pd(both, _mm512_cvtps_pd(product[half]), sums[half]);
        }
    }
    return 2 * _mm512_reduce_add_pd(_mm512_add_pd(sums[0], sums[1]));
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
