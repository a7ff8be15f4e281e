// The bounded search: the k best labels of one query, exactly, with most blocks of labels never read.
#pragma once

#include <vector>

#include "core/collector.hpp"
#include "core/filter.hpp"
#include "core/index_data.hpp"
#include "core/plan.hpp"
#include "core/query.hpp"

namespace conse {

/// One search; what it needs of memory is kept from query to query. It goes in steps, each of which ends by asking
/// for the memory that the next one reads: a thread that advances several searches in turn never waits for it.
///
/// First it descends to the block that promises most; then it visits, the highest bound first, the children of the
/// tiles that it passed and all that they lead to. The block's floor has by then excluded most of them.
class Search {
  public:
    /// Begins to look for the k best labels (or all, if there are fewer) of a query that has a direction; of those that
    /// are allowed. All that is referred to must stay as it is until the search is done.
    void begin(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
               Query& query, std::size_t k, std::size_t most_blocks);

    /// Visits the most promising node; false when no other can matter, or so many blocks have been scored.
    bool step();
    bool gave_up() const { return gave_up_; }

    /// Scores every label instead.
    void sweep(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
               Query& query, std::size_t k);

    /// The labels found, best first.
    const std::vector<Entry<float>>& finish() { return best_.finish(); }

    std::size_t blocks_scored() const { return blocks_scored_; }  // since begin()

  private:
    // A block (level 0) or a tile of maxima.
    struct Node {
        std::uint32_t level, id;
    };
    // A tile whose children have bounds, and the order in which those that can matter are visited.
    struct OpenTile {
        Node node;
        std::uint32_t visited, count;  // of `lanes`
        float bounds[kFanOut];
        std::uint8_t lanes[kFanOut];

        bool exhausted() const { return visited == count; }
        float next_bound() const { return bounds[lanes[visited]]; }
        Node next() const { return child(lanes[visited]); }
        Node child(std::uint32_t lane) const {
            return {node.level - 1, node.id * static_cast<std::uint32_t>(kFanOut) + lane};
        }
    };
    // An open tile that is not the current one.
    struct Waiting {
        float bound;
        std::uint32_t opened;
        bool operator<(const Waiting& other) const { return bound < other.bound; }
    };

    void prepare(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
                 Query& query, std::size_t k);
    void descend();
    void pass(Node node);
    void order(std::uint32_t opened);
    void choose_current();
    OpenTile& open(Node node);
    void restrict_children(OpenTile& tile) const;
    void score_block(std::size_t block);
    void prefetch(Node node) const;
    float lowest_bound() const;

    const KernelTable* kernels_ = nullptr;
    const IndexData* index_ = nullptr;
    Allowed allowed_;
    Arithmetic arithmetic_ = Arithmetic::table;
    const Query* query_ = nullptr;
    std::vector<OpenTile> open_tiles_;
    std::vector<Waiting> heap_;
    bool descending_ = false;
    float below_bound_ = 0;  // of the child where the descent goes on
    std::uint32_t below_from_ = 0, below_lane_ = 0;
    std::uint32_t current_ = 0;  // the open tile with the highest next bound
    Collector<float> best_;
    float slack_ = 0;
    std::size_t blocks_scored_ = 0, most_blocks_ = 0;
    bool gave_up_ = false;
};

}  // namespace conse
