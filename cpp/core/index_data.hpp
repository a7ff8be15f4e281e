// An index as typed pointers into its image, and the names that the file format gives to things.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "conse/index.hpp"
#include "core/image.hpp"
#include "core/query.hpp"
#include "core/safetensors.hpp"

namespace conse {

inline constexpr const char* kFormatName = "conse_fast.index";
inline constexpr const char* kFormatVersion = "1";
inline constexpr const char* kChecksumKey = "checksum.xxh64";
inline constexpr const char* kScoredFractionKey = "scored_fraction";

/// A tree of tiles with 32 lanes each. Level 0 are the blocks of 32 label rows; lane j of tile i on level n
/// is the largest value, class by class, of tile 32 i + j on level n - 1. The last level has one tile, the
/// root.
struct Level {
    const float* maxima;  // (n_tiles, n_classes, 32); null on level 0
    std::size_t n_tiles;
};

/// Tiles per level for so many blocks.
std::vector<std::size_t> level_sizes(std::size_t n_blocks);
std::string maxima_name(std::size_t level);

struct IndexData {
    std::shared_ptr<const Image> image;
    Safetensors file;

    std::size_t n_labels = 0, n_rows = 0, n_blocks = 0;
    bool normalize_classes = true, repeated_labels = false;
    ClassEmbeddings classes{};
    const double* class_lengths = nullptr;    // (n_classes) of the stored class embeddings
    const float* label_embeddings = nullptr;  // (n_blocks, dimension, 32): unit rows, transposed in each block
    const float* table = nullptr;             // (n_blocks, n_classes, 32) class . label; null in the compact form
    std::vector<Level> levels;
    const std::int32_t* row_label = nullptr;    // (n_blocks, 32): the label that owns the row, -1 for padding
    const std::int32_t* label_class = nullptr;  // (n_labels): class id or -1
    TextView class_names, class_ids, label_names, label_ids;

    bool compact() const { return table == nullptr; }
    const float* label_tile(std::size_t block) const {
        return label_embeddings + block * classes.dimension * kTileLanes;
    }
    const float* table_tile(std::size_t block) const { return table + block * classes.n_classes * kTileLanes; }
    const float* maxima_tile(std::size_t level, std::size_t tile) const {
        return levels[level].maxima + tile * classes.n_classes * kTileLanes;
    }
};

/// Reads the structure of an image in time that does not depend on its size. `name` is for messages: the
/// path. Throws FormatError.
std::shared_ptr<const IndexData> view_index(std::shared_ptr<const Image> image, const std::string& name);

/// The first place where offsets do not ascend within the text; count + 1 when they all do.
std::size_t first_bad_offset(const TextView& texts);

/// The checksum over the whole image, its own sixteen digits counted as zeros.
std::string checksum_of(const IndexData& index);

}  // namespace conse
