#include "core/index_build.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/arguments.hpp"
#include "core/block_exchange.hpp"
#include "core/block_order.hpp"
#include "core/class_products.hpp"
#include "core/index_sample.hpp"
#include "core/label_sets.hpp"
#include "core/maxima.hpp"
#include "core/nearest_blocks.hpp"
#include "core/parallel.hpp"
#include "core/table.hpp"
#include "core/twins.hpp"
#include "core/unit_rows.hpp"

namespace conse {
namespace {

constexpr const char* kUnknownFraction = "0.000000";  // as many digits as the figure that replaces it

void check_texts(const char* argument, const TextView& texts, std::size_t count) {
    if (texts.offsets == nullptr) return;
    if (texts.count != count) invalid_argument(argument, " has ", texts.count, " entries; expected ", count);
    require_memory(argument, texts.bytes, texts.size);
    const std::size_t i = first_bad_offset(texts);
    if (i > count) return;
    invalid_argument(argument, " has offset ", texts.offsets[i], " at ", i, "; expected ascending offsets into ",
                     texts.size, " bytes");
}

std::size_t check_input(const BuildInput& input) {
    const MatrixView &classes = input.class_embeddings, &labels = input.label_embeddings;
    const std::size_t n_labels = input.n_labels > 0 ? input.n_labels : labels.rows;
    if (classes.rows < 1 || classes.columns < 1) invalid_argument("class_embeddings needs at least one row and column");
    if (labels.rows < 1) invalid_argument("label_embeddings needs at least one row");
    require_dimension("label_embeddings", labels, classes.columns);
    require_id_range("class_embeddings", classes.rows);
    require_id_range("label_embeddings", std::max(labels.rows, n_labels));
    if (input.row_label == nullptr && n_labels != labels.rows) {
        invalid_argument("label_embeddings has ", labels.rows, " rows but label_names, label_ids or label_class say ",
                         n_labels, " labels; expected one row per label, or row_label");
    }
    check_texts("class_names", input.class_names, classes.rows);
    check_texts("class_ids", input.class_ids, classes.rows);
    check_texts("label_names", input.label_names, n_labels);
    check_texts("label_ids", input.label_ids, n_labels);
    check_texts("label_set_names", input.label_set_names, input.label_set_names.count);
    return n_labels;
}

// Ids from `lowest` to `count` - 1, checked and copied in one reading: the caller's array may change during a build.
std::vector<std::int32_t> checked_ids(const char* argument, const std::int64_t* ids, std::size_t n, std::int64_t lowest,
                                      std::size_t count) {
    std::vector<std::int32_t> checked(n);
    for (std::size_t i = 0; i < n; ++i) {
        const std::int64_t id = ids[i];
        if (id < lowest || id >= static_cast<std::int64_t>(count)) {
            invalid_argument(argument, "[", i, "] is ", id, "; expected an id from ", lowest, " to ", count - 1);
        }
        checked[i] = static_cast<std::int32_t>(id);
    }
    return checked;
}

class Builder {
  public:
    Builder(const BuildInput& input, const BuildOptions& options, const Execution& execution)
        : input_(input), options_(options), execution_(execution), n_labels_(check_input(input)) {
        const std::size_t n_rows = input.label_embeddings.rows;
        if (input.row_label != nullptr) row_label_ = checked_ids("row_label", input.row_label, n_rows, 0, n_labels_);
        label_sets_ = sorted_label_sets(input, n_labels_);
        label_class_.assign(n_labels_, -1);
        if (input.label_class == nullptr) return;
        label_class_ = checked_ids("label_class", input.label_class, n_labels_, -1, input.class_embeddings.rows);
    }

    std::shared_ptr<const IndexData> run() {
        classes_ = unit_rows(input_.class_embeddings, "class_embeddings", options_.normalize_classes,
                             stage(execution_, 0, 0.01));
        if (options_.missing_classes == MissingClasses::raise) require_vectors();
        labels_ = unit_rows(input_.label_embeddings, "label_embeddings", true, stage(execution_, 0.01, 0.05));
        for (const double length : classes_.lengths) {
            class_lengths_.push_back(length > 0 && options_.normalize_classes ? 1 : length);
        }
        maxima_exponent_ = maxima_exponent(class_lengths_);
        order_rows();
        const SafetensorsPlan plan = make_plan();
        if (options_.path.empty()) {
            auto image = Image::allocate(plan.file_size());
            fill(*image, plan.header());
            seal(image);
            return view_index(image, "the new index");
        }
        FileWriter writer(options_.path, plan.file_size());
        fill(*writer.image(), plan.header());
        seal(writer.image());
        writer.commit();
        return view_index(Image::map(options_.path), options_.path);
    }

