// The one contract between the hot loops and the rest of the program: a table of function pointers.
//
// `kernels.cpp` is compiled once per instruction set; each object exports exactly one symbol, its table.
// Nothing here may be inline or a template that a kernel object could emit as a weak symbol: the linker
// would keep one copy for everybody, perhaps the AVX-512 one, and old CPUs would stop with SIGILL.
#pragma once

#include <cstddef>
#include <cstdint>

namespace conse {

// Label rows that are scored together: 16 float32 are one cache line. Blocks of 32 scored 3.6 instead of 4.6 blocks a
// query (real photos, T = k = 10, 20,842 labels x 300), but each read two lines for every kept class.
constexpr std::size_t kBlockRows = 16;

// Blocks (or tiles of the level below) that are bounded together: 32 int16 are one cache line. Against float32 maxima
// they scored 0.1 % more blocks and read half the lines; int8 scored 5 % more (300 dimensions) or 9 % more (50).
constexpr std::size_t kFanOut = 32;

// Long sums run in fixed runs of this many terms, each added to the total when it is complete: one
// sequential float32 sum over 1,000 terms errs by 3e-6, more than the promise of 2e-6.
constexpr std::size_t kRunTerms = 32;

// A bound reads the maxima of this many classes at most, the first; what the others can add is bounded by their length.
constexpr std::size_t kBoundTerms = kRunTerms;

// Up to so many of the best are kept in registers, as keys that hold a value and its id.
constexpr std::size_t kFewBest = 16;

// Values that are put into order by counting for each how many are better.
constexpr std::size_t kMostRanked = 64;

// A squared length keeps one partial sum per lane, lane = dimension mod 16, on every target, whatever the width of its
// registers; buffers that kernels read in whole steps have room for as many.
constexpr std::size_t kDotLanes = 16;

// A survey takes maxima of this many interleaved groups of columns: at least k values of a row are not below the
// k-th largest of its maxima. For few k half as many groups do: with k = 10, 12 values instead of 11 pass.
constexpr std::size_t kSurveyLanes = 64;

template <class Value>
struct Survey {
    Value floor;    // at least k values of the row are not below it; -inf for k > 64
    Value minimum;  // meaningful when `finite`
    bool finite;    // true: no NaN and no infinity in the row; false: perhaps one, or their sum overflows
};

// The same in one operation for 16 columns instead of three.
struct WeightSurvey {
    float floor;  // meaningful when `valid`
    bool valid;   // true: finite numbers >= 0; false: perhaps something else, or a zero with a sign
};

// Labels of a dense tile: two registers of x86-64-v3, one of x86-64-v4.
constexpr std::size_t kDenseLanes = 16;

// A dense label's products are multiplied by the inverse of its length where that lies between these.
constexpr double kLeastFactor = 1e-30, kLargestFactor = 1e30;
// Far enough from there that no label needs another look.
constexpr double kLeastUsual = 1e-15, kMostUsual = 1e15;

// A dense label is screened in float32 where its length and the one it is given lie between these.
constexpr float kShortestScreened = 1e-10f, kLongestScreened = 1e10f;

// Labels, `stride` bytes apart, never over-read: all of them, or those of `ids`. `count` results are written as a
// multiple of 16.
struct DenseRows {
    const void* data;
    std::ptrdiff_t stride;
    std::size_t count;
    std::size_t dimension;
    const std::int32_t* ids = nullptr;
};

// Rows of queries, `stride` floats apart, and what each one's scores have to reach to be worth a look.
struct DenseQueries {
    const float* data;
    std::size_t stride;
    std::size_t count;
    const float* floors;  // (count)
};

struct Bytes {
    const char *begin = nullptr, *end = nullptr;
};

// Tiles (dimension, 16) one after the other, and what each label's products are multiplied by in the end.
struct DenseTiles {
    const float* data;
    std::size_t count;
    std::size_t dimension;
    const float* factors;  // (count, 16); a label with NaN reaches no floor
    Bytes next{};          // what will be read after them, and is asked for meanwhile
};

// Rows of a share for every class, `stride` floats apart.
struct AllShares {
    const float* data;
    std::size_t stride;
    std::size_t count;
    std::size_t n_classes;
};

// Powers of two whose product brings the largest weight of a row into [1, 2): the smallest number needs more than
// float64 has in one.
struct RowScale {
    double half, rest;
};

struct KernelTable {
    const char* target;
    bool fused;  // products are added with one rounding (FMA): same bits on all such targets

