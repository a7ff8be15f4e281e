// Some labels against many queries, as each thread does it while `cosine_rank` goes through all labels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/collector.hpp"
#include "core/label_chunk.hpp"
#include "core/query.hpp"

namespace conse {

/// Unit queries as the kernels read them.
struct Directions {
    enum Kind : char { kNone, kUsual, kExtreme };  // no direction; scored by the kernels; scored in float64

    std::size_t stride;
    std::vector<float> units;  // (queries, stride)
    std::vector<Kind> kinds;

    // An odd number of cache lines apart: rows of 1,024 numbers would all take the same few places of the cache.
    Directions(std::size_t count, std::size_t dimension)
        : stride(padded(dimension) + (padded(dimension) / 16 % 2 == 0 ? 16 : 0)),
          units(count * stride),
          kinds(count, kNone) {}
    const float* operator[](std::size_t q) const { return units.data() + q * stride; }
    float* operator[](std::size_t q) { return units.data() + q * stride; }
};

struct Range {
    std::size_t begin, end;
    std::size_t size() const { return end - begin; }
};

/// Keeps the best labels that one thread has seen for each query of a batch.
class DenseRanker {
  public:
    DenseRanker(const KernelTable& kernels, const Directions& queries, const LabelRows& labels, Range batch,
                std::size_t most_labels, std::size_t k);

    /// At most so many labels as it was made for, against some queries of the batch.
    void rank(Range queries, Range labels);

    /// The best of query q, best first.
    const std::vector<Entry<float>>& finish(std::size_t q) { return best_of(q).finish(); }

  private:
    void rank_one(std::size_t q, Range labels);
    void rank_strip(Range queries);
    void rank_extremes(Range queries, Range labels);
    void collect(const float* scores, const std::uint16_t* masks, Collector<float>& best);
    void push_in_float64(std::size_t q, std::size_t label);
    float floor_of(std::size_t q);
    Collector<float>& best_of(std::size_t q) { return best_[q - batch_.begin]; }

    const KernelTable& kernels_;
    const Directions& queries_;
    Range batch_;
    LabelChunk chunk_;
    std::vector<float> scores_;  // (queries of a strip, labels)
    std::vector<std::uint16_t> masks_;
    std::vector<Collector<float>> best_;
};

}  // namespace conse
