// The bounded search: the k best labels of one query, exactly, with most blocks of labels never read.
#pragma once

#include <vector>

#include "conse/matrix_view.hpp"
#include "core/collector.hpp"
#include "core/few_best.hpp"
#include "core/filter.hpp"
#include "core/index_data.hpp"
#include "core/near_search.hpp"
#include "core/plan.hpp"
#include "core/query.hpp"
#include "core/tournament.hpp"

namespace conse {

/// One search; what it needs of memory is kept from query to query. It visits nodes, the highest bound first, and stops
/// when the best bound left is below the k-th score: no order could score fewer blocks.
///
/// A visit reads what the choice before it has asked for, and branches on nothing that it reads: a thread that advances
/// several searches in turn, first all visits, then all choices, never waits for memory, and what a wrong guess of a
/// branch costs does not grow by that wait.
class Search {
  public:
    /// Begins to look for the k best labels (or all, if there are fewer) of a query that has a direction; of those that
    /// are allowed. All that is referred to must stay as it is until the search is done.
    /// `alone`: no other search is advanced in turn, so that every tile is waited for.
    void begin(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
               Query& query, std::size_t k, std::size_t most_blocks, bool alone);

    /// Chooses the most promising node; false when no other can matter, or when so many blocks have been scored or are
    /// expected to be.
    bool choose();
    void visit();
    bool gave_up() const { return gave_up_; }

    /// Scores every label instead.
    void sweep(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
               Query& query, std::size_t k);

    /// Writes the labels found, best first, to a row of results.
    void write_to(const RankingView& ranking, std::size_t row);

    std::size_t blocks_scored() const { return blocks_scored_; }  // since begin()

  private:
    // A block (level 0) or a tile of maxima.
    struct Node {
        std::uint32_t level, id;
    };
    // A tile whose children have bounds; -infinity when they have been visited.
    struct OpenTile {
        alignas(64) float bounds[kFanOut];
        Node node;
        std::uint32_t best;  // the child with the highest bound

        OpenTile() {}  // all is set soon; zeros before that took 5 % of a query

        Node child(std::uint32_t lane) const {
            return {node.level - 1, node.id * static_cast<std::uint32_t>(kFanOut) + lane};
        }
    };

    void prepare(const KernelTable& kernels, const IndexData& index, const Allowed& allowed, Arithmetic arithmetic,
                 Query& query, std::size_t k);
    bool choose_near();
    bool choose_open();
    void open_roots();
    std::size_t n_children(Node tile) const { return index_->n_children(tile.level, tile.id, all_blocks_); }
    void open(Node node);
    void leave_out_visited(OpenTile& tile) const;
    void restrict_children(OpenTile& tile) const;
    void score_block(std::size_t block);
    bool is_label(std::int32_t id) const { return static_cast<std::uint32_t>(id) < index_->n_labels; }
    void take_scores();
    void take_twins(const std::int32_t* labels);
    std::size_t list_twins(std::int32_t label);
    void take_block(std::size_t block);
    void prefetch(Node node) const;
    void find_lowest_bound();
    double expected_blocks() const;
    bool is_worth_it();

    const KernelTable* kernels_ = nullptr;
    const IndexData* index_ = nullptr;
    Allowed allowed_;
    Arithmetic arithmetic_ = Arithmetic::table;
    const Query* query_ = nullptr;
    bool all_blocks_ = true;                     // else the distinct ones, whose labels bring their twins
    const std::uint16_t* twin_lanes_ = nullptr;  // null: they have none
    const LabelPlaces* places_ = nullptr;        // where twins are candidates or not
    std::vector<std::int32_t> twins_;            // scratch
    std::vector<OpenTile> open_tiles_;
    Tournament tournament_;      // of the open tiles' best children
    std::uint32_t current_ = 0;  // the tile whose child is visited
    Node next_{};
    bool asks_ahead_ = false;  // what is chosen is asked for before it is visited
    bool near_ = false;        // blocks come from near_search_, and no tile is open yet
    NearSearch near_search_;
    std::size_t n_best_ = 1;
    bool few_ = false;
    FewBest few_best_;        // where `few_`
    Collector<float> best_;   // elsewhere
    std::uint32_t mask_ = 0;  // of the block that has been scored, what reaches the floor
    alignas(64) float scores_[kBlockRows] = {};
    float floor_ = 0, lowest_bound_ = 0;
    float slack_ = 0;
    std::size_t blocks_scored_ = 0, most_blocks_ = 0, next_check_ = 0;
    bool gave_up_ = false;
};

}  // namespace conse
