// Dense ranking: labels are packed into tiles of sixteen lanes, and every tile is scored against many queries.
// One label is one lane, so a score is the same chain of additions for one query and for a thousand.
#pragma once

#include <cstddef>
#include <cstdint>

#include "half.hpp"
#include "kernels.hpp"
#include "lanes.hpp"
#include "product.hpp"

namespace conse {
namespace CONSE_TARGET_NAMESPACE {
namespace {

constexpr std::size_t kSquares = 8;  // squares that are added up in float32
constexpr std::size_t kStep = NativeF32::kLanes < kSquares ? kSquares : NativeF32::kLanes;

constexpr std::uint32_t kAllLanes = 0xffff;

std::uint32_t lanes_between(double least, const F64& x, double most) {
    return at_least(x, F64::broadcast(least)) & at_least(F64::broadcast(most), x);
}

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

    // Its loop unrolled would be 5 KB in all kernels together, for nothing.
    Rows(const DenseRows& labels, std::size_t first) : dimension(labels.dimension), ahead(0) {
        const bool is_last = first + kDenseLanes >= labels.count;
        if (labels.ids == nullptr && !is_last) ahead = static_cast<std::ptrdiff_t>(kDenseLanes) * labels.stride;
#pragma GCC unroll 1
        for (const Element*& row : begin) {
            const auto label = static_cast<std::ptrdiff_t>(labels.ids == nullptr ? first : labels.ids[first]);
            row = reinterpret_cast<const Element*>(static_cast<const char*>(labels.data) + label * labels.stride);
            first += first + 1 < labels.count;
        }
    }

    // Asks for the next sixteen rows from end to end while these are read column by column: sixteen streams at once are
    // more than the hardware follows, and with 768 dimensions more than the cache's places for them.
    void prefetch(std::size_t d) const {
        if (ahead <= 0) return;
        const char* next = reinterpret_cast<const char*>(begin[0]) + ahead;
        const std::size_t bytes = static_cast<std::size_t>(ahead);
        const std::size_t last = (d + kStep) * bytes / dimension;
        for (std::size_t at = d * bytes / dimension; at < last; at += 64) __builtin_prefetch(next + at, 0, 3);
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
        const std::uint32_t good = lanes_between(1e-30, total_, 1e30);
        for (std::size_t lane = 0; good != kAllLanes && lane < kDenseLanes; ++lane) {
            if ((good >> lane & 1) == 0) squared_lengths[lane] = in_float64(rows_.begin[lane]);
        }
    }

