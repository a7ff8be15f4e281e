// Every label against every query: cuts the pairs into tasks for threads and puts the best of their finds together.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "conse/execution.hpp"
#include "core/collector.hpp"
#include "core/directions.hpp"

namespace conse {

/// What one thread has found for the queries of a batch.
class BatchRanker {
  public:
    virtual ~BatchRanker() = default;

    /// Scores consecutive labels, at most as many as it was made for, for some queries of the batch. The labels from
    /// there to `soon` come next.
    virtual void rank(Range queries, Range labels, std::size_t soon) = 0;
    /// The best of query q, best first.
    virtual const std::vector<Entry<float>>& finish(std::size_t q) = 0;
};

struct DenseRanking {
    std::size_t n_labels, dimension;
    std::size_t k;
    bool repeated_labels;  // the same label may be found several times
    std::function<std::unique_ptr<BatchRanker>(Range batch, std::size_t most_labels, std::size_t k)> make_ranker;
    std::function<void(std::size_t q, const std::vector<Entry<float>>& best)> write;
};

/// Rankers are given labels in multiples of 16, but for the last ones.
void rank_in_batches(const Directions& directions, const DenseRanking& ranking, const Execution& execution);

}  // namespace conse