  private:
    std::size_t n_classes() const { return input_.class_embeddings.rows; }
    std::size_t dimension() const { return input_.class_embeddings.columns; }
    std::size_t label_of(std::size_t row) const {
        return row_label_.empty() ? row : static_cast<std::size_t>(row_label_[row]);
    }
    bool is_seen(std::size_t row) const { return label_class_[label_of(row)] >= 0; }

    ClassEmbeddings class_embeddings() const { return {classes_.data.data(), n_classes(), dimension(), nullptr}; }
    // Of unit rows, where scores come from the table.
    bool has_products() const {
        return !options_.compact && options_.normalize_classes && products_pay(n_classes(), dimension());
    }

    void require_vectors() const {
        const auto n_missing = std::count(classes_.lengths.begin(), classes_.lengths.end(), 0.0);
        if (n_missing == 0) return;
        const auto first = std::find(classes_.lengths.begin(), classes_.lengths.end(), 0.0) - classes_.lengths.begin();
        invalid_argument("class_embeddings[", first, "] is all zeros, the first of ", n_missing,
                         " classes without a vector; give them one, or build with missing_classes 'skip' or 'refill'");
    }

    void find_twins() {
        std::vector<std::uint32_t> row_of(n_labels_, kNoRow);
        for (std::size_t r = 0; r < labels_.lengths.size(); ++r) {
            if (labels_.lengths[r] == 0) continue;
            ++n_rows_;
            repeated_labels_ = repeated_labels_ || row_of[label_of(r)] != kNoRow;
            row_of[label_of(r)] = static_cast<std::uint32_t>(r);
        }
        if (!repeated_labels_) next_twin_ = next_twins(labels_.data.data(), dimension(), row_of);
        is_twin_.assign(n_labels_, 0);
        for (const std::int32_t twin : next_twin_) {
            if (twin >= 0) is_twin_[static_cast<std::size_t>(twin)] = 1;
        }
    }

    bool is_twin(std::size_t row) const { return is_twin_[label_of(row)] != 0; }

    // slots_[i] is the row in place i of the stored order. Twins come last, and of these and the others those of seen
    // labels first, all in blocks of their own.
    void order_rows() {
        find_twins();
        order_rows(false, 0.05, 0.25);
        if (slots_.empty()) slots_.resize(kBlockRows, kNoRow);
        n_distinct_blocks_ = slots_.size() / kBlockRows;
        if (!next_twin_.empty()) order_rows(true, 0.25, 0.3);
    }

    void order_rows(bool twins, double from, double to) {
        const double middle = from + (to - from) / 5;
        const MatrixView classes = matrix_view(classes_.data.data(), n_classes(), dimension());
        for (const bool seen : {true, false}) {
            std::vector<std::uint32_t> rows;
            for (std::size_t r = 0; r < labels_.lengths.size(); ++r) {
                if (labels_.lengths[r] == 0 || is_seen(r) != seen || is_twin(r) != twins) continue;
                rows.push_back(static_cast<std::uint32_t>(r));
            }
            const Execution ordering = seen ? stage(execution_, from, middle) : stage(execution_, middle, to);
            order_into_blocks(labels_.data.data(), dimension(), rows, stage(ordering, 0, twins ? 1 : 0.5));
            // Searches among all labels, which are most, read no twins.
            if (!twins) exchange_between_blocks(classes, labels_.data.data(), rows, stage(ordering, 0.5, 1));
            slots_.insert(slots_.end(), rows.begin(), rows.end());
            slots_.resize((slots_.size() + kBlockRows - 1) / kBlockRows * kBlockRows, kNoRow);
        }
    }

