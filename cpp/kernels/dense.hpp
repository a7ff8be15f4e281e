// Dense ranking: labels are packed into tiles of sixteen lanes, and every tile is scored against many queries.
// One label is one lane, so a score is the same chain of additions for one query and for a thousand.
#pragma once

#include <cstddef>
#include <cstdint>

#include "half.hpp"
#include "kernels.hpp"
#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

static_assert(kDenseLanes == 16, "the loops below are written for these");

// ---- pack ------------------------------------------------------------------------------------------------

float element_of(std::uint16_t bits) {
    return half_to_float(bits);
}
float element_of(float x) {
    return x;
}

// Rows narrower than a register.
template <class Element>
void pack_narrow(const Element* const* rows, std::size_t dimension, float* tile) {
    for (std::size_t d = 0; d < dimension; ++d) {
        for (std::size_t lane = 0; lane < kDenseLanes; ++lane) tile[d * kDenseLanes + lane] = element_of(rows[lane][d]);
    }
}

// The columns d to d + kLanes of all rows, a square of as many rows and columns as a register has lanes at a time.
template <class Element>
void pack_columns(const Element* const* rows, std::size_t d, float* tile) {
    constexpr int kLanes = NativeF32::kLanes;
    for (std::size_t first = 0; first < kDenseLanes; first += kLanes) {
        NativeF32 square[kLanes];
        for (int i = 0; i < kLanes; ++i) square[i] = NativeF32::load(rows[first + static_cast<std::size_t>(i)] + d);
        transpose(square);
        float* out = tile + d * kDenseLanes + first;
        for (int i = 0; i < kLanes; ++i) square[i].store(out + static_cast<std::size_t>(i) * kDenseLanes);
    }
}

// Asks for the same columns of the next sixteen rows. Sixteen streams at once are more than the hardware follows.
template <class Element>
void prefetch_columns(const Element* const* rows, std::ptrdiff_t ahead, std::size_t d) {
    constexpr std::size_t kPerLine = 64 / sizeof(Element);
    if (d % kPerLine != 0) return;
    for (std::size_t lane = 0; lane < kDenseLanes; ++lane) {
        __builtin_prefetch(reinterpret_cast<const char*>(rows[lane] + d) + ahead, 0, 2);
    }
}

// Over d ascending. Products of float32 are exact in float64, so these are the same bits on every target.
void square_lengths(const float* tile, std::size_t dimension, double* squared_lengths) {
    F64 squares = F64::broadcast(0);
    for (std::size_t d = 0; d < dimension; ++d) {
        const F64 x = F64::load(tile + d * kDenseLanes);
        squares = multiply_add(x, x, squares);
    }
    squares.store(squared_lengths);
}

template <class Element>
void pack(const void* labels, std::ptrdiff_t stride, std::size_t n, std::size_t dimension, bool more, float* tile,
          double* squared_lengths) {
    constexpr std::size_t kLanes = NativeF32::kLanes;
    const Element* rows[kDenseLanes];
    const char* row = static_cast<const char*>(labels);
    for (std::size_t lane = 0; lane < kDenseLanes; ++lane) {
        rows[lane] = reinterpret_cast<const Element*>(row);
        if (lane + 1 < n) row += stride;
    }
    if (dimension < kLanes) {
        pack_narrow(rows, dimension, tile);
    } else {
        for (std::size_t d = 0; d + kLanes <= dimension; d += kLanes) {
            if (more) prefetch_columns(rows, stride * static_cast<std::ptrdiff_t>(kDenseLanes), d);
            pack_columns(rows, d, tile);
        }
        // The last columns end with the row: some are packed again.
        if (dimension % kLanes != 0) pack_columns(rows, dimension - kLanes, tile);
    }
    for (std::size_t d = 0; d < dimension && n < kDenseLanes; ++d) {
        for (std::size_t lane = n; lane < kDenseLanes; ++lane) tile[d * kDenseLanes + lane] = 0;
    }
    square_lengths(tile, dimension, squared_lengths);
}

// ---- score -----------------------------------------------------------------------------------------------

// kRegisters of lanes against kQueries, d ascending: the inner loop of everything here. As many chains of additions
// as the registers hold, so that none waits for itself and each load serves several of them.
template <int kRegisters, int kQueries>
struct Block {
    const float* lanes[kRegisters];  // element d is kDenseLanes * d further
    const float* queries;
    std::size_t stride;
    NativeF32 totals[kQueries][kRegisters];

