// Screening for one dense query: which labels may reach its floor. Rows are read from end to end, at the speed of
// memory, where `dots` needs sixteen of them side by side; what comes out is near the scores, not their bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"
#include "lanes.hpp"
#include "product.hpp"

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

    static F32 totals(const Partial& partial) {
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

template <class Element>
void screen(const float* query, const DenseRows& labels, const double* lengths, float floor, float margin,
            std::uint16_t* masks) {
    const F32 zero = F32::broadcast(0), lowest = F32::broadcast(floor), less = F32::broadcast(-margin);
    const F32 shortest = F32::broadcast(kShortestScreened), longest = F32::broadcast(kLongestScreened);
    const std::ptrdiff_t stride = labels.stride, ahead = stride > 0 ? (kScreenAhead / stride + 1) * stride : stride;
    const ScreenQuery screened(query, labels.dimension);
    const char* row = static_cast<const char*>(labels.data);
    RowSums sums;
    for (std::size_t first = 0; first < labels.count; first += kDenseLanes) {
        const std::size_t n = labels.count - first < kDenseLanes ? labels.count - first : kDenseLanes;
        for (std::size_t lane = 0; lane < n; ++lane, row += stride) {
            sums.read(lane, screened, reinterpret_cast<const Element*>(row), ahead);
        }
        const F32 dot = RowSums::totals(sums.dots), length = root(RowSums::totals(sums.squares));
        const F32 given = lengths == nullptr ? length : in_float32(lengths + first, n);
        const F32 least = multiply_add(lowest, given, multiply_add(less, length, zero));
        // Whatever is not a number compares as false and may reach anything.
        const std::uint32_t usual = at_least(length, shortest) & at_least(longest, length) & at_least(given, shortest) &
                                    at_least(longest, given);
        masks[first / kDenseLanes] = static_cast<std::uint16_t>(~(usual & at_least(least, dot)));
    }
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
