// The hot loops, compiled once per instruction set; CMake defines
//   CONSE_TARGET_NAME       the psABI name, "x86-64-v3"
//   CONSE_TARGET_NAMESPACE  the same as an identifier, x86_64_v3
//   CONSE_TARGET_HEADER     "native_avx2.hpp"
//   CONSE_TARGET_FUSED      whether multiply_add rounds once
// Raw pointers only: no containers, no algorithms, no allocation, no exceptions (kernels.hpp says why).
#include "kernels.hpp"

#include <cstddef>
#include <cstdint>

#include CONSE_TARGET_HEADER
#include "dense.hpp"
#include "half.hpp"
#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

static_assert(kDotLanes == 16 && kTileLanes == 32 && kSurveyLanes == 64, "the loops below are written for these");

// What an element of a row becomes when it is compared.
template <class Element>
struct Compared {
    using Value = float;
    using Lanes = F32;
};
template <>
struct Compared<double> {
    using Value = double;
    using Lanes = F64;
};

float value_of(std::uint16_t bits) {
    return half_to_float(bits);
}
float value_of(float x) {
    return x;
}
double value_of(double x) {
    return x;
}

template <class Value>
Value infinity() {
    return static_cast<Value>(__builtin_inff());
}

// ---- select ----------------------------------------------------------------------------------------------

// The k-th largest of 16 kParts values: the largest that k of them are not below.
template <int kParts, class Lanes, class Value>
Value kth_largest(const Lanes* values, std::size_t k) {
    Value each[16 * kParts], kth = -infinity<Value>();
    for (int part = 0; part < kParts; ++part) values[part].store(each + 16 * part);
    for (const Value value : each) {
        const Lanes candidate = Lanes::broadcast(value);
        std::size_t n_at_least = 0;
        for (int part = 0; part < kParts; ++part) {
            n_at_least += static_cast<std::size_t>(__builtin_popcount(at_least(values[part], candidate)));
        }
        kth = n_at_least >= k && value > kth ? value : kth;
    }
    return kth;
}

template <class Element>
void survey(const Element* row, std::size_t n, std::size_t k, Survey<typename Compared<Element>::Value>* result) {
    using Value = typename Compared<Element>::Value;
    using Lanes = typename Compared<Element>::Lanes;
    Lanes largest[4], smallest = Lanes::broadcast(infinity<Value>()), total = Lanes::broadcast(0);
    for (Lanes& lanes : largest) lanes = Lanes::broadcast(-infinity<Value>());
    std::size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        Lanes x[4];
        for (int part = 0; part < 4; ++part) {
            x[part] = Lanes::load(row + i + 16 * part);
            largest[part] = max(largest[part], x[part]);
        }
        // One step of each chain for 64 columns: with one for 16 the additions' latency took longer than reading.
        smallest = min(smallest, min(min(x[0], x[1]), min(x[2], x[3])));
        total = total + ((x[0] + x[1]) + (x[2] + x[3]));
    }
    for (std::size_t part = 0; i + 16 <= n; i += 16, ++part) {
        const Lanes x = Lanes::load(row + i);
        largest[part] = max(largest[part], x);
        smallest = min(smallest, x);
        total = total + x;
    }
    Value small[16], last[64], sum_of_all = sum(total);
    smallest.store(small);
    for (int lane = 1; lane < 16; ++lane) small[0] = small[lane] < small[0] ? small[lane] : small[0];
    for (Value& lane : last) lane = -infinity<Value>();
    for (; i < n; ++i) {
        const Value x = last[i % 64] = value_of(row[i]);
        small[0] = x < small[0] ? x : small[0];
        sum_of_all += x;
    }
    for (int part = 0; part < 4; ++part) largest[part] = max(largest[part], Lanes::load(last + 16 * part));
    result->minimum = small[0];
    result->finite = sum_of_all - sum_of_all == 0;  // NaN from the first NaN or infinity on
    if (k <= 16) {
        const Lanes halves[2] = {max(largest[0], largest[2]), max(largest[1], largest[3])};
        result->floor = kth_largest<2, Lanes, Value>(halves, k);
    } else {
        result->floor = k <= kSurveyLanes ? kth_largest<4, Lanes, Value>(largest, k) : -infinity<Value>();
    }
}

template <class Element>
std::size_t collect(const Element* row, std::size_t begin, std::size_t end, typename Compared<Element>::Value floor,
                    std::uint32_t* ids) {
    using Lanes = typename Compared<Element>::Lanes;
    const Lanes lowest = Lanes::broadcast(floor);
    std::size_t found = 0;
    for (std::size_t i = begin; i < end; i += 64) {
        std::uint64_t mask = 0;
        for (std::size_t part = 0; part < 4; ++part) {
            const std::size_t at = i + 16 * part;
            if (at + 16 <= end) {
                mask |= static_cast<std::uint64_t>(at_least(Lanes::load(row + at), lowest)) << (16 * part);
            } else if (at < end) {
                const std::uint32_t valid = (1u << (end - at)) - 1;
                const std::uint32_t bits = at_least(Lanes::load_first(row + at, end - at), lowest) & valid;
                mask |= static_cast<std::uint64_t>(bits) << (16 * part);
            }
        }
        for (; mask != 0; mask &= mask - 1) {
            ids[found++] = static_cast<std::uint32_t>(i) + static_cast<std::uint32_t>(__builtin_ctzll(mask));
        }
    }
    return found;
}

// ---- combine ---------------------------------------------------------------------------------------------

template <int kParts>
struct Parts {
    static constexpr int value = kParts;
};

