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

/// One search; what it needs of memory is kept from query to query. It goes in steps, each of which ends by asking
/// for the memory that the next one reads: a thread that advances several searches in turn never waits for it.
class Search {
  public:
    /// Begins to look for the k best labels (or all, if there are fewer) of a query that has a direction. All that is
    /// referred to must stay as it is until the search is done.
    void begin(const KernelTable& kernels, const IndexData& index, Arithmetic arithmetic, Query& query, std::size_t k);

    /// Visits the most promising node; false when no other can matter.
    bool step();

    /// The labels found, best first.
    const std::vector<Entry<float>>& finish() { return best_.finish(); }

    std::size_t blocks_scored() const { return blocks_scored_; }  // since begin()

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

    void open(std::uint32_t level, std::uint32_t tile);
    void wait_for_best_lane(std::uint32_t opened);
    void prefetch(std::uint32_t level, std::size_t tile) const;
    void score_block(std::size_t block);
    float lowest_bound() const;

    const KernelTable* kernels_ = nullptr;
    const IndexData* index_ = nullptr;
    Arithmetic arithmetic_ = Arithmetic::table;
    const Query* query_ = nullptr;
    std::vector<OpenTile> open_tiles_;
    std::vector<Waiting> heap_;
    Collector<float> best_;
    float slack_ = 0;
    std::size_t blocks_scored_ = 0;
};

}  // namespace conse