    SafetensorsPlan make_plan() const {
        const auto yes_or_no = [](bool flag) { return flag ? "true" : "false"; };
        const std::size_t n_blocks = slots_.size() / kBlockRows;
        SafetensorsPlan plan;
        plan.add_metadata("format", kFormatName);
        plan.add_metadata("format_version", kFormatVersion);
        plan.add_metadata("producer", "conse_fast " CONSE_VERSION);
        plan.add_metadata(kChecksumKey, "0000000000000000");
        plan.add_metadata(kScoredFractionKey, kUnknownFraction);
        plan.add_metadata("block_rows", std::to_string(kBlockRows));
        plan.add_metadata(kMaximaExponentKey, std::to_string(maxima_exponent_));
        plan.add_metadata("n_rows", std::to_string(n_rows_));
        plan.add_metadata("n_twins", std::to_string(std::count(is_twin_.begin(), is_twin_.end(), 1)));
        plan.add_metadata(kDistinctBlocksKey, std::to_string(n_distinct_blocks_));
        plan.add_metadata("normalize_classes", yes_or_no(options_.normalize_classes));
        plan.add_metadata("repeated_labels", yes_or_no(repeated_labels_));
        if (options_.missing_classes == MissingClasses::refill) plan.add_metadata(kMissingClassesKey, "refill");
        plan.add_tensor("label_embeddings", "F32", {n_blocks, dimension(), kBlockRows});
        plan.add_tensor("class_embeddings", "F32", {n_classes(), dimension()});
        plan.add_tensor("class_lengths", "F64", {n_classes()});
        if (!options_.compact) plan.add_tensor("table", "F32", {n_classes(), lines_per_class(n_blocks), kBlockRows});
        if (has_products()) plan.add_tensor("class_products", "F32", {ClassEmbeddings::n_products(n_classes())});
        const std::vector<std::size_t> sizes = level_sizes(n_blocks);
        for (std::size_t level = 1; level < sizes.size(); ++level) {
            plan.add_tensor(maxima_name(level), "I16", {n_classes(), lines_per_class(sizes[level]), kFanOut});
        }
        if (has_nearest_blocks(n_distinct_blocks_)) {
            plan.add_tensor("nearest_blocks", "I32", {n_classes(), NearestBlocks::kCount});
            plan.add_tensor("nearest_maxima", "I16", {n_classes(), NearestBlocks::kCount});
        }
        plan.add_tensor("row_label", "I32", {n_blocks, kBlockRows});
        plan.add_tensor("label_class", "I32", {n_labels_});
        if (!next_twin_.empty()) {
            plan.add_tensor("next_twin", "I32", {n_labels_});
            plan.add_tensor("twin_lanes", "U16", {n_blocks});
        }
        for (const auto& [name, texts] : texts_of(input_)) {
            if (texts->offsets == nullptr) continue;
            const auto size = static_cast<std::uint64_t>(texts->offsets[texts->count] - texts->offsets[0]);
            plan.add_tensor(name, "U8", {size});
            plan.add_tensor(std::string(name) + ".offsets", "I64", {texts->count + 1});
        }
        if (!label_sets_.offsets.empty()) {
            plan.add_tensor("label_sets", "I32", {label_sets_.labels.size()});
            plan.add_tensor("label_sets.offsets", "I64", {label_sets_.offsets.size()});
        }
        return plan;
    }

    static std::vector<std::pair<const char*, const TextView*>> texts_of(const BuildInput& input) {
        return {{"class_names", &input.class_names},
                {"class_ids", &input.class_ids},
                {"label_names", &input.label_names},
                {"label_ids", &input.label_ids},
                {"label_set_names", &input.label_set_names}};
    }

    template <class Element>
    Element* tensor(const std::string& name) {
        return reinterpret_cast<Element*>(image_->data() + file_.tensors.find(name)->second.offset);
    }

    void fill(Image& image, const std::string& header) {
        image_ = &image;
        std::memcpy(image.data(), header.data(), header.size());
        file_ = read_safetensors(image.data(), image.size(), "the new index");
        std::copy(classes_.data.begin(), classes_.data.end(), tensor<float>("class_embeddings"));
        for (std::size_t c = 0; c < n_classes(); ++c) {
            tensor<double>("class_lengths")[c] = class_lengths_[c];
        }
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            tensor<std::int32_t>("row_label")[i] =
                slots_[i] == kNoRow ? -1 : static_cast<std::int32_t>(label_of(slots_[i]));
        }
        std::copy(label_class_.begin(), label_class_.end(), tensor<std::int32_t>("label_class"));
        if (!next_twin_.empty()) fill_twins();
        for (const auto& [name, texts] : texts_of(input_)) {
            if (texts->offsets == nullptr) continue;
            const std::int64_t first = texts->offsets[0];
            std::copy(texts->bytes + first, texts->bytes + texts->offsets[texts->count], tensor<char>(name));
            auto* offsets = tensor<std::int64_t>(std::string(name) + ".offsets");
            for (std::size_t i = 0; i <= texts->count; ++i) offsets[i] = texts->offsets[i] - first;
        }
        if (!label_sets_.offsets.empty()) {
            std::copy(label_sets_.labels.begin(), label_sets_.labels.end(), tensor<std::int32_t>("label_sets"));
            std::copy(label_sets_.offsets.begin(), label_sets_.offsets.end(),
                      tensor<std::int64_t>("label_sets.offsets"));
        }
        if (has_products()) {
            fill_class_products(class_embeddings(), tensor<float>("class_products"), stage(execution_, 0.3, 0.31));
        }
        const std::vector<std::size_t> sizes = level_sizes(slots_.size() / kBlockRows);
        fill_blocks(sizes);
        for (std::size_t level = 2; level < sizes.size(); ++level) {
            raise_level(sizes, level, n_classes(), tensor<std::int16_t>(maxima_name(level - 1)),
                        tensor<std::int16_t>(maxima_name(level)));
        }
        if (has_nearest_blocks(n_distinct_blocks_)) {
            fill_nearest_blocks(tensor<std::int16_t>(maxima_name(1)), lines_per_class(sizes[1]) * kFanOut, n_classes(),
                                n_distinct_blocks_, tensor<std::int32_t>("nearest_blocks"),
                                tensor<std::int16_t>("nearest_maxima"));
        }
    }

