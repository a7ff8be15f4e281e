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
    // A tile of maxima whose lanes are bounds of nodes that wait to be visited; a visited lane is -infinity.
    struct OpenTile {
        float bounds[kTileLanes];
        std::uint32_t level, tile, best_lane;
    };
    // The best waiting bound of open tile `opened`; a heap of these has one entry per open tile, not per node.
    struct Waiting {
        float bound;
        std::uint32_t opened;
        bool operator<(const Waiting& other) const { return bound < other.bound; }
    };

    void open(const KernelTable& kernels, const IndexData& index, const Query& query, std::uint32_t level,
              std::uint32_t tile);
    void wait_for_best_lane(const KernelTable& kernels, std::uint32_t opened);
    void score_block(const KernelTable& kernels, const IndexData& index, const Query& query, Arithmetic arithmetic,
                     std::size_t block);
    float lowest_bound() const;

    std::vector<OpenTile> open_tiles_;
    std::vector<Waiting> heap_;
    Collector<float> best_;
    float slack_ = 0;
    std::size_t blocks_scored_ = 0;
};

}  // namespace conse
