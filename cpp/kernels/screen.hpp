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

// Rows that are added up at once, which takes a quarter of the lanes, or the only one, and how many times fill a
// register.
constexpr std::size_t kRowsAtOnce = kRowLanes < 4 ? 1 : 4, kTimes = kRowLanes / kRowsAtOnce;

// Wider registers have their own.
template <class Native>
Native join(const Native (&sums)[1]) {
    return sums[0];
}

// A query as the registers of a row meet it. The last register ends with the row, and of its lanes the new ones count:
// none where one register holds the row.
struct ScreenQuery {
    const float* data;
    std::size_t n_whole, last;  // registers before the last one, at least one; where that begins
    NativeF32 is_new;

    ScreenQuery(const float* query, std::size_t dimension)
        : data(query), n_whole(dimension > kRowLanes ? (dimension - 1) / kRowLanes : 1), last(dimension - kRowLanes) {
        float lanes[kRowLanes];
        const std::size_t n_old = n_whole * kRowLanes - last;
        for (std::size_t i = 0; i < kRowLanes; ++i) lanes[i] = i < n_old ? 0 : 1;
        is_new = NativeF32::load(lanes);
    }
};

// Reads rows one after the other; the last one comes again and again. Four rows side by side, which would share what is
// loaded of the query, took 1.1 (50 dimensions) to 2 times as long (300).
template <class Element>
class RowReader {
  public:
    RowReader(const DenseRows& rows, const float* query)
        : query_(query, rows.dimension),
          row_(static_cast<const char*>(rows.data)),
          stride_(rows.stride),
          ahead_(stride_ > 0 ? (kScreenAhead / stride_ + 1) * stride_ : stride_),
          left_(static_cast<std::ptrdiff_t>(rows.count)) {}

    // The products and the squares of sixteen rows.
    void read_tile(float* dots, float* squares) {
        for (std::size_t part = 0; part < kParts; ++part) {
            NativeF32 some_dots[kTimes], some_squares[kTimes];
#pragma GCC unroll 4
            for (std::size_t time = 0; time < kTimes; ++time) {
                if constexpr (kIsHalf) {
                    read_some_apart(some_dots[time], some_squares[time]);
                } else {
                    read_some(some_dots[time], some_squares[time]);
                }
            }
            join(some_dots).store(dots + part * kRowLanes);
            join(some_squares).store(squares + part * kRowLanes);
        }
    }

  private:
    // A row gives as many sums as a register has lanes, which are added up without leaving the registers. Together with
    // bounding whole ranges afterwards 0.8 (x86-64-v4 and v2) and 0.6 (v3) of the time that storing those of sixteen
    // rows took, 50 dimensions.
    __attribute__((always_inline)) void read_some(NativeF32& dots, NativeF32& squares) {
        NativeF32 row_dots[kRowsAtOnce], row_squares[kRowsAtOnce];
#pragma GCC unroll 4
        for (std::size_t i = 0; i < kRowsAtOnce; ++i) {
            if constexpr (kIsHalf && !kConvertsHalves) {
                read_row_apart(row_dots[i], row_squares[i]);
            } else {
                read_row(row_dots[i], row_squares[i]);
            }
            row_ += --left_ > 0 ? stride_ : 0;
        }
        dots = sums_of(row_dots);
        squares = sums_of(row_squares);
    }

    void read_row(NativeF32& dot, NativeF32& square) const {
        const auto* row = reinterpret_cast<const Element*>(row_);
        NativeF32 x = NativeF32::load(row + query_.last) * query_.is_new;
        dot = x * NativeF32::load(query_.data + query_.last);
        square = x * x;
        const float *q = query_.data, *const end = q + query_.n_whole * kRowLanes;
        do {
            __builtin_prefetch(reinterpret_cast<const char*>(row) + ahead_, 0, 3);
            x = NativeF32::load(row);
            dot = multiply_add(x, NativeF32::load(q), dot);
            square = multiply_add(x, x, square);
            row += kRowLanes;
        } while ((q += kRowLanes) != end);
    }