// kParts x 16 dimensions from d on: as many chains of additions as registers allow, or each would wait for itself.
template <int kParts>
void combine_at(const double* weights, const std::uint32_t* rows, std::size_t n_terms, const float* embeddings,
                std::size_t dimension, std::size_t d, double* f) {
    F64 sums[kParts];
    for (F64& sum : sums) sum = F64::broadcast(0);
    for (std::size_t t = 0; t < n_terms; ++t) {
        const float* row = embeddings + static_cast<std::size_t>(rows[t]) * dimension + d;
        const F64 weight = F64::broadcast(weights[t]);
        for (int part = 0; part < kParts; ++part) {
            const bool whole = kParts > 1 || d + 16 <= dimension;
            const F64 x = whole ? F64::load(row + 16 * part) : F64::load_first(row, dimension - d);
            sums[part] = multiply_add(weight, x, sums[part]);
        }
    }
    for (int part = 0; part < kParts; ++part) sums[part].store(f + d + 16 * static_cast<std::size_t>(part));
}

void combine(const double* weights, const std::uint32_t* rows, std::size_t n_terms, const float* embeddings,
             std::size_t dimension, double* f) {
    constexpr int kParts = F64::kRegisters < 4 ? 8 / F64::kRegisters : 2;
    constexpr std::size_t kStep = 16 * kParts;
    const auto at = [&](auto parts, std::size_t d) {
        combine_at<decltype(parts)::value>(weights, rows, n_terms, embeddings, dimension, d, f);
    };
    // The last step ends with the row: it computes some dimensions again, to the same bits, and needs no masks.
    std::size_t d = 0;
    for (; d + kStep <= dimension; d += kStep) at(Parts<kParts>(), d);
    if (d < dimension && dimension >= kStep) {
        at(Parts<kParts>(), dimension - kStep);
    } else if (d < dimension) {
        for (; d + 16 <= dimension; d += 16) at(Parts<1>(), d);
        if (d < dimension) at(Parts<1>(), dimension >= 16 ? dimension - 16 : 0);
    }
    for (d = dimension; d % 16 != 0; ++d) f[d] = 0;
}

double squared_length(const double* f, std::size_t dimension) {
    F64 squares = F64::broadcast(0);
    for (std::size_t d = 0; d < dimension; d += 16) {
        const F64 x = F64::load(f + d);
        squares = multiply_add(x, x, squares);
    }
    return sum(squares);
}

// ---- bound and score -------------------------------------------------------------------------------------

template <bool kPlain>
std::uint32_t score(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* tile,
                    float floor, float* scores) {
    F32 low = F32::broadcast(0), high = low;
    for (std::size_t begin = 0; begin < n_terms; begin += kRunTerms) {
        const std::size_t end = n_terms - begin < kRunTerms ? n_terms : begin + kRunTerms;
        F32 run_low = F32::broadcast(0), run_high = run_low;
        for (std::size_t t = begin; t < end; ++t) {
            const float* row = tile + kTileLanes * (kPlain ? t : rows[t]);
            const F32 weight = F32::broadcast(weights[t]);
            run_low = multiply_add(weight, F32::load(row), run_low);
            run_high = multiply_add(weight, F32::load(row + 16), run_high);
        }
        low = low + run_low;
        high = high + run_high;
    }
    low.store(scores);
    high.store(scores + 16);
    const F32 lowest = F32::broadcast(floor);
    return at_least(low, lowest) | at_least(high, lowest) << 16;
}

std::uint32_t best_lane(const float* scores, float* best) {
    F32 largest = max(F32::load(scores), F32::load(scores + 16));
    float lanes[16];
    largest.store(lanes);
    for (int distance = 8; distance > 0; distance /= 2) {
        for (int i = 0; i < distance; ++i) lanes[i] = lanes[i] > lanes[i + distance] ? lanes[i] : lanes[i + distance];
    }
    *best = lanes[0];
    const F32 lowest = F32::broadcast(lanes[0]);
    const std::uint32_t mask = at_least(F32::load(scores), lowest) | at_least(F32::load(scores + 16), lowest) << 16;
    return mask == 0 ? 0 : static_cast<std::uint32_t>(__builtin_ctz(mask));
}

std::uint32_t score_tile(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* tile,
                         float floor, float* scores) {
    return score<false>(weights, rows, n_terms, tile, floor, scores);
}

std::uint32_t score_plain_tile(const float* weights, std::size_t n_terms, const float* tile, float floor,
                               float* scores) {
    return score<true>(weights, nullptr, n_terms, tile, floor, scores);
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE

#define CONSE_JOIN_(a, b) a##b
#define CONSE_JOIN(a, b) CONSE_JOIN_(a, b)
#define CONSE_TABLE CONSE_JOIN(kernels_, CONSE_TARGET_NAMESPACE)

extern const KernelTable CONSE_TABLE;
const KernelTable CONSE_TABLE = {
    CONSE_TARGET_NAME,
    CONSE_TARGET_FUSED,
    CONSE_TARGET_NAMESPACE::survey<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::survey<float>,
    CONSE_TARGET_NAMESPACE::survey<double>,
    CONSE_TARGET_NAMESPACE::collect<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::collect<float>,
    CONSE_TARGET_NAMESPACE::collect<double>,
    CONSE_TARGET_NAMESPACE::combine,
    CONSE_TARGET_NAMESPACE::squared_length,
    CONSE_TARGET_NAMESPACE::score_tile,
    CONSE_TARGET_NAMESPACE::score_plain_tile,
    CONSE_TARGET_NAMESPACE::best_lane,
    CONSE_TARGET_NAMESPACE::pack<float>,
    CONSE_TARGET_NAMESPACE::pack<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::dots<float>,
    CONSE_TARGET_NAMESPACE::dots<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::invert_lengths,
    CONSE_TARGET_NAMESPACE::scale,
    CONSE_TARGET_NAMESPACE::score_queries,
};

}  // namespace conse
