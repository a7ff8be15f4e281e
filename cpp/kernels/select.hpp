// Select: a floor that the k largest values of a row reach, and the columns that reach it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "half.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

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

// The k-th largest of 16 kParts values: the largest that k of them are not below. Counted in lanes: of a mask for each
// value the bits had to be counted, one mask at a time, in 2.7 times the time.
template <int kParts>
float kth_largest(const F32* values, std::size_t k) {
    float each[16 * kParts];
    for (int part = 0; part < kParts; ++part) values[part].store(each + 16 * part);
    const F32 none = F32::broadcast(0), one = F32::broadcast(1), lowest = F32::broadcast(-infinity<float>());
    F32 counts[kParts];
    for (F32& count : counts) count = none;
    for (const float value : each) {
        const F32 other = F32::broadcast(value);
        for (int part = 0; part < kParts; ++part) {
            counts[part] = counts[part] + choose(other, values[part], one, none);
        }
    }
    const F32 least = F32::broadcast(static_cast<float>(k));
    F32 kth = lowest;
    for (int part = 0; part < kParts; ++part) kth = max(kth, choose(counts[part], least, values[part], lowest));
    return largest(kth);
}

// Of 64 groups' maxima, or of 32 for few k: 12 values pass instead of 11 with k = 10, for half the comparisons.
float floor_of(const F32* largest, std::size_t k) {
    if (k > kSurveyLanes) return -infinity<float>();
    if (k > 16) return kth_largest<4>(largest, k);
    const F32 halves[2] = {max(largest[0], largest[2]), max(largest[1], largest[3])};
    return kth_largest<2>(halves, k);
}

// float32 will do: a floor may lie somewhat lower.
double floor_of(const F64* largest, std::size_t k) {
    constexpr float kMost = 0x1.fffffep127f, kLeast = 0x1p-149f;
    double each[kSurveyLanes];
    float below[kSurveyLanes];
    for (std::size_t part = 0; part < 4; ++part) largest[part].store(each + 16 * part);
    for (std::size_t i = 0; i < kSurveyLanes; ++i) {
        const auto x = static_cast<float>(each[i]);
        below[i] = x > kMost ? kMost : x - __builtin_fabsf(x) * 0x1p-23f - kLeast;
    }
    F32 lower[4];
    for (std::size_t part = 0; part < 4; ++part) lower[part] = F32::load(below + 16 * part);
    return static_cast<double>(floor_of(lower, k));
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
    result->floor = floor_of(largest, k);
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
        const F32 x = n - i >= 16 ? F32::load(row + i)
                      : n < 16    ? F32::load_first(row, n)
                                  : F32::load_last(row + n, n - i);
        largest[part] = max_bits(largest[part], x);
    }
    F32 most = max_bits(max_bits(largest[0], largest[1]), max_bits(largest[2], largest[3]));
    float lanes[16];
    std::uint32_t bits[16], most_bits = 0;
    most.store(lanes);
    __builtin_memcpy(bits, lanes, sizeof bits);
    for (const std::uint32_t b : bits) most_bits = b > most_bits ? b : most_bits;
    result->valid = most_bits < 0x7f800000u;  // infinity
    result->floor = floor_of(largest, k);
}

// Which of the 64 columns from i on reach the floor.
template <class Element, class Lanes>
std::uint64_t reaching(const Element* row, std::size_t i, const Lanes& floor) {
    std::uint64_t mask = 0;
    for (std::size_t part = 0; part < 4; ++part) {
        mask |= static_cast<std::uint64_t>(at_least(Lanes::load(row + i + 16 * part), floor)) << (16 * part);
    }
    return mask;
}

// Few columns are found, in any of the groups: one loop over all of them, since a loop for each group would be left at
// a guess. What a step hands to the next stays in registers, the next group's mask included: by way of memory they wait
// for each other, 1 % of a query.
template <class Element>
std::size_t collect_groups(const Element* row, std::size_t begin, std::size_t end,
                           typename Compared<Element>::Value floor, std::uint32_t* ids) {
    using Lanes = typename Compared<Element>::Lanes;
    constexpr std::size_t kGroups = 64;
    const Lanes lowest = Lanes::broadcast(floor);
    std::uint64_t masks[kGroups + 2];  // of the groups that hold any, then two of none
    std::uint32_t begins[kGroups + 2];
    std::size_t found = 0;
    for (std::size_t first = begin; first < end; first += 64 * kGroups) {
        std::size_t n_groups = 0, n_columns = found;
        for (std::size_t i = first; i < first + 64 * kGroups && i < end; i += 64) {
            // The last group ends with the row, and leaves out what the one before has seen.
            const std::size_t at = i + 64 <= end ? i : end - 64;
            const std::uint64_t mask = reaching(row, at, lowest) >> (i - at);
            masks[n_groups] = mask;
            begins[n_groups] = static_cast<std::uint32_t>(i);
            n_groups += static_cast<std::size_t>(mask != 0);
            n_columns += static_cast<std::size_t>(__builtin_popcountll(mask));
        }
        masks[n_groups] = masks[n_groups + 1] = 0;
        std::uint64_t mask = masks[0], next = masks[1];
        for (std::size_t group = 0; found < n_columns; ++found) {
            ids[found] = begins[group] + static_cast<std::uint32_t>(__builtin_ctzll(mask));
            mask &= mask - 1;
            const auto is_done = static_cast<std::uint64_t>(mask == 0);
            mask |= next & (0 - is_done);
            group += is_done;
            next = masks[group + 1];
        }
    }
    return found;
}

template <class Element>
std::size_t collect(const Element* row, std::size_t begin, std::size_t end, typename Compared<Element>::Value floor,
                    std::uint32_t* ids) {
    if (end >= 64) return collect_groups(row, begin, end, floor, ids);
    Element copy[64] = {};
    for (std::size_t i = begin; i < end; ++i) copy[i] = row[i];
    std::uint32_t columns[64];
    const std::size_t found = collect_groups(copy, begin, 64, floor, columns);
    std::size_t n = 0;
    while (n < found && columns[n] < end) {
        ids[n] = columns[n];
        ++n;
    }
    return n;
}

void rank_few(const float* values, std::size_t n, std::uint32_t* places) {
    float padded[kMostRanked];
    for (std::size_t i = 0; i < kMostRanked; ++i) padded[i] = i < n ? values[i] : -__builtin_inff();
    for (std::size_t i = 0; i < n; ++i) {
        const F32 value = F32::broadcast(values[i]);
        std::uint64_t not_below = 0, not_above = 0;
        for (std::size_t first = 0; first < kMostRanked && first < n; first += 16) {
            const F32 others = F32::load(padded + first);
            not_below |= static_cast<std::uint64_t>(at_least(others, value)) << first;
            not_above |= static_cast<std::uint64_t>(at_least(value, others)) << first;
        }
        const std::uint64_t before = (std::uint64_t{1} << i) - 1;
        const std::uint64_t better = (not_below & before) | (not_below & ~not_above);
        places[i] = static_cast<std::uint32_t>(__builtin_popcountll(better));
    }
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