  private:
    void step(std::size_t d) {
        constexpr std::size_t kLanes = NativeF32::kLanes;
        float squares[kStep / kSquares][kDenseLanes];
        for (int part = 0; part < kParts; ++part) {
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
                for (std::size_t c = 0; c < count; ++c) columns[c][lane] = element_of(rows_.begin[lane][d + c]);
            }
        }
        F32 sum = F32::broadcast(0);
        for (std::size_t c = 0; c < count; ++c) {
            const F32 x = F32::load(columns[c]);
            for (int part = 0; part < kParts; ++part) sink_.take(d + c, part, x.r[part]);
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
        for (int part = 0; part < kParts; ++part) {
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

    void take(std::size_t d, int part, NativeF32 x) { x.store(tile + d * kDenseLanes + part * NativeF32::kLanes); }
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
        for (int part = 0; part < kParts; ++part) {
            run[part] = block[part] = total[part] = NativeF32::broadcast(0);
        }
    }
    void take(std::size_t d, int part, NativeF32 x) {
        run[part] = multiply_add(NativeF32::broadcast(query[d]), x, run[part]);
    }
    void end_step(std::size_t d) {
        if (d % kRunTerms == 0) close(run, block);
        if (d % (kRunTerms * kRunTerms) == 0) close(block, total);
    }
    void store(float* dots) {
        close(run, block);
        close(block, total);
        for (int part = 0; part < kParts; ++part) total[part].store(dots + part * NativeF32::kLanes);
    }

  private:
    static void close(NativeF32 (&part_sum)[kParts], NativeF32 (&sum)[kParts]) {
        for (int part = 0; part < kParts; ++part) {
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

// The root of a square is the number again.
bool invert_given(const double* lengths, const double* squared_lengths, std::size_t count, float* factors) {
    const F64 zero = F64::broadcast(0);
    std::uint32_t all_usual = kAllLanes;
    for (std::size_t first = 0; first < count; first += kDenseLanes) {
        const std::size_t n = count - first < kDenseLanes ? count - first : kDenseLanes;
        const F64 given = n < kDenseLanes ? F64::load_first(lengths + first, n) : F64::load(lengths + first);
        double inverse[kDenseLanes];
        inverse_root(multiply_add(given, given, zero)).store(inverse);
        for (std::size_t i = 0; i < kDenseLanes; ++i) factors[first + i] = static_cast<float>(inverse[i]);
        const std::uint32_t usual = lanes_between(kLeastUsual, given, kMostUsual) &
                                    lanes_between(kLeastUsual, F64::load(squared_lengths + first), kMostUsual);
        all_usual &= usual | ~((1u << n) - 1);
    }
    return all_usual == kAllLanes;
}

bool invert_lengths(const double* squared_lengths, std::size_t count, float* factors) {
    bool all_usual = true;
    for (std::size_t first = 0; first < count; first += kDenseLanes) {
        const F64 inverse_lengths = inverse_root(F64::load(squared_lengths + first));
        double inverse[kDenseLanes];
        inverse_lengths.store(inverse);
        for (std::size_t i = 0; i < kDenseLanes; ++i) factors[first + i] = static_cast<float>(inverse[i]);
        const std::uint32_t usual = lanes_between(kLeastFactor, inverse_lengths, kLargestFactor);
        all_usual = all_usual && usual == kAllLanes;
        for (std::size_t i = 0; usual != kAllLanes && i < kDenseLanes; ++i) {
            if ((usual >> i & 1) == 0) factors[first + i] = __builtin_nanf("");
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

template <int kTiles, int kQueries, bool kAsks = false>
void score_block(const DenseQueries& queries, std::size_t q, const DenseTiles& tiles, std::size_t tile, float* scores,
                 std::uint16_t* masks, const char* ahead = nullptr) {
    const float* packed[kTiles];
    for (std::size_t t = 0; t < kTiles; ++t) packed[t] = tiles.data + (tile + t) * tiles.dimension * kDenseLanes;
    Block<kTiles, kQueries, PackedColumns, kAsks> block(queries.data + q * queries.stride, queries.stride, packed, {},
                                                        tiles.dimension, ahead);
    block.score();
    for (int i = 0; i < kQueries; ++i, ++q) {
        const std::size_t at = q * tiles.count + tile;
        block.finish(i, tiles.factors + tile * kDenseLanes, queries.floors[q], scores + at * kDenseLanes, masks + at);
    }
}

// The largest power of two below n: six queries at a time, then 4, 2 and 1.
constexpr int half_of(int n) {
    int half = 1;
    while (2 * half < n) half *= 2;
    return half;
}

// All queries from q on, kQueries at a time; the rest of them fewer at a time, and so on. What is asked for meanwhile
// goes with full registers, which leave the memory idle.
template <int kQueries>
void score_from(const DenseQueries& queries, std::size_t q, const DenseTiles& tiles, float* scores,
                std::uint16_t* masks) {
    constexpr int kTiles = kQueries == 1 ? kTilesOfOne : kScoreTiles;
    const char* ahead = kQueries == kScoreQueries ? tiles.next.begin : tiles.next.end;
    for (; q + kQueries <= queries.count; q += kQueries) {
        std::size_t tile = 0;
        for (; tile + kTiles <= tiles.count; tile += kTiles) {
            if (ahead < tiles.next.end) {
                score_block<kTiles, kQueries, kQueries == kScoreQueries>(queries, q, tiles, tile, scores, masks, ahead);
                ahead += tiles.dimension * kLine;
            } else {
                score_block<kTiles, kQueries>(queries, q, tiles, tile, scores, masks);
            }
        }
        for (; tile < tiles.count; ++tile) score_block<1, kQueries>(queries, q, tiles, tile, scores, masks);
    }
    if constexpr (kQueries > 1) score_from<half_of(kQueries)>(queries, q, tiles, scores, masks);
}

void score_queries(const DenseQueries& queries, const DenseTiles& tiles, float* scores, std::uint16_t* masks) {
    score_from<kScoreQueries>(queries, 0, tiles, scores, masks);
}

}  // namespace
}  // namespace CONSE_TARGET_NAMESPACE
}  // namespace conse
