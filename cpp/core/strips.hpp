// Tiles of labels against a batch of queries, some queries at a time, with the best labels of each.
#pragma once

#include <cstdint>
#include <vector>

#include "core/collector.hpp"
#include "core/directions.hpp"
#include "core/filter.hpp"
#include "core/line.hpp"
#include "kernels/kernels.hpp"

namespace conse {

/// The labels of consecutive lanes: `first` and those after it, or what `ids` says, where whatever is not below
/// `n_labels` is no label.
struct LaneLabels {
    std::size_t first;
    const std::int32_t* ids;
    std::size_t n_labels;
    Allowed allowed{};  // for the blocks of an index
};

/// Scratch of one thread.
class Strips {
  public:
    Strips(const KernelTable& kernels, const Directions& queries, Range batch, std::size_t most_labels, std::size_t k,
           bool repeated_labels);

    /// Scores all labels of the tiles, at most as many as it was made for, for some queries of the batch.
    void rank(Range queries, const DenseTiles& tiles, const LaneLabels& labels);

    /// Takes the scores of `n_tiles` tiles that reach the floor of query q, as `masks` says.
    void collect(std::size_t q, const float* scores, const std::uint16_t* masks, std::size_t n_tiles,
                 const LaneLabels& labels);

    /// What a score of query q has to reach.
    float floor_of(std::size_t q, const LaneLabels& labels) const;
    Collector<float>& best_of(std::size_t q) { return best_[q - batch_.begin]; }

    float* scores() { return scores_.data()->lanes; }
    std::uint16_t* masks() { return masks_.data(); }

  private:
    const KernelTable& kernels_;
    const Directions& queries_;
    Range batch_;
    std::vector<Line> scores_;  // (queries of a strip, labels)
    std::vector<std::uint16_t> masks_;
    std::vector<Collector<float>> best_;
};

}  // namespace conse
