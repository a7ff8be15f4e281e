// Screening for one dense query: between which numbers the scores lie. Rows are read from end to end, at the speed of
// memory, where `dots` needs sixteen of them side by side; what comes out is near the scores, not their bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"
#include "lanes.hpp"
#include "product.hpp"
#include "select.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

// Bytes from what is read to what is asked for. 300 dimensions, 25 MB, two threads: 80 GB/s without, 106 with 4 KB, 120
// with 8 and with 16; 50 dimensions, which fit the caches, take 1.1 times as long with 16.
constexpr std::ptrdiff_t kScreenAhead = 8 << 10;

constexpr std::size_t kRowLanes = NativeF32::kLanes;

// The sums of as many numbers as a register has lanes, in as many rows. Registers of sixteen have a form of their own,
// which is preferred to this template: transposing whole squares runs out of registers.
template <class Row>
NativeF32 sums_of_square(const Row* const* rows) {
    NativeF32 columns[kRowLanes];
    load_square(rows, 0, columns);
    for (std::size_t half = kRowLanes / 2; half > 0; half /= 2) {
        for (std::size_t i = 0; i < half; ++i) columns[i] = columns[i] + columns[i + half];
    }
    return columns[0];
}

// A query as the registers of a row meet it. The last register ends with the row, and of its lanes the new ones count.
struct ScreenQuery {
    const float* data;
    std::size_t n_whole, last;  // registers before the last one; where that begins
    NativeF32 is_new;

    ScreenQuery(const float* query, std::size_t dimension)
        : data(query), n_whole((dimension - 1) / kRowLanes), last(dimension - kRowLanes) {
        float lanes[kRowLanes];
        const std::size_t n_old = n_whole * kRowLanes - last;
        for (std::size_t i = 0; i < kRowLanes; ++i) lanes[i] = i < n_old ? 0 : 1;
        is_new = NativeF32::load(lanes);
    }
};

// The products and the squares of sixteen rows, those of a row in as many sums as a register has lanes.
struct RowSums {
    using Partial = float[kDenseLanes][kRowLanes];
    alignas(64) Partial dots;
    alignas(64) Partial squares;

    template <class Element>
    void read(std::size_t lane, const ScreenQuery& query, const Element* row, std::ptrdiff_t ahead) {
        const NativeF32 zero = NativeF32::broadcast(0);
        NativeF32 x = multiply_add(NativeF32::load(row + query.last), query.is_new, zero);
        NativeF32 dot = multiply_add(x, NativeF32::load(query.data + query.last), zero);
        NativeF32 square = multiply_add(x, x, zero);
        const Element* const end = row + query.n_whole * kRowLanes;
        for (const float* q = query.data; row != end; row += kRowLanes, q += kRowLanes) {
            __builtin_prefetch(reinterpret_cast<const char*>(row) + ahead, 0, 3);
            x = NativeF32::load(row);
            dot = multiply_add(x, NativeF32::load(q), dot);
            square = multiply_add(x, x, square);
        }
        dot.store(dots[lane]);
        square.store(squares[lane]);
    }

    __attribute__((noinline)) static F32 totals(const Partial& partial) {
        F32 sums;
        for (std::size_t part = 0; part < kParts; ++part) {
            const float* rows[kRowLanes];
            for (std::size_t i = 0; i < kRowLanes; ++i) rows[i] = partial[part * kRowLanes + i];
            sums.r[part] = sums_of_square(rows);
        }
        return sums;
    }
};

F32 in_float32(const double* values, std::size_t count) {
    float rounded[kDenseLanes] = {};
    for (std::size_t i = 0; i < count; ++i) rounded[i] = static_cast<float>(values[i]);
    return F32::load(rounded);
}

// A tile's bounds; tells which lanes may be of labels without a direction. Of a label beyond the limits nothing is
// known, and whatever is not a number compares as false. Not inlined: kernels for two kinds of elements share it.
__attribute__((noinline)) std::uint32_t bound(const RowSums& sums, const double* lengths, std::size_t n, float margin,
                                              float* lowest, float* highest) {
    const F32 zero = F32::broadcast(0), none = F32::broadcast(-infinity<float>());
    const F32 shortest = F32::broadcast(kShortestScreened), longest = F32::broadcast(kLongestScreened);
    const F32 length = root(RowSums::totals(sums.squares));
    const F32 given = lengths == nullptr ? length : in_float32(lengths, n);
    const F32 inverse = F32::broadcast(1) / given, score = multiply_add(RowSums::totals(sums.dots), inverse, zero);
    const F32 error = multiply_add(multiply_add(length, inverse, zero), F32::broadcast(margin), zero);
    const auto in_limits = [&](const F32& x, const F32& value) {
        return choose(x, shortest, choose(longest, x, value, none), none);
    };
    const F32 minus_one = F32::broadcast(-1), below = multiply_add(error, minus_one, score);
    const F32 minus_above = multiply_add(minus_one, score, multiply_add(error, minus_one, zero));
    in_limits(length, in_limits(given, below)).store(lowest);
    multiply_add(in_limits(length, in_limits(given, minus_above)), minus_one, zero).store(highest);
    return at_least(zero, given);
}

template <class Element>
__attribute__((noinline)) bool is_zero(const DenseRows& labels, std::size_t label) {
    const char* row = static_cast<const char*>(labels.data) + static_cast<std::ptrdiff_t>(label) * labels.stride;
    const auto* elements = reinterpret_cast<const Element*>(row);
    std::size_t d = 0;
    while (d < labels.dimension && value_of(elements[d]) == 0) ++d;
    return d == labels.dimension;
}

template <class Element>
void enclose(const float* query, const DenseRows& labels, const double* lengths, float margin, float* lowest,
             float* highest) {
    const std::ptrdiff_t stride = labels.stride, ahead = stride > 0 ? (kScreenAhead / stride + 1) * stride : stride;
    const ScreenQuery screened(query, labels.dimension);
    const char* row = static_cast<const char*>(labels.data);
    RowSums sums;
    for (std::size_t first = 0; first < labels.count; first += kDenseLanes) {
        const std::size_t n = labels.count - first < kDenseLanes ? labels.count - first : kDenseLanes;
        for (std::size_t lane = 0; lane < n; ++lane, row += stride) {
            sums.read(lane, screened, reinterpret_cast<const Element*>(row), ahead);
        }
        const double* given = lengths == nullptr ? nullptr : lengths + first;
        std::uint32_t left = bound(sums, given, n, margin, lowest + first, highest + first);
        for (; left != 0; left &= left - 1) {
            const auto lane = static_cast<std::size_t>(__builtin_ctz(left));
            if (lane >= n) break;
            const bool none = given == nullptr ? is_zero<Element>(labels, first + lane) : given[lane] == 0;
            if (none) highest[first + lane] = -infinity<float>();
        }
    }
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