    void fill_twins() {
        std::copy(next_twin_.begin(), next_twin_.end(), tensor<std::int32_t>("next_twin"));
        for (std::size_t i = 0; i < slots_.size(); ++i) {
            if (slots_[i] == kNoRow || next_twin_[label_of(slots_[i])] < 0) continue;
            std::uint16_t& lanes = tensor<std::uint16_t>("twin_lanes")[i / kBlockRows];
            lanes = static_cast<std::uint16_t>(lanes | 1u << i % kBlockRows);
        }
    }

    // Lane `child` of a level above the blocks.
    MaximaLane lane(std::size_t level, std::size_t child, const std::vector<std::size_t>& sizes) {
        return {tensor<std::int16_t>(maxima_name(level)) + child, lines_per_class(sizes[level]) * kFanOut};
    }

    // Label embeddings, table and the first level of maxima, block by block.
    void fill_blocks(const std::vector<std::size_t>& sizes) {
        const std::size_t n_blocks = sizes.front(), stride = lines_per_class(n_blocks) * kBlockRows;
        float* label_embeddings = tensor<float>("label_embeddings");
        float* table = options_.compact ? nullptr : tensor<float>("table");
        const bool has_maxima = sizes.size() > 1;
        const double step = std::ldexp(1.0, maxima_exponent_);
        const ClassMatrix classes = class_matrix(class_embeddings());
        const Work work{n_blocks, 0.0025 * static_cast<double>(n_classes() * dimension())};
        parallel_for(work, stage(execution_, 0.31, 0.97), [&](std::size_t begin, std::size_t end) {
            std::vector<double> scratch;
            std::vector<float> scores(n_classes() * kBlockRows);
            for (std::size_t block = begin; block < end; ++block) {
                float* labels = label_embeddings + block * dimension() * kBlockRows;
                const std::size_t n_filled = transpose_block(block, labels);
                table_block(classes, dimension(), labels, scratch, scores.data());
                for (std::size_t c = 0; table != nullptr && c < n_classes(); ++c) {
                    std::copy_n(scores.data() + c * kBlockRows, kBlockRows, table + c * stride + block * kBlockRows);
                }
                if (has_maxima) raise_block(scores.data(), n_classes(), n_filled, step, lane(1, block, sizes));
            }
        });
    }

    // Writes the block's rows as (dimension, 16) and returns how many there are; padding stays zero.
    std::size_t transpose_block(std::size_t block, float* out) const {
        std::size_t lane = 0;
        for (; lane < kBlockRows && slots_[block * kBlockRows + lane] != kNoRow; ++lane) {
            const float* row = labels_.data.data() + slots_[block * kBlockRows + lane] * dimension();
            for (std::size_t d = 0; d < dimension(); ++d) out[d * kBlockRows + lane] = row[d];
        }
        return lane;
    }

    // Writes what is known only at the end into the header: the sampled fraction, then the checksum.
    void seal(const std::shared_ptr<Image>& image) {
        const auto index = view_index(image, "the new index");
        patch(*image, kScoredFractionKey, sample_scored_fraction(*index, stage(execution_, 0.97, 1)));
        if (execution_.checkpoint) execution_.checkpoint(1);
        patch(*image, kChecksumKey, checksum_of(*index));
    }

    void patch(Image& image, const char* key, const std::string& value) const {
        std::memcpy(image.data() + file_.metadata_offsets.find(key)->second, value.data(), value.size());
    }

    const BuildInput& input_;
    const BuildOptions& options_;
    const Execution& execution_;
    std::size_t n_labels_;
    std::vector<std::int32_t> row_label_;    // empty: row r is label r
    std::vector<std::int32_t> label_class_;  // (labels)
    LabelSets label_sets_;
    UnitRows classes_, labels_;
    std::vector<double> class_lengths_;  // as stored
    int maxima_exponent_ = 0;
    std::vector<std::uint32_t> slots_;
    std::size_t n_rows_ = 0, n_distinct_blocks_ = 0;
    std::vector<std::int32_t> next_twin_;  // (labels), or empty
    std::vector<char> is_twin_;            // (labels): some other label's next twin
    bool repeated_labels_ = false;
    Image* image_ = nullptr;
    Safetensors file_;
};

}  // namespace

std::shared_ptr<const IndexData> build_index(const BuildInput& input, const BuildOptions& options,
                                             const Execution& execution) {
    return Builder(input, options, execution).run();
}

}  // namespace conse