    // Select. float16 rows are given as their bits.
    void (*survey_f16)(const std::uint16_t* row, std::size_t n, std::size_t k, Survey<float>* survey);
    void (*survey_f32)(const float* row, std::size_t n, std::size_t k, Survey<float>* survey);
    void (*survey_f64)(const double* row, std::size_t n, std::size_t k, Survey<double>* survey);

    void (*survey_weights_f16)(const std::uint16_t* row, std::size_t n, std::size_t k, WeightSurvey* survey);
    void (*survey_weights_f32)(const float* row, std::size_t n, std::size_t k, WeightSurvey* survey);

    // Writes the columns of [begin, end) whose value is >= floor to ids, in ascending order; returns how many.
    std::size_t (*collect_f16)(const std::uint16_t* row, std::size_t begin, std::size_t end, float floor,
                               std::uint32_t* ids);
    std::size_t (*collect_f32)(const float* row, std::size_t begin, std::size_t end, float floor, std::uint32_t* ids);
    std::size_t (*collect_f64)(const double* row, std::size_t begin, std::size_t end, double floor, std::uint32_t* ids);

    // places[i] = how many of n <= kMostRanked values, no NaN among them, are larger than values[i], or equal and
    // before it.
    void (*rank_few)(const float* values, std::size_t n, std::uint32_t* places);

    // Shares. Of n weights, a multiple of 16: the sum of row[c] * scale in eight chains by c, and the shares
    // row[c] * scale * factor, rounded in the end.
    double (*total_weight_f32)(const float* row, std::size_t n, const RowScale& scale);
    double (*total_weight_f64)(const double* row, std::size_t n, const RowScale& scale);
    void (*share_out_f32)(const float* row, std::size_t n, const RowScale& scale, double factor, float* shares);
    void (*share_out_f64)(const double* row, std::size_t n, const RowScale& scale, double factor, float* shares);

    // Combine. f[d] = sum_t weights[t] * embeddings[rows[t] * dimension + d] in float64, in the order of t;
    // f has room for a multiple of 16 and its tail is set to zero. squared_length reads that padded f.
    void (*combine)(const double* weights, const std::uint32_t* rows, std::size_t n_terms, const float* embeddings,
                    std::size_t dimension, double* f);
    // The same for many terms: float32 within runs of 32 terms, whose totals are added up in float64.
    void (*combine_many)(const float* weights, const std::uint32_t* rows, std::size_t n_terms, const float* embeddings,
                         std::size_t dimension, double* f);
    // The same for all classes and several queries, at least 16 dimensions: sums[q * sums_stride + d], float32 in runs
    // of 32 classes and of 32 runs.
    void (*combine_all)(const AllShares& shares, const float* embeddings, std::size_t dimension, float* sums,
                        std::size_t sums_stride);
    double (*squared_length)(const double* f, std::size_t dimension);
    // sum_ij weights[i] * weights[j] * (product of ids[i] and ids[j]), where that of a and b <= a stands in
    // products[a (a + 1) / 2 + b]; n <= kBoundTerms.
    double (*pair_sum)(const double* weights, const std::uint32_t* ids, std::size_t n, const float* products);

    // Score. scores[lane] = sum_t weights[t] * block[stride * rows[t] + lane], in the order of t, in runs of 32 terms
    // and of 32 runs; bit `lane` of the result says that scores[lane] >= floor. The plain form has rows[t] = t and
    // stride 16.
    std::uint32_t (*score_block)(const float* weights, const std::uint32_t* rows, std::size_t n_terms,
                                 const float* block, std::size_t stride, float floor, float* scores);
    std::uint32_t (*score_plain_block)(const float* weights, std::size_t n_terms, const float* block, float floor,
                                       float* scores);

