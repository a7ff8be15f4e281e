// Unit queries of a batch as the kernels read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <vector>

#include "core/line.hpp"
#include "core/query.hpp"

namespace conse {

struct Directions {
    enum Kind : char { kNone, kUsual, kExtreme };  // no direction; scored by the kernels; scored in float64

    std::size_t stride;
    std::vector<Line> units;  // (queries, stride)
    std::vector<Kind> kinds;

    // An odd number of cache lines apart: rows of 1,024 numbers would all take the same few places of the cache.
    Directions(std::size_t count, std::size_t dimension)
        : stride(padded(dimension) + (padded(dimension) / 16 % 2 == 0 ? 16 : 0)),
          units(count * stride / kDotLanes),
          kinds(count, kNone) {}
    const float* operator[](std::size_t q) const { return units.data()->lanes + q * stride; }
    float* operator[](std::size_t q) { return units.data()->lanes + q * stride; }

    /// The direction of f, if it has one.
    void set(std::size_t q, Query& query) {
        if (!query.has_direction()) return;
        kinds[q] = kUsual;
        query.make_direction();
        std::copy(query.direction().begin(), query.direction().end(), (*this)[q]);
    }
};

struct Range {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
};

}  // namespace conse
