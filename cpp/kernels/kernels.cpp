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

static_assert(kDotLanes == 16 && kBlockRows == 16 && kFanOut == 32 && kSurveyLanes == 64, "the loops below are written for these");

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

// Of 64 groups' maxima, or of 32 for few k: 12 values pass instead of 11 with k = 10, for half the comparisons.
template <class Lanes, class Value>
Value floor_of(const Lanes* largest, std::size_t k) {
    if (k > kSurveyLanes) return -infinity<Value>();
    if (k > 16) return kth_largest<4, Lanes, Value>(largest, k);
    const Lanes halves[2] = {max(largest[0], largest[2]), max(largest[1], largest[3])};
    return kth_largest<2, Lanes, Value>(halves, k);
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
    result->floor = floor_of<Lanes, Value>(largest, k);
}

template <class Element>
void survey_weights(const Element* row, std::size_t n, std::size_t k, WeightSurvey* result) {
    F32 largest[4];
    for (F32& lanes : largest) lanes = F32::broadcast(0);
    std::size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        for (int part = 0; part < 4; ++part) {
            largest[part] = max_bits(largest[part], F32::load(row + i + 16 * part));
        }
    }
    for (int part = 0; i < n; i += 16, ++part) {
        largest[part] = max_bits(largest[part], n - i < 16 ? F32::load_first(row + i, n - i) : F32::load(row + i));
    }
    F32 most = max_bits(max_bits(largest[0], largest[1]), max_bits(largest[2], largest[3]));
    float lanes[16];
    std::uint32_t bits[16], most_bits = 0;
    most.store(lanes);
    __builtin_memcpy(bits, lanes, sizeof bits);
    for (const std::uint32_t b : bits) most_bits = b > most_bits ? b : most_bits;
    result->valid = most_bits < 0x7f800000u;  // infinity
    result->floor = floor_of<F32, float>(largest, k);
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

// Up to kRuns runs side by side: one chain of additions alone waits for itself, 460 of 3,600 ns a query from the
// embeddings (300 dimensions). The last run may be shorter.
template <bool kPlain, int kRuns>
F32 score_runs(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
               std::size_t stride, F32 total) {
    F32 runs[kRuns];
    for (F32& run : runs) run = F32::broadcast(0);
    const auto add = [&](int run, std::size_t t) {
        const float* row = block + stride * (kPlain ? t : rows[t]);
        runs[run] = multiply_add(F32::broadcast(weights[t]), F32::load(row), runs[run]);
    };
    const std::size_t last = n_terms - (kRuns - 1) * kRunTerms;
    for (std::size_t t = 0; t < last; ++t) {
        for (int run = 0; run < kRuns; ++run) add(run, t + static_cast<std::size_t>(run) * kRunTerms);
    }
    for (std::size_t t = last; kRuns > 1 && t < kRunTerms; ++t) {
        for (int run = 0; run < kRuns - 1; ++run) add(run, t + static_cast<std::size_t>(run) * kRunTerms);
    }
    for (const F32& run : runs) total = total + run;
    return total;
}

// Up to kRunTerms runs.
template <bool kPlain>
F32 score_run_of_runs(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
                      std::size_t stride) {
    F32 total = F32::broadcast(0);
    for (std::size_t t = 0; t < n_terms; t += 4 * kRunTerms) {
        const std::size_t left = n_terms - t;
        const float* columns = kPlain ? block + stride * t : block;
        const std::uint32_t* own_rows = kPlain ? nullptr : rows + t;
        if (left > 3 * kRunTerms) {
            const std::size_t n = left < 4 * kRunTerms ? left : 4 * kRunTerms;
            total = score_runs<kPlain, 4>(weights + t, own_rows, n, columns, stride, total);
        } else if (left > 2 * kRunTerms) {
            total = score_runs<kPlain, 3>(weights + t, own_rows, left, columns, stride, total);
        } else if (left > kRunTerms) {
            total = score_runs<kPlain, 2>(weights + t, own_rows, left, columns, stride, total);
        } else {
            total = score_runs<kPlain, 1>(weights + t, own_rows, left, columns, stride, total);
        }
    }
    return total;
}