    // Bound. bounds[lane] = sum_t weights[t] * step * tile[stride * rows[t] + lane], in the order of t, for at most
    // kBoundTerms terms: the operations of score_block, so that larger entries never give a smaller sum. `step` is a
    // power of two. Lanes from n_children on are -infinity. Returns as best_lane() does.
    std::uint32_t (*bound_tile)(const float* weights, const std::uint32_t* rows, std::size_t n_terms,
                                const std::int16_t* tile, std::size_t stride, float step, std::size_t n_children,
                                float* bounds, float* best);

    // The lowest of the 32 lanes that hold the largest bound, which goes to *best.
    std::uint32_t (*best_lane)(const float* bounds, float* best);

    // Collect. Puts the entries of `mask` whose id is below n_ids, 2^31 at most, among the kFewBest best that are kept,
    // in order, as keys; an empty place is 0. No branch depends on a value.
    void (*keep_best)(const float* values, const std::int32_t* ids, std::uint32_t mask, std::uint32_t n_ids,
                      double* kept);

    // Dense ranking. Packs labels into tiles (dimension, 16), one after the other; lanes without a label are zeros.
    // squared_lengths in float64, of eight squares at a time added up in float32, or all in float64 beside 1e+-30.
    void (*pack_f32)(const DenseRows& labels, float* tiles, double* squared_lengths);
    void (*pack_f16)(const DenseRows& labels, float* tiles, double* squared_lengths);

    // The products of one query, the same bits as score_queries gives for packed labels; lanes without a label
    // repeat the last one.
    void (*dots_f32)(const float* query, const DenseRows& labels, float* dots, double* squared_lengths);
    void (*dots_f16)(const float* query, const DenseRows& labels, float* dots, double* squared_lengths);

    // Between which numbers each label's score for one query lies: the product over the length given, or the label's
    // own, and margin * (its own) over the same to either side, all in float32 and sums in any order; all numbers for a
    // label beyond the limits above. At least 16 dimensions; `lengths` may be null; results have room for a multiple of
    // 16.
    void (*enclose_f32)(const float* query, const DenseRows& labels, const double* lengths, float margin, float* lowest,
                        float* highest);
    void (*enclose_f16)(const float* query, const DenseRows& labels, const double* lengths, float margin, float* lowest,
                        float* highest);

    // factors[i] = 1 / sqrt(squared_lengths[i]), or NaN beside the limits above; whether there was none such.
    bool (*invert_lengths)(const double* squared_lengths, std::size_t count, float* factors);

    // factors[i] = 1 / lengths[i]; whether these and the squared lengths of the rows lie between kLeastUsual and
    // kMostUsual. squared_lengths and factors have room for a multiple of 16.
    bool (*invert_given)(const double* lengths, const double* squared_lengths, std::size_t count, float* factors);

    // scores[i] = dots[i] * factors[i]; bit `lane` of masks[tile] says that the score reaches the floor.
    void (*scale)(const float* dots, const float* factors, std::size_t count, float floor, float* scores,
                  std::uint16_t* masks);

    // scores (queries, tiles, 16): products over d ascending, in runs of 32 terms and of 32 runs, times the label's
    // factor. Bit `lane` of masks (queries, tiles) says that the score reaches the query's floor.
    void (*score_queries)(const DenseQueries& queries, const DenseTiles& tiles, float* scores, std::uint16_t* masks);

    // Limits of the machine. read: the largest of n values (a multiple of 16, not 0), each of them loaded once.
    // multiply_adds: `rounds` rounds of many chains x + one * one in registers; returns how many multiply-adds
    // that was. *total adds up all chains, so that none can be left out: with one = 1 each adds 1 to it.
    float (*read)(const float* values, std::size_t n);
    std::size_t (*multiply_adds)(std::size_t rounds, float one, float* total);
};

}  // namespace conse
