// Combine: sums of weighted rows of embeddings, and their length.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"
#include "lanes.hpp"
#include "product.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

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

// kRuns whole runs of terms, or one that may be shorter, for kParts x 16 dimensions: enough chains of additions that
// none waits for itself.
template <int kRuns, int kParts>
void add_runs(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* embeddings,
              std::size_t dimension, std::size_t n_dimensions, double* totals) {
    F32 sums[kRuns][kParts];
    for (auto& run : sums) {
        for (F32& part : run) part = F32::broadcast(0);
    }
    for (std::size_t t = 0; t < (kRuns > 1 ? kRunTerms : n_terms); ++t) {
        for (int run = 0; run < kRuns; ++run) {
            const std::size_t term = t + kRunTerms * static_cast<std::size_t>(run);
            const float* row = embeddings + static_cast<std::size_t>(rows[term]) * dimension;
            const F32 weight = F32::broadcast(weights[term]);
            for (int part = 0; part < kParts; ++part) {
                const F32 x = n_dimensions < 16 ? F32::load_first(row, n_dimensions) : F32::load(row + 16 * part);
                sums[run][part] = multiply_add(weight, x, sums[run][part]);
            }
        }
    }
    for (auto& run : sums) {
        float lanes[16 * kParts];
        for (int part = 0; part < kParts; ++part) run[part].store(lanes + 16 * part);
        for (int i = 0; i < 16 * kParts; ++i) totals[i] += static_cast<double>(lanes[i]);
    }
}

// kParts x 16 dimensions from d on, or n_dimensions < 16.
template <int kParts>
void combine_many_at(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* embeddings,
                     std::size_t dimension, std::size_t d, std::size_t n_dimensions, double* f) {
    constexpr int kRuns = kParts < 4 ? 4 / kParts : 1;
    constexpr std::size_t kStep = kRuns * kRunTerms;
    double totals[16 * kParts] = {};
    std::size_t t = 0;
    for (; t + kStep <= n_terms; t += kStep) {
        add_runs<kRuns, kParts>(weights + t, rows + t, kStep, embeddings + d, dimension, n_dimensions, totals);
    }
    for (; t < n_terms; t += kRunTerms) {
        const std::size_t n = n_terms - t < kRunTerms ? n_terms - t : kRunTerms;
        add_runs<1, kParts>(weights + t, rows + t, n, embeddings + d, dimension, n_dimensions, totals);
    }
    for (int i = 0; i < 16 * kParts; ++i) f[d + static_cast<std::size_t>(i)] = totals[i];
}

// Rows are read from end to end as far as registers allow: of one strip at a time every row would be a miss.
void combine_many(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* embeddings,
                  std::size_t dimension, double* f) {
    constexpr int kWide = F32::kRegisters == 1 ? 16 : 4;
    const auto at = [&](auto parts, std::size_t d, std::size_t n_dimensions) {
        combine_many_at<decltype(parts)::value>(weights, rows, n_terms, embeddings, dimension, d, n_dimensions, f);
    };
    std::size_t d = 0;
    for (; d + 16 * kWide <= dimension; d += 16 * kWide) at(Parts<kWide>(), d, 16 * kWide);
    for (; d + 64 <= dimension; d += 64) at(Parts<4>(), d, 64);
    // The last steps end with the row, as in combine.
    if (d < dimension && dimension >= 64) {
        at(Parts<4>(), dimension - 64, 64);
    } else {
        for (; d + 32 <= dimension; d += 32) at(Parts<2>(), d, 32);
        for (; d + 16 <= dimension; d += 16) at(Parts<1>(), d, 16);
        if (d < dimension) at(Parts<1>(), dimension >= 16 ? dimension - 16 : 0, dimension >= 16 ? 16 : dimension);
    }
    for (d = dimension; d % 16 != 0; ++d) f[d] = 0;
}

// kQueries from q on, kTiles x 16 dimensions from d on.
template <int kTiles, int kQueries>
void combine_tiles(const AllShares& shares, std::size_t q, const float* embeddings, std::size_t dimension,
                   std::size_t d, float* sums, std::size_t sums_stride) {
    const float* tiles[kTiles];
    for (std::size_t t = 0; t < kTiles; ++t) tiles[t] = embeddings + d + t * kDenseLanes;
    Block<kTiles, kQueries, RowColumns> block(shares.data + q * shares.stride, shares.stride, tiles, {dimension},
                                              shares.n_classes);
    block.score();
    for (int i = 0; i < kQueries; ++i) block.store(i, sums + (q + static_cast<std::size_t>(i)) * sums_stride + d);
}

// All dimensions. The last ones end with the row: some are computed again, to the same bits, but no more than 15 where
// one tile is left (50 dimensions: 64 instead of 96), which has chains enough for several queries only.
template <int kTiles, int kQueries>
void combine_dimensions(const AllShares& shares, std::size_t q, const float* embeddings, std::size_t dimension,
                        float* sums, std::size_t sums_stride) {
    constexpr std::size_t kStep = kTiles * kDenseLanes;
    std::size_t d = 0;
    for (; d + kStep <= dimension; d += kStep) {
        combine_tiles<kTiles, kQueries>(shares, q, embeddings, dimension, d, sums, sums_stride);
    }
    if (d == dimension) return;
    if (kQueries > 1 && d + kDenseLanes >= dimension) {
        combine_tiles<1, kQueries>(shares, q, embeddings, dimension, dimension - kDenseLanes, sums, sums_stride);
    } else {
        combine_tiles<kTiles, kQueries>(shares, q, embeddings, dimension, dimension - kStep, sums, sums_stride);
    }
}

template <int kTiles, int kQueries>
void combine_queries(const AllShares& shares, std::size_t q, const float* embeddings, std::size_t dimension,
                     float* sums, std::size_t sums_stride) {
    if (dimension >= kTiles * kDenseLanes) {
        combine_dimensions<kTiles, kQueries>(shares, q, embeddings, dimension, sums, sums_stride);
    } else if constexpr (kTiles > 3) {
        combine_queries<3, kQueries>(shares, q, embeddings, dimension, sums, sums_stride);
    } else {
        combine_dimensions<1, kQueries>(shares, q, embeddings, dimension, sums, sums_stride);
    }
}

void combine_all(const AllShares& shares, const float* embeddings, std::size_t dimension, float* sums,
                 std::size_t sums_stride) {
    constexpr std::size_t kQueries = kScoreQueries;
    for (std::size_t next = 0; next < shares.count && shares.count >= kQueries; next += kQueries) {
        const std::size_t q = next + kQueries <= shares.count ? next : shares.count - kQueries;
        combine_queries<kScoreTiles, kScoreQueries>(shares, q, embeddings, dimension, sums, sums_stride);
    }
    for (std::size_t q = 0; q < shares.count && shares.count < kQueries; ++q) {
        combine_queries<kTilesOfOne, 1>(shares, q, embeddings, dimension, sums, sums_stride);
    }
}

double squared_length(const double* f, std::size_t dimension) {
    F64 squares = F64::broadcast(0);
    for (std::size_t d = 0; d < dimension; d += 16) {
        const F64 x = F64::load(f + d);
        squares = multiply_add(x, x, squares);
    }
    return sum(squares);
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
