// A product of matrices in registers: sixteen neighbours are lanes, so that a sum is the same chain of additions for
// one query and for a thousand. It scores labels against queries, and combines class embeddings for several images.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels.hpp"
#include "lanes.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

static_assert(kDenseLanes == 16, "the loops below are written for these");

// A query alone leaves registers to more tiles; eight chains of additions do not wait for each other.
constexpr int kTilesOfOne = kScoreTiles * kScoreQueries < 8 ? kScoreTiles * kScoreQueries : 8;

constexpr std::size_t kLine = 64;

constexpr int kParts = kDenseLanes / NativeF32::kLanes;  // registers of a column

// Sixteen neighbours of every term: the labels of packed tiles at each dimension, or dimensions of each class
// embedding.
struct PackedColumns {
    static constexpr std::size_t stride = kDenseLanes;
};
struct RowColumns {
    std::size_t stride;
};

// kTiles against kQueries, terms ascending: the inner loop of everything here. As many chains of additions as the
// registers hold, so that none waits for itself and each load serves several of them.
template <int kTiles, int kQueries, class Columns, bool kAsks = false>
class Block {
  public:
    using Tiles = const float* [kTiles];

    // Where it kAsks: for `ahead`, a line of the cache with each term.
    Block(const float* queries, std::size_t stride, const Tiles& tiles, Columns columns, std::size_t n_terms,
          const char* ahead = nullptr)
        : queries_(queries), stride_(stride), columns_(columns), n_terms_(n_terms), ahead_(ahead) {
        for (int t = 0; t < kTiles; ++t) tiles_[t] = tiles[t];
    }

    void score() {
        constexpr std::size_t kRuns = kRunTerms * kRunTerms;
        add_runs(0, n_terms_ < kRuns ? n_terms_ : kRuns, totals_);
        for (std::size_t begin = kRuns; begin < n_terms_; begin += kRuns) {
            Sums sums;
            add_runs(begin, n_terms_ - begin < kRuns ? n_terms_ : begin + kRuns, sums);
            for (int q = 0; q < kQueries; ++q) {
                for (int r = 0; r < kRegisters; ++r) totals_[q][r] = totals_[q][r] + sums[q][r];
            }
        }
    }

    // Scores of one query by kTiles * 16 labels; the mask of each tile.
    void finish(int q, const float* factors, float floor, float* scores, std::uint16_t* masks) const {
        constexpr int kLanes = NativeF32::kLanes;
        const NativeF32 zero = NativeF32::broadcast(0), lowest = NativeF32::broadcast(floor);
        for (int t = 0; t < kTiles; ++t) {
            std::uint32_t mask = 0;
            for (int part = 0; part < kParts; ++part) {
                const int r = t * kParts + part;
                const NativeF32 score = multiply_add(totals_[q][r], NativeF32::load(factors + r * kLanes), zero);
                score.store(scores + r * kLanes);
                mask |= at_least(score, lowest) << (part * kLanes);
            }
            masks[t] = static_cast<std::uint16_t>(mask);
        }
    }

    // The sums of one query.
    void store(int q, float* sums) const {
        for (int r = 0; r < kRegisters; ++r) totals_[q][r].store(sums + r * NativeF32::kLanes);
    }

  private:
    static constexpr int kRegisters = kTiles * kParts;
    using Sums = NativeF32[kQueries][kRegisters];

    void add_runs(std::size_t begin, std::size_t end, Sums& sums) const {
        const NativeF32 zero = NativeF32::broadcast(0);
        for (std::size_t d = begin; d == begin || d < end; d += kRunTerms) {
            Sums run;
            add_run(d, end - d < kRunTerms ? end : d + kRunTerms, run);
            for (int q = 0; q < kQueries; ++q) {
                for (int r = 0; r < kRegisters; ++r) sums[q][r] = (d == begin ? zero : sums[q][r]) + run[q][r];
            }
        }
    }

    void add_run(std::size_t begin, std::size_t end, Sums& run) const {
        for (auto& sums : run) {
            for (NativeF32& sum : sums) sum = NativeF32::broadcast(0);
        }
        for (std::size_t d = begin; d < end; ++d) {
            if constexpr (kAsks) __builtin_prefetch(ahead_ + d * kLine, 0, 2);
            NativeF32 x[kRegisters];
            for (int r = 0; r < kRegisters; ++r) {
                const float* column = tiles_[r / kParts] + d * columns_.stride;
                x[r] = NativeF32::load(column + r % kParts * NativeF32::kLanes);
            }
            for (int q = 0; q < kQueries; ++q) {
                const NativeF32 weight = NativeF32::broadcast(queries_[static_cast<std::size_t>(q) * stride_ + d]);
                for (int r = 0; r < kRegisters; ++r) run[q][r] = multiply_add(weight, x[r], run[q][r]);
            }
        }
    }

    const float* tiles_[kTiles];
    const float* queries_;
    std::size_t stride_;
    Columns columns_;
    std::size_t n_terms_;
    const char* ahead_;
    Sums totals_;
};

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
