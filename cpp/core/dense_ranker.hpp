// Some labels of a plain matrix against many queries, as each thread does it while `cosine_rank` goes through all.
#pragma once

#include "core/batches.hpp"
#include "core/label_chunk.hpp"
#include "core/strips.hpp"

namespace conse {

class DenseRanker : public BatchRanker {
  public:
    DenseRanker(const KernelTable& kernels, const Directions& queries, const LabelRows& labels, Range batch,
                std::size_t most_labels, std::size_t k);

    void rank(Range queries, Range labels) override;
    const std::vector<Entry<float>>& finish(std::size_t q) override { return strips_.best_of(q).finish(); }

  private:
    LaneLabels lanes() const { return {chunk_.first_label(), nullptr, n_labels_}; }
    void rank_one(std::size_t q, Range labels);
    void rank_extremes(Range queries, Range labels);
    void push_in_float64(std::size_t q, std::size_t label);

    const Directions& queries_;
    std::size_t n_labels_;
    LabelChunk chunk_;
    Strips strips_;
};

}  // namespace conse
