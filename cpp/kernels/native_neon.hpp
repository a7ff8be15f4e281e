// Registers of armv8-a: Advanced SIMD, which every AArch64 CPU has, FMA and float16 loads included.
#pragma once

#include <cstddef>
#include <cstdint>

#include <arm_neon.h>

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

constexpr bool kConvertsHalves = true;  // by an instruction

struct NativeF32 {
    static constexpr int kLanes = 4;
    float32x4_t v;

    static NativeF32 load(const float* p) { return {vld1q_f32(p)}; }
    static NativeF32 load(const std::uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
    static NativeF32 load(const std::int16_t* p) { return {vcvtq_f32_s32(vmovl_s16(vld1_s16(p)))}; }
    static NativeF32 broadcast(float x) { return {vdupq_n_f32(x)}; }
    void store(float* p) const { vst1q_f32(p, v); }
    friend NativeF32 operator+(NativeF32 a, NativeF32 b) { return {vaddq_f32(a.v, b.v)}; }
    friend NativeF32 operator*(NativeF32 a, NativeF32 b) { return {vmulq_f32(a.v, b.v)}; }
    friend NativeF32 multiply_add(NativeF32 a, NativeF32 b, NativeF32 c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
    friend NativeF32 operator/(NativeF32 a, NativeF32 b) { return {vdivq_f32(a.v, b.v)}; }
    friend NativeF32 root(NativeF32 a) { return {vsqrtq_f32(a.v)}; }
    friend NativeF32 max(NativeF32 a, NativeF32 b) { return {vmaxq_f32(a.v, b.v)}; }
    friend NativeF32 min(NativeF32 a, NativeF32 b) { return {vminq_f32(a.v, b.v)}; }
    friend NativeF32 max_bits(NativeF32 a, NativeF32 b) {
        return {vreinterpretq_f32_u32(vmaxq_u32(vreinterpretq_u32_f32(a.v), vreinterpretq_u32_f32(b.v)))};
    }
    friend float largest(NativeF32 a) { return vmaxvq_f32(a.v); }
    friend NativeF32 choose(NativeF32 a, NativeF32 b, NativeF32 x, NativeF32 y) {
        return {vbslq_f32(vcgeq_f32(a.v, b.v), x.v, y.v)};
    }
    friend std::uint32_t at_least(NativeF32 a, NativeF32 b) {
        const uint32x4_t bits = {1, 2, 4, 8};
        return vaddvq_u32(vandq_u32(vcgeq_f32(a.v, b.v), bits));
    }
};

// The four columns from d on of four rows.
template <class Element>
void load_square(const Element* const* rows, std::size_t d, NativeF32* columns) {
    NativeF32 x[4];
    for (int i = 0; i < 4; ++i) x[i] = NativeF32::load(rows[i] + d);
    const float32x4x2_t a = vtrnq_f32(x[0].v, x[1].v), b = vtrnq_f32(x[2].v, x[3].v);
    columns[0].v = vcombine_f32(vget_low_f32(a.val[0]), vget_low_f32(b.val[0]));
    columns[1].v = vcombine_f32(vget_low_f32(a.val[1]), vget_low_f32(b.val[1]));
    columns[2].v = vcombine_f32(vget_high_f32(a.val[0]), vget_high_f32(b.val[0]));
    columns[3].v = vcombine_f32(vget_high_f32(a.val[1]), vget_high_f32(b.val[1]));
}

// The sums of four rows.
NativeF32 sums_of(const NativeF32 (&rows)[4]) {
    return {vpaddq_f32(vpaddq_f32(rows[0].v, rows[1].v), vpaddq_f32(rows[2].v, rows[3].v))};
}

// Tiles and queries that are scored at once: 24 of 32 registers add up.
constexpr int kScoreTiles = 1, kScoreQueries = 6;

struct NativeF64 {
    static constexpr int kLanes = 2;
    float64x2_t v;

    static NativeF64 load(const double* p) { return {vld1q_f64(p)}; }
    static NativeF64 load(const float* p) { return {vcvt_f64_f32(vld1_f32(p))}; }
    static NativeF64 broadcast(double x) { return {vdupq_n_f64(x)}; }
    void store(double* p) const { vst1q_f64(p, v); }
    friend NativeF64 operator+(NativeF64 a, NativeF64 b) { return {vaddq_f64(a.v, b.v)}; }
    friend NativeF64 multiply_add(NativeF64 a, NativeF64 b, NativeF64 c) { return {vfmaq_f64(c.v, a.v, b.v)}; }
    friend NativeF64 inverse_root(NativeF64 a) { return {vdivq_f64(vdupq_n_f64(1), vsqrtq_f64(a.v))}; }
    friend NativeF64 max(NativeF64 a, NativeF64 b) { return {vmaxq_f64(a.v, b.v)}; }
    friend NativeF64 min(NativeF64 a, NativeF64 b) { return {vminq_f64(a.v, b.v)}; }
    friend NativeF64 following(NativeF64 before, NativeF64 a) { return {vextq_f64(before.v, a.v, 1)}; }
    friend std::uint32_t at_least(NativeF64 a, NativeF64 b) {
        const uint64x2_t bits = {1, 2};
        return static_cast<std::uint32_t>(vaddvq_u64(vandq_u64(vcgeq_f64(a.v, b.v), bits)));
    }
};

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
