#include "core/packed.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/maxima.hpp"
#include "core/table.hpp"

namespace conse {
namespace {

// Stored rows of the candidates in blocks that are full but for the last one of each kind. The build lets seen labels
// stand first; other writers need not.
std::vector<std::uint32_t> candidate_rows(const IndexData& index, const Filter& filter) {
    const std::vector<std::uint8_t>& seen_blocks = index.label_places().seen_blocks;
    const auto pad = [](std::vector<std::uint32_t>& rows) {
        rows.resize((rows.size() + kBlockRows - 1) / kBlockRows * kBlockRows, kNoRow);
    };
    std::vector<std::uint32_t> rows;
    bool seen = true;
    for (const std::uint32_t block : filter.blocks) {
        if ((seen_blocks[block] != 0) != seen) pad(rows);
        seen = seen_blocks[block] != 0;
        for (std::uint32_t lanes = filter.lanes[block]; lanes != 0; lanes &= lanes - 1) {
            const std::uint32_t row =
                block * static_cast<std::uint32_t>(kBlockRows) + static_cast<std::uint32_t>(__builtin_ctz(lanes));
            if (static_cast<std::uint32_t>(index.row_label[row]) < index.n_labels) rows.push_back(row);
        }
    }
    pad(rows);
    return rows;
}

class Packer {
  public:
    Packer(const IndexData& index, std::vector<std::uint32_t> rows)
        : index_(index), rows_(std::move(rows)), sizes_(level_sizes(rows_.size() / kBlockRows)) {}

    std::shared_ptr<const IndexData> run() {
        allocate();
        const std::size_t dimension = index_.classes.dimension;
        for (std::size_t i = 0; i < rows_.size(); ++i) {
            row_label_[i] = rows_[i] == kNoRow ? -1 : index_.row_label[rows_[i]];
            if (rows_[i] == kNoRow) continue;
            const float* from = index_.label_block(rows_[i] / kBlockRows) + rows_[i] % kBlockRows;
            float* to = label_embeddings_ + i / kBlockRows * dimension * kBlockRows + i % kBlockRows;
            for (std::size_t d = 0; d < dimension; ++d) to[d * kBlockRows] = from[d * kBlockRows];
        }
        if (index_.compact()) {
            raise_products();
        } else {
            copy_table();
        }
        for (std::size_t level = 2; level < sizes_.size(); ++level) {
            raise_level(sizes_, level, index_.classes.n_classes, maxima_[level - 1], maxima_[level]);
        }
        return view();
    }

  private:
    std::size_t n_blocks() const { return sizes_.front(); }
    std::size_t table_stride() const { return lines_per_class(n_blocks()) * kBlockRows; }
    std::size_t n_filled(std::size_t block) const {
        const std::uint32_t* rows = rows_.data() + block * kBlockRows;
        return static_cast<std::size_t>(std::find(rows, rows + kBlockRows, kNoRow) - rows);
    }

    // All parts in one piece of zeroed memory, each on a line of its own.
    void allocate() {
        const std::size_t n_classes = index_.classes.n_classes;
        std::size_t size = 0;
        const auto reserve = [&](std::size_t bytes) {
            const std::size_t begin = size;
            size += (bytes + 63) / 64 * 64;
            return begin;
        };
        const std::size_t labels = reserve(rows_.size() * index_.classes.dimension * sizeof(float));
        const std::size_t table = reserve(index_.compact() ? 0 : n_classes * table_stride() * sizeof(float));
        const std::size_t owners = reserve(rows_.size() * sizeof(std::int32_t));
        std::vector<std::size_t> maxima{0};
        for (std::size_t level = 1; level < sizes_.size(); ++level) {
            maxima.push_back(reserve(n_classes * lines_per_class(sizes_[level]) * kFanOut * sizeof(std::int16_t)));
        }
        image_ = Image::allocate(size);
        label_embeddings_ = reinterpret_cast<float*>(image_->data() + labels);
        table_ = reinterpret_cast<float*>(image_->data() + table);
        row_label_ = reinterpret_cast<std::int32_t*>(image_->data() + owners);
        for (const std::size_t offset : maxima) {
            maxima_.push_back(reinterpret_cast<std::int16_t*>(image_->data() + offset));
        }
    }