    void score(std::size_t dimension) {
        constexpr std::size_t kRuns = kRunTerms * kRunTerms;
        clear(totals);
        for (std::size_t begin = 0; begin < dimension; begin += kRuns) {
            const std::size_t end = dimension - begin < kRuns ? dimension : begin + kRuns;
            NativeF32 runs[kQueries][kRegisters];
            clear(runs);
            std::size_t d = begin;
            for (; d + kRunTerms <= end; d += kRunTerms) add_run(d, d + kRunTerms, runs);
            if (d < end) add_run(d, end, runs);
            add(runs, totals);
        }
    }

  private:
    using Sums = NativeF32[kQueries][kRegisters];

    static void clear(Sums& sums) {
        for (auto& row : sums) {
            for (NativeF32& sum : row) sum = NativeF32::broadcast(0);
        }
    }
    static void add(const Sums& part, Sums& sums) {
        for (int q = 0; q < kQueries; ++q) {
            for (int r = 0; r < kRegisters; ++r) sums[q][r] = sums[q][r] + part[q][r];
        }
    }
    void add_run(std::size_t begin, std::size_t end, Sums& runs) const {
        Sums run;
        clear(run);
        for (std::size_t d = begin; d < end; ++d) {
            NativeF32 x[kRegisters];
            for (int r = 0; r < kRegisters; ++r) x[r] = NativeF32::load(lanes[r] + d * kDenseLanes);
            for (int q = 0; q < kQueries; ++q) {
                const NativeF32 weight = NativeF32::broadcast(queries[static_cast<std::size_t>(q) * stride + d]);
                for (int r = 0; r < kRegisters; ++r) run[q][r] = multiply_add(weight, x[r], run[q][r]);
            }
        }
        add(run, runs);
    }
};

// Scores of queries from `q` on by the lanes of registers from `first` on, counted through all tiles.
template <int kRegisters, int kQueries>
void score_block(const DenseQueries& queries, const DenseTiles& tiles, std::size_t q, std::size_t first, float* scores,
                 std::uint16_t* masks) {
    constexpr std::size_t kLanes = NativeF32::kLanes, kPerTile = kDenseLanes / kLanes;
    Block<kRegisters, kQueries> block;
    for (std::size_t r = 0; r < kRegisters; ++r) {
        const std::size_t tile = (first + r) / kPerTile, part = (first + r) % kPerTile;
        block.lanes[r] = tiles.data + tile * tiles.dimension * kDenseLanes + part * kLanes;
    }
    block.stride = queries.stride;
    block.queries = queries.data + q * queries.stride;
    block.score(tiles.dimension);
    for (std::size_t i = 0; i < kQueries; ++i) {
        float* out = scores + (q + i) * tiles.count * kDenseLanes + first * kLanes;
        const NativeF32 floor = NativeF32::broadcast(queries.floors[q + i]);
        for (std::size_t r = 0; r < kRegisters; ++r) {
            const NativeF32 factor = NativeF32::load(tiles.factors + (first + r) * kLanes);
            const NativeF32 score = multiply_add(block.totals[i][r], factor, NativeF32::broadcast(0));
            score.store(out + r * kLanes);
            const std::size_t tile = (first + r) / kPerTile, part = (first + r) % kPerTile;
            masks[(q + i) * tiles.count + tile] |=
                static_cast<std::uint16_t>(at_least(score, floor) << (part * kLanes));
        }
    }
}

template <int kQueries>
void score_strip(const DenseQueries& queries, const DenseTiles& tiles, std::size_t q, float* scores,
                 std::uint16_t* masks) {
    constexpr std::size_t kStep = kScoreRegisters;
    const std::size_t n_registers = tiles.count * (kDenseLanes / NativeF32::kLanes);
    std::size_t first = 0;
    for (; first + kStep <= n_registers; first += kStep) {
        score_block<kScoreRegisters, kQueries>(queries, tiles, q, first, scores, masks);
    }
    for (; first < n_registers; ++first) score_block<1, kQueries>(queries, tiles, q, first, scores, masks);
}

template <int kQueries>
void score_rest(const DenseQueries& queries, const DenseTiles& tiles, std::size_t q, float* scores,
                std::uint16_t* masks) {
    for (; q + kQueries <= queries.count; q += kQueries) score_strip<kQueries>(queries, tiles, q, scores, masks);
    if constexpr (kQueries > 1) score_rest<(kQueries + 1) / 2>(queries, tiles, q, scores, masks);
}

void score_queries(const DenseQueries& queries, const DenseTiles& tiles, float* scores, std::uint16_t* masks) {
    __builtin_memset(masks, 0, queries.count * tiles.count * sizeof *masks);
    score_rest<kScoreQueries>(queries, tiles, 0, scores, masks);
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
