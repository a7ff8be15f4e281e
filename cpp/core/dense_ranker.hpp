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

    void rank(Range queries, Range labels, std::size_t soon) override;
    const std::vector<Entry<float>>& finish(std::size_t q) override;

  private:
    void rank_one(std::size_t q, Range labels);
    bool may_screen(std::size_t q) const;
    void screen(std::size_t q, Range labels);
    void rank_pending(std::size_t q, std::size_t count);
    void collect(std::size_t q);
    void rank_extremes(Range queries);
    void rank_in_float64(std::size_t q, Range labels);
    void push_in_float64(std::size_t q, std::size_t label);
    LaneLabels lanes() const { return {chunk_.first_label(), chunk_.ids(), n_labels_}; }
    float floor_of(std::size_t q) const { return strips_.floor_of(q, lanes()); }

    const Directions& queries_;
    std::size_t dimension_, n_labels_;
    LabelChunk chunk_;
    Strips strips_;
    // Of the batch's only query.
    float margin_ = 0;
    std::size_t unscreened_ = 0;         // labels that will be scored without screening
    std::vector<std::int32_t> pending_;  // screened labels that may reach the floor
};

}  // namespace conse