    // float16 is read by functions of its own, since sixteen copies of what converts it are much code; for each row
    // only where no instruction does, which takes 2 times as long elsewhere.
    static constexpr bool kIsHalf = sizeof(Element) != sizeof(float);
    __attribute__((noinline)) void read_some_apart(NativeF32& dots, NativeF32& squares) { read_some(dots, squares); }
    __attribute__((noinline)) void read_row_apart(NativeF32& dot, NativeF32& square) const { read_row(dot, square); }

    const ScreenQuery query_;
    const char* row_;
    const std::ptrdiff_t stride_, ahead_;
    std::ptrdiff_t left_;  // rows from this one on
};

F32 in_float32(const double* values, std::size_t count) {
    float rounded[kDenseLanes] = {};
    for (std::size_t i = 0; i < count; ++i) rounded[i] = static_cast<float>(values[i]);
    return F32::load(rounded);
}

// Bounds in the places of a tile's sums, those of products and of squares; tells which lanes may be of labels without a
// direction. Of a label beyond the limits nothing is known, and whatever is not a number compares as false. Not
// inlined: kernels for two kinds of elements share it.
__attribute__((noinline)) std::uint32_t bound(const double* lengths, std::size_t n, float margin, float* lowest,
                                              float* highest) {
    const F32 shortest = F32::broadcast(kShortestScreened), longest = F32::broadcast(kLongestScreened);
    const F32 minus_one = F32::broadcast(-1), lowest_of_all = F32::broadcast(-infinity<float>());
    const F32 length = root(F32::load(highest));
    const F32 given = lengths == nullptr ? length : in_float32(lengths, n);
    const F32 inverse = F32::broadcast(1) / given, score = F32::load(lowest) * inverse;
    const auto in_limits = [&](const F32& x, const F32& value) {
        return choose(x, shortest, choose(longest, x, value, lowest_of_all), lowest_of_all);
    };
    const F32 minus_error = in_limits(length, in_limits(given, length * inverse * F32::broadcast(-margin)));
    const auto number = [&](const F32& x) { return choose(x, lowest_of_all, x, lowest_of_all); };
    number(score + minus_error).store(lowest);
    (number(multiply_add(score, minus_one, minus_error)) * minus_one).store(highest);
    return at_least(F32::broadcast(0), given);
}

// Whether no bit is set in a row but those that `signs` has; 32 bytes at a time, the last ones perhaps in part again.
__attribute__((noinline)) bool is_zero(const char* row, std::size_t size, std::uint64_t signs) {
    std::uint64_t words[4];
    const std::size_t last = size - sizeof words;
    for (std::size_t at = 0;; at = at + sizeof words < last ? at + sizeof words : last) {
        __builtin_memcpy(words, row + at, sizeof words);
        if (((words[0] | words[1] | words[2] | words[3]) & ~signs) != 0) return false;
        if (at == last) return true;
    }
}

template <class Element>
void enclose(const float* query, const DenseRows& labels, const double* lengths, float margin, float* lowest,
             float* highest) {
    constexpr std::uint64_t signs = sizeof(Element) == sizeof(float) ? 0x8000000080000000 : 0x8000800080008000;
    const std::size_t row_size = labels.dimension * sizeof(Element);
    const auto row_of = [&](std::size_t label) {
        return static_cast<const char*>(labels.data) + static_cast<std::ptrdiff_t>(label) * labels.stride;
    };
    RowReader<Element> reader(labels, query);
    for (std::size_t first = 0; first < labels.count; first += kDenseLanes) {
        reader.read_tile(lowest + first, highest + first);
    }
    for (std::size_t first = 0; first < labels.count; first += kDenseLanes) {
        const std::size_t n = labels.count - first < kDenseLanes ? labels.count - first : kDenseLanes;
        const double* given = lengths == nullptr ? nullptr : lengths + first;
        std::uint32_t left = bound(given, n, margin, lowest + first, highest + first);
        for (; left != 0; left &= left - 1) {
            const auto lane = static_cast<std::size_t>(__builtin_ctz(left));
            if (lane >= n) break;
            const bool none = given == nullptr ? is_zero(row_of(first + lane), row_size, signs) : given[lane] == 0;
            if (none) highest[first + lane] = -infinity<float>();
        }
    }
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
