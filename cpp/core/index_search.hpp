// The bounded search: the k best labels of one query, exactly, with most blocks of labels never read.
#pragma once

#include <vector>

#include "core/collector.hpp"
#include "core/index_data.hpp"
#include "core/query.hpp"

namespace conse {

/// Where the scores of labels come from. The choice depends on the index and T alone, so that a label's score
/// has the same bits in every ranking.
enum class Arithmetic {
    table,       // sum over the kept classes: T multiply-adds per label
    embeddings,  // direction of f times label embedding: `dimension` multiply-adds per label
};

Arithmetic choose_arithmetic(const IndexData& index, std::size_t top_t);

/// Scratch of one thread.
class Search {
  public:
    /// The k best labels for a query that has a direction, best first; k is cut to the number of labels.
    const std::vector<Entry<float>>& run(const KernelTable& kernels, const IndexData& index, Query& query,
                                         Arithmetic arithmetic, std::size_t k);

    std::size_t blocks_scored() const { return blocks_scored_; }  // by the last run

  private:
    struct Node {
        float bound;  // no label below this node scores higher (plus the slack)
        std::uint32_t level, tile;
        bool operator<(const Node& other) const { return bound < other.bound; }
    };

    void expand(const KernelTable& kernels, const IndexData& index, const Query& query, const Node& node);
    void score_block(const KernelTable& kernels, const IndexData& index, const Query& query, Arithmetic arithmetic,
                     std::size_t block);
    float lowest_bound() const;

    std::vector<Node> heap_;
    Collector<float> best_;
    float slack_ = 0;
    std::size_t blocks_scored_ = 0;
};

}  // namespace conse