    MaximaLane lane_of(std::size_t block, std::size_t class_id) {
        const std::size_t stride = lines_per_class(sizes_[1]) * kFanOut;
        return {maxima_[1] + class_id * stride + block, stride};
    }

    // Class by class, as the table lies.
    void copy_table() {
        for (std::size_t c = 0; c < index_.classes.n_classes; ++c) {
            const float* from = index_.table + c * index_.table_stride();
            float* to = table_ + c * table_stride();
            for (std::size_t i = 0; i < rows_.size(); ++i) {
                if (rows_[i] != kNoRow) to[i] = from[rows_[i]];
            }
            for (std::size_t block = 0; sizes_.size() > 1 && block < n_blocks(); ++block) {
                raise_block(to + block * kBlockRows, 1, n_filled(block), static_cast<double>(index_.maxima_step),
                            lane_of(block, c));
            }
        }
    }

    // Without a table the products have to be computed anew, as when the index was built.
    void raise_products() {
        if (sizes_.size() < 2) return;
        const std::size_t n_classes = index_.classes.n_classes, dimension = index_.classes.dimension;
        const ClassMatrix classes = class_matrix(index_.classes);
        std::vector<double> scratch;
        std::vector<float> scores(n_classes * kBlockRows);
        for (std::size_t block = 0; block < n_blocks(); ++block) {
            table_block(classes, dimension, label_embeddings_ + block * dimension * kBlockRows, scratch, scores.data());
            raise_block(scores.data(), n_classes, n_filled(block), static_cast<double>(index_.maxima_step),
                        lane_of(block, 0));
        }
    }

    std::shared_ptr<const IndexData> view() const {
        auto packed = std::make_shared<IndexData>();
        packed->image = image_;
        packed->n_labels = index_.n_labels;
        packed->n_rows = rows_.size() - static_cast<std::size_t>(std::count(rows_.begin(), rows_.end(), kNoRow));
        packed->n_blocks = n_blocks();
        packed->normalize_classes = index_.normalize_classes;
        packed->repeated_labels = index_.repeated_labels;
        packed->classes = index_.classes;
        packed->class_lengths = index_.class_lengths;
        packed->label_embeddings = label_embeddings_;
        packed->table = index_.compact() ? nullptr : table_;
        for (std::size_t level = 0; level < sizes_.size(); ++level) {
            packed->levels.push_back({level == 0 ? nullptr : maxima_[level], sizes_[level]});
        }
        packed->n_distinct = sizes_;
        // About as many blocks as in the whole index.
        packed->scored_fraction = std::min(
            1.0, index_.scored_fraction * static_cast<double>(index_.n_blocks) / static_cast<double>(n_blocks()));
        packed->maxima_step = index_.maxima_step;
        packed->row_label = row_label_;
        packed->label_class = index_.label_class;
        return packed;
    }

    const IndexData& index_;
    const std::vector<std::uint32_t> rows_;  // places in the whole index, kNoRow where there is none
    const std::vector<std::size_t> sizes_;   // of the levels
    std::shared_ptr<Image> image_;
    float *label_embeddings_ = nullptr, *table_ = nullptr;
    std::int32_t* row_label_ = nullptr;
    std::vector<std::int16_t*> maxima_;  // by level
};

}  // namespace

std::shared_ptr<const IndexData> pack(const IndexData& index, const Filter& filter) {
    std::vector<std::uint32_t> rows = candidate_rows(index, filter);
    return rows.empty() ? nullptr : Packer(index, std::move(rows)).run();
}

bool packing_pays(const IndexData& index, const Filter& filter, std::size_t n_images) {
    constexpr std::size_t kLargestShare = 4;  // a quarter of the rows, and of the memory
    constexpr double kSavedMicroseconds = 4;  // for an image
    if (filter.n_rows * kLargestShare > index.n_rows) return false;
    const double per_product = index.compact() ? 0.0001 * static_cast<double>(index.classes.dimension) : 0.006;
    const double taken = static_cast<double>(filter.n_rows * index.classes.n_classes) * per_product;
    return kSavedMicroseconds * static_cast<double>(n_images) >= taken;
}

}  // namespace conse
