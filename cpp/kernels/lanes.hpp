// Sixteen lanes as an array of native registers, so that the loops are written once.
//
// A struct of native vectors, not a 64-byte vector type: the latter spills on targets with smaller registers.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

template <class Native, class Value>
struct Lanes16 {
    static constexpr int kRegisters = 16 / Native::kLanes;
    Native r[kRegisters];

    template <class Element>
    static Lanes16 load(const Element* p) {
        Lanes16 x;
        for (int i = 0; i < kRegisters; ++i) x.r[i] = Native::load(p + i * Native::kLanes);
        return x;
    }

    // The first n < 16 elements and zeros after them, without reading past the end of the row.
    template <class Element>
    static Lanes16 load_first(const Element* p, std::size_t n) {
        Element buffer[16] = {};
        for (std::size_t i = 0; i < n; ++i) buffer[i] = p[i];
        return load(buffer);
    }

    // The n < 16 elements before `end`, in the last lanes, and zeros before them; there must be sixteen.
    template <class Element>
    static Lanes16 load_last(const Element* end, std::size_t n) {
        return choose(places(0), broadcast(static_cast<Value>(16 - n)), load(end - 16), broadcast(0));
    }

    // first, first + 1, ...
    static Lanes16 places(Value first) {
        const Value each[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
        return load(each) + broadcast(first);
    }

    static Lanes16 broadcast(Value value) {
        Lanes16 x;
        for (int i = 0; i < kRegisters; ++i) x.r[i] = Native::broadcast(value);
        return x;
    }

    void store(Value* p) const {
        for (int i = 0; i < kRegisters; ++i) r[i].store(p + i * Native::kLanes);
    }

    friend Lanes16 operator+(Lanes16 a, const Lanes16& b) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = a.r[i] + b.r[i];
        return a;
    }
    friend Lanes16 operator*(Lanes16 a, const Lanes16& b) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = a.r[i] * b.r[i];
        return a;
    }
    friend Lanes16 multiply_add(const Lanes16& a, const Lanes16& b, Lanes16 c) {
        for (int i = 0; i < kRegisters; ++i) c.r[i] = multiply_add(a.r[i], b.r[i], c.r[i]);
        return c;
    }
    friend Lanes16 operator/(Lanes16 a, const Lanes16& b) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = a.r[i] / b.r[i];
        return a;
    }
    friend Lanes16 root(Lanes16 a) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = root(a.r[i]);
        return a;
    }
    friend Lanes16 inverse_root(Lanes16 a) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = inverse_root(a.r[i]);
        return a;
    }
    friend Lanes16 max(Lanes16 a, const Lanes16& b) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = max(a.r[i], b.r[i]);
        return a;
    }
    // Compares the bits as unsigned integers: for numbers >= 0 their own order, with infinity, NaN and all that is
    // negative above them.
    friend Lanes16 max_bits(Lanes16 a, const Lanes16& b) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = max_bits(a.r[i], b.r[i]);
        return a;
    }
    friend Lanes16 min(Lanes16 a, const Lanes16& b) {
        for (int i = 0; i < kRegisters; ++i) a.r[i] = min(a.r[i], b.r[i]);
        return a;
    }
    // Each lane has what stood one before it; the first has `first`.
    friend Lanes16 following(Value first, const Lanes16& a) {
        Lanes16 x;
        for (int i = 0; i < kRegisters; ++i) x.r[i] = following(i == 0 ? Native::broadcast(first) : a.r[i - 1], a.r[i]);
        return x;
    }
    friend std::uint32_t at_least(const Lanes16& a, const Lanes16& b) {
        std::uint32_t mask = 0;
        for (int i = 0; i < kRegisters; ++i) mask |= at_least(a.r[i], b.r[i]) << (i * Native::kLanes);
        return mask;
    }

    // x where a >= b, y elsewhere.
    friend Lanes16 choose(const Lanes16& a, const Lanes16& b, Lanes16 x, const Lanes16& y) {
        for (int i = 0; i < kRegisters; ++i) x.r[i] = choose(a.r[i], b.r[i], x.r[i], y.r[i]);
        return x;
    }

    friend Value largest(const Lanes16& a) {
        Native most = a.r[0];
        for (int i = 1; i < kRegisters; ++i) most = max(most, a.r[i]);
        return largest(most);
    }

    // The sum of the lanes by a fixed tree (distance 8, 4, 2, 1), the same on every target.
    friend Value sum(const Lanes16& a) {
        Value x[16];
        a.store(x);
        for (int i = 0; i < 8; ++i) x[i] += x[i + 8];
        for (int i = 0; i < 4; ++i) x[i] += x[i + 4];
        return (x[0] + x[2]) + (x[1] + x[3]);
    }
};

using F32 = Lanes16<NativeF32, float>;
using F64 = Lanes16<NativeF64, double>;

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
