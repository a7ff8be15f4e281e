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

constexpr std::size_t kParts = kDenseLanes / NativeF32::kLanes;  // registers of a column
constexpr std::size_t kSquares = 8;                              // squares that are added up in float32
constexpr std::size_t kStep = NativeF32::kLanes < kSquares ? kSquares : NativeF32::kLanes;

// ---- rows to columns -------------------------------------------------------------------------------------

float element_of(std::uint16_t bits) {
    return half_to_float(bits);
}
float element_of(float x) {
    return x;
}

// Sixteen labels from `first` on; where there are fewer, the last one again.
template <class Element>
struct Rows {
    const Element* begin[kDenseLanes];
    std::size_t dimension;
    std::ptrdiff_t ahead;  // bytes to the next sixteen, or 0

    Rows(const DenseRows& labels, std::size_t first) : dimension(labels.dimension), ahead(0) {
        const char* row = static_cast<const char*>(labels.data) + static_cast<std::ptrdiff_t>(first) * labels.stride;
        for (std::size_t lane = 0; lane < kDenseLanes; ++lane) {
            begin[lane] = reinterpret_cast<const Element*>(row);
            if (first + lane + 1 < labels.count) row += labels.stride;
        }
        if (first + kDenseLanes < labels.count) ahead = static_cast<std::ptrdiff_t>(kDenseLanes) * labels.stride;
    }

    // Sixteen streams at once are more than the hardware follows.
    void prefetch(std::size_t d) const {
        if (ahead == 0 || d % (64 / sizeof(Element)) != 0) return;
        for (const Element* row : begin) __builtin_prefetch(reinterpret_cast<const char*>(row + d) + ahead, 0, 3);
    }
};

// Gives the columns of sixteen labels to a sink, d ascending, and adds up their squares: eight at a time in float32,
// which errs by less than 2.4e-7 of a length and is three times as fast, and those sums in float64.
template <class Element, class Sink>
class Columns {
  public:
    Columns(const Rows<Element>& rows, Sink& sink) : rows_(rows), sink_(sink) {}

    void walk(double* squared_lengths) {
        std::size_t d = 0;
        for (; d + kStep <= rows_.dimension; d += kStep) {
            rows_.prefetch(d);
            step(d);
        }
        if (d < rows_.dimension) rest(d);
        total_.store(squared_lengths);
        for (std::size_t lane = 0; lane < kDenseLanes; ++lane) {
            const double squares = squared_lengths[lane];
            if (!(squares >= 1e-30 && squares <= 1e30)) squared_lengths[lane] = in_float64(rows_.begin[lane]);
        }
    }

  private:
    void step(std::size_t d) {
        constexpr std::size_t kLanes = NativeF32::kLanes;
        float squares[kStep / kSquares][kDenseLanes];
        for (std::size_t part = 0; part < kParts; ++part) {
            NativeF32 columns[kStep];
            for (std::size_t c = 0; c < kStep; c += kLanes) {
                load_square(rows_.begin + part * kLanes, d + c, columns + c);
            }
            NativeF32 sum = NativeF32::broadcast(0);
#pragma GCC unroll 16
            for (std::size_t c = 0; c < kStep; ++c) {
                sink_.take(d + c, part, columns[c]);
                sum = multiply_add(columns[c], columns[c], sum);
                if (c % kSquares != kSquares - 1) continue;
                sum.store(squares[c / kSquares] + part * kLanes);
                sum = NativeF32::broadcast(0);
            }
        }
        for (const auto& sums : squares) total_ = total_ + F64::load(sums);
        sink_.end_step(d + kStep);
    }

    // The last columns, fewer than a step.
    void rest(std::size_t d) {
        float columns[kStep][kDenseLanes];
        const std::size_t count = rows_.dimension - d;
        if (rows_.dimension >= kStep) {
            read_last(count, columns);
        } else {
            for (std::size_t lane = 0; lane < kDenseLanes; ++lane) {
                for (std::size_t c = 0; c < count; ++c) columns[c][lane] = element_of(rows_.begin[lane][c]);
            }
        }
        F32 sum = F32::broadcast(0);
        for (std::size_t c = 0; c < count; ++c) {
            const F32 x = F32::load(columns[c]);
            for (std::size_t part = 0; part < kParts; ++part) sink_.take(d + c, part, x.r[part]);
            sum = multiply_add(x, x, sum);
            if (c % kSquares == kSquares - 1 || c + 1 == count) {
                float sums[kDenseLanes];
                sum.store(sums);
                total_ = total_ + F64::load(sums);
                sum = F32::broadcast(0);
            }
        }
    }

