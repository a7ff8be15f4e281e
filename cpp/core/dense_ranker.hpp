// Some labels of a plain matrix against many queries, as each thread does it while `cosine_rank` goes through all.
#pragma once

#include "core/batches.hpp"
#include "core/label_chunk.hpp"
#include "core/strips.hpp"

namespace conse {

class DenseRanker : public BatchRanker {
  public:
    /// `screened`: the labels of the batch's only query, or null for all.
    DenseRanker(const KernelTable& kernels, const Directions& queries, const LabelRows& labels,
                const std::vector<std::int32_t>* screened, Range batch, std::size_t most_labels, std::size_t k);

    void rank(Range queries, Range labels, std::size_t soon) override;
    const std::vector<Entry<float>>& finish(std::size_t q) override;

  private:
    void rank_one(std::size_t q, Range labels);
    void rank_extremes(Range queries);
    void rank_in_float64(std::size_t q, Range labels);
    void push_in_float64(std::size_t q, std::size_t label);
    LaneLabels lanes() const { return {chunk_.first_label(), chunk_.ids(), n_labels_}; }

    const Directions& queries_;
    const std::size_t n_labels_;
    const std::vector<std::int32_t>* const screened_;
    LabelChunk chunk_;
    Strips strips_;
};

}  // namespace conse