template <bool kPlain>
std::uint32_t score(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
                    std::size_t stride, float floor, float* scores) {
    constexpr std::size_t kTerms = kRunTerms * kRunTerms;
    F32 total = F32::broadcast(0);
    for (std::size_t t = 0; t < n_terms; t += kTerms) {
        const std::size_t n = n_terms - t < kTerms ? n_terms - t : kTerms;
        total = total + score_run_of_runs<kPlain>(weights + t, kPlain ? nullptr : rows + t, n,
                                                  kPlain ? block + stride * t : block, stride);
    }
    total.store(scores);
    return at_least(total, F32::broadcast(floor));
}

std::uint32_t score_block(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* block,
                          std::size_t stride, float floor, float* scores) {
    return score<false>(weights, rows, n_terms, block, stride, floor, scores);
}

std::uint32_t score_plain_block(const float* weights, std::size_t n_terms, const float* block, float floor,
                                float* scores) {
    return score<true>(weights, nullptr, n_terms, block, kBlockRows, floor, scores);
}

void bound_tile(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const std::int16_t* tile,
                std::size_t stride, float step, float* bounds) {
    F32 low = F32::broadcast(0), high = low;
    for (std::size_t t = 0; t < n_terms; ++t) {
        const std::int16_t* row = tile + stride * rows[t];
        const F32 weight = F32::broadcast(weights[t] * step);
        low = multiply_add(weight, F32::load(row), low);
        high = multiply_add(weight, F32::load(row + 16), high);
    }
    low.store(bounds);
    high.store(bounds + 16);
}

std::uint32_t best_lane(const float* bounds, float* best) {
    const F32 low = F32::load(bounds), high = F32::load(bounds + 16);
    *best = largest(max(low, high));
    const F32 lowest = F32::broadcast(*best);
    const std::uint32_t mask = at_least(low, lowest) | at_least(high, lowest) << 16;
    return mask == 0 ? 0 : static_cast<std::uint32_t>(__builtin_ctz(mask));
}

// The place of a lane is the number of lanes that beat it: no branch depends on a bound.
std::uint32_t order_lanes(const float* bounds, float floor, std::uint8_t* lanes) {
    const F32 low = F32::load(bounds), high = F32::load(bounds + 16);
    const F32 lowest = F32::broadcast(floor > -__FLT_MAX__ ? floor : -__FLT_MAX__);
    const std::uint32_t mask = at_least(low, lowest) | at_least(high, lowest) << 16;
    for (std::uint32_t left = mask; left != 0; left &= left - 1) {
        const auto lane = static_cast<std::uint32_t>(__builtin_ctz(left));
        const F32 own = F32::broadcast(bounds[lane]);
        const std::uint32_t not_above = at_least(own, low) | at_least(own, high) << 16;
        const std::uint32_t not_below = at_least(low, own) | at_least(high, own) << 16;
        const std::uint32_t before = not_below & (~not_above | ((1u << lane) - 1)) & mask;
        lanes[__builtin_popcount(before)] = static_cast<std::uint8_t>(lane);
    }
    return static_cast<std::uint32_t>(__builtin_popcount(mask));
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
    CONSE_TARGET_NAMESPACE::survey_weights<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::survey_weights<float>,
    CONSE_TARGET_NAMESPACE::collect<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::collect<float>,
    CONSE_TARGET_NAMESPACE::collect<double>,
    CONSE_TARGET_NAMESPACE::combine,
    CONSE_TARGET_NAMESPACE::squared_length,
    CONSE_TARGET_NAMESPACE::score_block,
    CONSE_TARGET_NAMESPACE::score_plain_block,
    CONSE_TARGET_NAMESPACE::bound_tile,
    CONSE_TARGET_NAMESPACE::best_lane,
    CONSE_TARGET_NAMESPACE::order_lanes,
    CONSE_TARGET_NAMESPACE::pack<float>,
    CONSE_TARGET_NAMESPACE::pack<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::dots<float>,
    CONSE_TARGET_NAMESPACE::dots<std::uint16_t>,
    CONSE_TARGET_NAMESPACE::invert_lengths,
    CONSE_TARGET_NAMESPACE::scale,
    CONSE_TARGET_NAMESPACE::score_queries,
};

}  // namespace conse
