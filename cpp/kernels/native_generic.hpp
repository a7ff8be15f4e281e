// "Registers" of one number, in plain C++, for every other CPU. Products and sums round separately.
#pragma once

#include <cstddef>
#include <cstdint>

#include "half.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

constexpr bool kConvertsHalves = false;  // by an instruction

template <class Value>
struct NativeScalar {
    static constexpr int kLanes = 1;
    Value v;

    static NativeScalar load(const float* p) { return {*p}; }
    static NativeScalar load(const double* p) { return {static_cast<Value>(*p)}; }
    static NativeScalar load(const std::uint16_t* p) { return {half_to_float(*p)}; }
    static NativeScalar load(const std::int16_t* p) { return {static_cast<Value>(*p)}; }
    static NativeScalar broadcast(Value x) { return {x}; }
    void store(Value* p) const { *p = v; }
    friend NativeScalar operator+(NativeScalar a, NativeScalar b) { return {a.v + b.v}; }
    friend NativeScalar operator*(NativeScalar a, NativeScalar b) { return {a.v * b.v}; }
    friend NativeScalar multiply_add(NativeScalar a, NativeScalar b, NativeScalar c) { return {a.v * b.v + c.v}; }
    friend NativeScalar inverse_root(NativeScalar a) { return {1 / __builtin_sqrt(a.v)}; }
    friend NativeScalar operator/(NativeScalar a, NativeScalar b) { return {a.v / b.v}; }
    friend NativeScalar root(NativeScalar a) { return {static_cast<Value>(__builtin_sqrt(a.v))}; }
    friend NativeScalar max(NativeScalar a, NativeScalar b) { return {a.v > b.v ? a.v : b.v}; }
    friend NativeScalar min(NativeScalar a, NativeScalar b) { return {a.v < b.v ? a.v : b.v}; }
    friend NativeScalar max_bits(NativeScalar a, NativeScalar b) {
        std::uint32_t bits_of_a, bits_of_b;
        __builtin_memcpy(&bits_of_a, &a.v, sizeof bits_of_a);
        __builtin_memcpy(&bits_of_b, &b.v, sizeof bits_of_b);
        return bits_of_a > bits_of_b ? a : b;
    }
    friend NativeScalar following(NativeScalar before, NativeScalar) { return before; }
    friend Value largest(NativeScalar a) { return a.v; }
    friend NativeScalar choose(NativeScalar a, NativeScalar b, NativeScalar x, NativeScalar y) {
        return a.v >= b.v ? x : y;
    }
    friend std::uint32_t at_least(NativeScalar a, NativeScalar b) { return a.v >= b.v; }
};

using NativeF32 = NativeScalar<float>;
using NativeF64 = NativeScalar<double>;

template <class Element>
void load_square(const Element* const* rows, std::size_t d, NativeF32* columns) {
    columns[0] = NativeF32::load(rows[0] + d);
}

NativeF32 sums_of(const NativeF32 (&row)[1]) {
    return row[0];
}

// Tiles and queries that are scored at once.
constexpr int kScoreTiles = 1, kScoreQueries = 2;

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
