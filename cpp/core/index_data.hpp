// An index as typed pointers into its image, and the names that the file format gives to things.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "conse/index.hpp"
#include "core/image.hpp"
#include "core/nearest_blocks.hpp"
#include "core/query.hpp"
#include "core/safetensors.hpp"

namespace conse {

inline constexpr const char* kFormatName = "conse_fast.index";
inline constexpr const char* kFormatVersion = "3";
inline constexpr const char* kVersionWithoutTwins = "2";  // is read as well
inline constexpr const char* kChecksumKey = "checksum.xxh64";
inline constexpr const char* kScoredFractionKey = "scored_fraction";
inline constexpr const char* kMaximaExponentKey = "maxima_exponent";
inline constexpr const char* kDistinctBlocksKey = "distinct_blocks";
inline constexpr const char* kMissingClassesKey = "missing_classes";  // may be missing: "skip"

/// A tree. Level 0 are the blocks of 16 label rows; lane j of tile i on level n bounds, class by class, the values of
/// tile 32 i + j on level n - 1, in whole steps. The last level has at most kTopTiles tiles.
struct Level {
    const std::int16_t* maxima;  // (n_classes, lines_per_class(n_tiles), 32); null on level 0
    std::size_t n_tiles;
};

/// Two tiles are bounded as fast as one and its parent are.
inline constexpr std::size_t kTopTiles = 2;

/// What a search reads of one class lies together, so that neighbouring blocks share pages and pairs of lines. An odd
/// number of lines keeps the classes from falling into the same few sets of a cache.
inline std::size_t lines_per_class(std::size_t count) {
    return count | 1;
}

/// Tiles per level for so many blocks.
std::vector<std::size_t> level_sizes(std::size_t n_blocks);
std::string maxima_name(std::size_t level);

/// How many nodes of each of `n_levels` levels lead to the first n_blocks blocks.
std::vector<std::size_t> nodes_above(std::size_t n_blocks, std::size_t n_levels);

/// In the place of a row: none, as in padding.
inline constexpr std::uint32_t kNoRow = 0xffffffffu;

/// Where the rows of each label are stored, the other way round than `row_label`, and what kind of labels each block
/// has.
struct LabelPlaces {
    std::vector<std::uint32_t> offsets;     // (n_labels + 1) into rows
    std::vector<std::uint32_t> rows;        // block * 16 + lane
    std::vector<std::uint8_t> seen_blocks;  // (n_blocks) not 0: seen classes
    // Where labels have twins: (n_labels) the row that the label, or the first of its twins, has in a distinct block.
    std::vector<std::uint32_t> leading_rows;

    struct Rows {
        const std::uint32_t *first, *last;

        const std::uint32_t* begin() const { return first; }
        const std::uint32_t* end() const { return last; }
    };
    /// None for an id that is no label's: -1, or what another thread makes of a caller's ids once they are checked.
    Rows rows_of(std::int64_t label) const {
        if (static_cast<std::uint64_t>(label) >= offsets.size() - 1) return {nullptr, nullptr};
        const auto place = static_cast<std::size_t>(label);
        return {rows.data() + offsets[place], rows.data() + offsets[place + 1]};
    }
};

struct IndexData {
    std::shared_ptr<const Image> image;
    Safetensors file;

    std::size_t n_labels = 0, n_rows = 0, n_blocks = 0;
    bool normalize_classes = true, repeated_labels = false;
    bool refill = false;
    std::vector<std::uint32_t> refilled;  // what `classes` points at; none unless `refill`
    ClassEmbeddings classes{};
    const double* class_lengths = nullptr;    // (n_classes) of the stored class embeddings
    const float* label_embeddings = nullptr;  // (n_blocks, dimension, 16): unit rows, transposed in each block
    const float* table = nullptr;  // (n_classes, lines_per_class(n_blocks), 16) class . label; null in the compact form
    std::vector<Level> levels;
    // Labels whose rows hold the same bits. The row of the first of them stands in one of the distinct blocks, which
    // are the first of all and what a search among all labels reads; those of the others, its twins, follow.
    const std::int32_t* next_twin = nullptr;  // (n_labels): the next label with the same row, or -1; null: none has any
    const std::uint16_t* twin_lanes = nullptr;  // (n_blocks) bit: the label of the row has a next twin
    std::size_t n_twins = 0;
    std::vector<std::size_t> n_distinct;        // by level: the nodes that lead to the distinct blocks
    NearestBlocks nearest;                      // of the distinct blocks
    double scored_fraction = 0;                 // of the blocks, by a search for ten labels
    float maxima_step = 0;                      // what one unit of the maxima is worth: a power of two
    const std::int32_t* row_label = nullptr;    // (n_blocks, 16): the label that owns the row, -1 for padding
    const std::int32_t* label_class = nullptr;  // (n_labels): class id or -1
    TextView class_names, class_ids, label_names, label_ids;
    TextView label_set_names;                         // of none if the file holds no sets
    const std::int64_t* label_set_offsets = nullptr;  // (names + 1) into label_sets
    const std::int32_t* label_sets = nullptr;         // (n_in_label_sets), ascending within each set
    std::size_t n_in_label_sets = 0;

    bool compact() const { return table == nullptr; }
    const float* label_block(std::size_t block) const {
        return label_embeddings + block * classes.dimension * kBlockRows;
    }
    const float* table_block(std::size_t block) const { return table + block * kBlockRows; }
    std::size_t table_stride() const { return lines_per_class(n_blocks) * kBlockRows; }
    const std::int16_t* maxima_tile(std::size_t level, std::size_t tile) const {
        return levels[level].maxima + tile * kFanOut;
    }
    std::size_t maxima_stride(std::size_t level) const { return lines_per_class(levels[level].n_tiles) * kFanOut; }
    /// Found out when it is first needed, in time for all labels.
    const LabelPlaces& label_places() const;
    std::size_t n_distinct_blocks() const { return n_distinct.front(); }
    /// Nodes of a level: all, or those that lead to distinct blocks.
    std::size_t n_nodes(std::size_t level, bool all) const { return all ? levels[level].n_tiles : n_distinct[level]; }
    /// Those among the children of a tile, which stands on level 1 or above.
    std::size_t n_children(std::size_t level, std::size_t tile, bool all = true) const {
        return std::min(kFanOut, n_nodes(level - 1, all) - tile * kFanOut);
    }

  private:
    void find_leading_rows() const;

    mutable std::once_flag places_known_;
    mutable LabelPlaces places_;
};

/// Reads the structure of an image in time that does not depend on its size. `name` is for messages: the
/// path. Throws FormatError.
std::shared_ptr<const IndexData> view_index(std::shared_ptr<const Image> image, const std::string& name);

/// The first place where offsets do not ascend within the text; count + 1 when they all do.
std::size_t first_bad_offset(const TextView& texts);

/// The first place of a name that is empty or that an earlier one equals; their count where there is none.
std::size_t first_bad_name(const TextView& names);

/// The checksum over the whole image, its own sixteen digits counted as zeros.
std::string checksum_of(const IndexData& index);

}  // namespace conse