    // A whole step that ends with the row, of which the last `count` columns are new.
    void read_last(std::size_t count, float (*columns)[kDenseLanes]) {
        constexpr std::size_t kLanes = NativeF32::kLanes;
        NativeF32 square[kLanes];
        for (std::size_t part = 0; part < kParts; ++part) {
            for (std::size_t c = 0; c < kStep; c += kLanes) {
                load_square(rows_.begin + part * kLanes, rows_.dimension - kStep + c, square);
                for (std::size_t i = 0; i < kLanes; ++i) {
                    if (c + i + count >= kStep) square[i].store(columns[c + i + count - kStep] + part * kLanes);
                }
            }
        }
    }

    // For a row of zeros, or one too long or too short for squares in float32.
    double in_float64(const Element* row) const {
        double squares = 0;
        for (std::size_t d = 0; d < rows_.dimension; ++d) {
            const auto x = static_cast<double>(element_of(row[d]));
            squares += x * x;
        }
        return squares;
    }

    const Rows<Element>& rows_;
    Sink& sink_;
    F64 total_ = F64::broadcast(0);
};

// ---- pack ------------------------------------------------------------------------------------------------

struct TileSink {
    float* tile;

    void take(std::size_t d, std::size_t part, NativeF32 x) {
        x.store(tile + d * kDenseLanes + part * static_cast<std::size_t>(NativeF32::kLanes));
    }
    void end_step(std::size_t) {}
};

// The lanes from `count` on repeat the last label: zeros instead.
void clear_lanes(std::size_t count, std::size_t dimension, float* tile, double* squared_lengths) {
    for (std::size_t lane = count; lane < kDenseLanes; ++lane) {
        for (std::size_t d = 0; d < dimension; ++d) tile[d * kDenseLanes + lane] = 0;
        squared_lengths[lane] = 0;
    }
}

template <class Element>
void pack(const DenseRows& labels, float* tiles, double* squared_lengths) {
    for (std::size_t first = 0; first < labels.count; first += kDenseLanes) {
        const Rows<Element> rows(labels, first);
        TileSink sink{tiles};
        Columns<Element, TileSink>(rows, sink).walk(squared_lengths + first);
        clear_lanes(labels.count - first, labels.dimension, tiles, squared_lengths + first);
        tiles += labels.dimension * kDenseLanes;
    }
}

// ---- one query -------------------------------------------------------------------------------------------

// Multiplies the columns as they come: the same additions as in `Block` below, without a tile in between.
struct DotSink {
    const float* query;
    NativeF32 run[kParts], block[kParts], total[kParts];

    explicit DotSink(const float* query) : query(query) {
        for (std::size_t part = 0; part < kParts; ++part) {
            run[part] = block[part] = total[part] = NativeF32::broadcast(0);
        }
    }
    void take(std::size_t d, std::size_t part, NativeF32 x) {
        run[part] = multiply_add(NativeF32::broadcast(query[d]), x, run[part]);
    }
    void end_step(std::size_t d) {
        if (d % kRunTerms == 0) close(run, block);
        if (d % (kRunTerms * kRunTerms) == 0) close(block, total);
    }
    void store(float* dots) {
        close(run, block);
        close(block, total);
        for (std::size_t part = 0; part < kParts; ++part) total[part].store(dots + part * NativeF32::kLanes);
    }

  private:
    static void close(NativeF32 (&part_sum)[kParts], NativeF32 (&sum)[kParts]) {
        for (std::size_t part = 0; part < kParts; ++part) {
            sum[part] = sum[part] + part_sum[part];
            part_sum[part] = NativeF32::broadcast(0);
        }
    }
};

template <class Element>
void dots(const float* query, const DenseRows& labels, float* result, double* squared_lengths) {
    for (std::size_t first = 0; first < labels.count; first += kDenseLanes) {
        const Rows<Element> rows(labels, first);
        DotSink sink(query);
        Columns<Element, DotSink>(rows, sink).walk(squared_lengths + first);
        sink.store(result + first);
    }
}

// ---- lengths and floors ----------------------------------------------------------------------------------

bool invert_lengths(const double* squared_lengths, std::size_t count, float* factors) {
    bool all_usual = true;
    for (std::size_t first = 0; first < count; first += kDenseLanes) {
        double inverse[kDenseLanes];
        inverse_root(F64::load(squared_lengths + first)).store(inverse);
        for (std::size_t i = 0; i < kDenseLanes; ++i) {
            const bool usual = inverse[i] >= kLeastFactor && inverse[i] <= kLargestFactor;
            factors[first + i] = usual ? static_cast<float>(inverse[i]) : __builtin_nanf("");
            all_usual &= usual;
        }
    }
    return all_usual;
}

void scale(const float* dots, const float* factors, std::size_t count, float floor, float* scores,
           std::uint16_t* masks) {
    const F32 zero = F32::broadcast(0), lowest = F32::broadcast(floor);
    for (std::size_t first = 0; first < count; first += kDenseLanes) {
        const F32 score = multiply_add(F32::load(dots + first), F32::load(factors + first), zero);
        score.store(scores + first);
        masks[first / kDenseLanes] = static_cast<std::uint16_t>(at_least(score, lowest));
    }
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
