#include "core/index_data.hpp"

#include <cmath>
#include <cstdio>
#include <set>
#include <string_view>

#include "conse/error.hpp"
#include "core/message.hpp"
#include "core/xxh64.hpp"

namespace conse {
namespace {

constexpr std::size_t kChecksumDigits = 16;
constexpr int kMostExponent = 70;  // class lengths lie between 1e-15 and 1e15

// Finds tensors and metadata of one file; every failure names the file.
class Contents {
  public:
    Contents(const Image& image, const Safetensors& file, const std::string& name)
        : image_(image), file_(file), name_(name) {}

    template <class... Parts>
    [[noreturn]] void fail(const Parts&... parts) const {
        refuse(concat(parts...));
    }
    [[noreturn]] void refuse(const std::string& what) const {
        throw FormatError(concat("'", name_, "' is not a usable index: ", what));
    }

    const std::string& metadata(const char* key) const {
        const auto found = file_.metadata.find(key);
        if (found == file_.metadata.end()) fail("its metadata lacks '", key, "'");
        return found->second;
    }

    bool flag(const char* key) const {
        const std::string& text = metadata(key);
        if (text != "true" && text != "false") fail("metadata '", key, "' is '", text, "'; expected true or false");
        return text == "true";
    }

    // Absent in files that know of one way only.
    bool refill() const {
        const auto found = file_.metadata.find(kMissingClassesKey);
        if (found == file_.metadata.end() || found->second == "skip") return false;
        if (found->second != "refill") {
            fail("metadata '", kMissingClassesKey, "' is '", found->second, "'; expected skip or refill");
        }
        return true;
    }

    std::size_t count(const char* key) const {
        const std::string& text = metadata(key);
        if (text.empty() || text.size() > 15 || text.find_first_not_of("0123456789") != std::string::npos) {
            fail("metadata '", key, "' is '", text, "'; expected a count");
        }
        return static_cast<std::size_t>(std::stoull(text));
    }

    // Of a power of two whose product with any weight and any maximum is an ordinary float32.
    int exponent(const char* key) const {
        const std::string& text = metadata(key);
        for (int candidate = -kMostExponent; candidate <= kMostExponent; ++candidate) {
            if (text == std::to_string(candidate)) return candidate;
        }
        fail("metadata '", key, "' is '", text, "'; expected a whole number from -", kMostExponent, " to ",
             kMostExponent);
    }

    double fraction(const char* key) const {
        const std::string& text = metadata(key);
        const bool fits = text.size() > 2 && text[1] == '.' &&
                          (text[0] + text.substr(2)).find_first_not_of("0123456789") == std::string::npos;
        if (!fits) fail("metadata '", key, "' is '", text, "'; expected a fraction such as 0.004266");
        double fraction = 0, unit = 1;
        for (const char digit : text.substr(2)) fraction += (unit /= 10) * (digit - '0');
        return std::min(1.0, fraction + (text[0] - '0'));
    }

    const Tensor* find(const std::string& key) const {
        const auto found = file_.tensors.find(key);
        return found == file_.tensors.end() ? nullptr : &found->second;
    }

    const Tensor& tensor(const std::string& key, const char* dtype, std::size_t rank) const {
        const Tensor* found = find(key);
        if (found == nullptr) fail("tensor '", key, "' is missing");
        if (found->dtype != dtype) fail("tensor '", key, "' is ", found->dtype, "; expected ", dtype);
        if (found->shape.size() != rank)
            fail("tensor '", key, "' has ", found->shape.size(), " dimensions; expected ", rank);
        return *found;
    }

    template <class Element>
    const Element* data(const std::string& key, const char* dtype, const std::vector<std::uint64_t>& shape) const {
        const Tensor& found = tensor(key, dtype, shape.size());
        for (std::size_t i = 0; i < shape.size(); ++i) {
            if (found.shape[i] == shape[i]) continue;
            fail("tensor '", key, "' has length ", found.shape[i], " in dimension ", i, "; expected ", shape[i]);
        }
        return reinterpret_cast<const Element*>(image_.data() + found.offset);
    }

    TextView texts(const std::string& key, std::size_t count) const {
        if (find(key) == nullptr) return {};
        const Tensor& bytes = tensor(key, "U8", 1);
        TextView view;
        view.bytes = image_.data() + bytes.offset;
        view.offsets = data<std::int64_t>(key + ".offsets", "I64", {count + 1});
        view.count = count;
        view.size = bytes.size;
        return view;
    }

  private:
    const Image& image_;
    const Safetensors& file_;
    const std::string& name_;
};

void check_version(const Contents& contents, const Safetensors& file) {
    const auto format = file.metadata.find("format");
    if (format == file.metadata.end() || format->second != kFormatName) {
        contents.fail("its metadata does not say format '", kFormatName, "'; build one with ConseIndex.build");
    }
    const std::string& version = contents.metadata("format_version");
    if (version != kFormatVersion && version != kVersionWithoutTwins) {
        contents.fail("it has format version ", version, " and this program reads versions ", kVersionWithoutTwins,
                      " and ", kFormatVersion, "; build it anew from its embeddings with ConseIndex.build");
    }
    const std::string& lanes = contents.metadata("block_rows");
    if (lanes != std::to_string(kBlockRows)) contents.fail("blocks of ", lanes, " rows; expected ", kBlockRows);
    if (contents.metadata(kChecksumKey).size() != kChecksumDigits) contents.fail("its checksum needs 16 digits");
}

std::size_t tiles_above(std::size_t n_nodes) {
    return (n_nodes + kFanOut - 1) / kFanOut;
}

void find_label_sets(const Contents& contents, IndexData& index) {
    if (contents.find("label_set_names") == nullptr) return;
    const std::uint64_t n_offsets = contents.tensor("label_sets.offsets", "I64", 1).shape[0];
    if (n_offsets < 2) contents.fail("tensor 'label_sets.offsets' has length ", n_offsets, "; expected at least 2");
    index.label_set_names = contents.texts("label_set_names", n_offsets - 1);
    index.label_set_offsets = contents.data<std::int64_t>("label_sets.offsets", "I64", {n_offsets});
    index.n_in_label_sets = contents.tensor("label_sets", "I32", 1).shape[0];
    index.label_sets = contents.data<std::int32_t>("label_sets", "I32", {index.n_in_label_sets});
    if (first_bad_offset(index.label_set_names) < n_offsets) contents.fail("label_set_names.offsets do not ascend");
    const std::size_t bad = first_bad_name(index.label_set_names);
    if (bad + 1 < n_offsets) contents.fail("label_set_names[", bad, "] is empty or given twice");
    for (std::size_t i = 0; i < n_offsets; ++i) {
        const std::int64_t before = i == 0 ? 0 : index.label_set_offsets[i - 1], offset = index.label_set_offsets[i];
        if (offset >= before && offset <= static_cast<std::int64_t>(index.n_in_label_sets)) continue;
        contents.fail("label_sets.offsets[", i, "] is ", offset, " behind ", before, " with ", index.n_in_label_sets,
                      " ids");
    }
}

}  // namespace

std::vector<std::size_t> level_sizes(std::size_t n_blocks) {
    std::vector<std::size_t> sizes{n_blocks};
    while (sizes.back() > kTopTiles) sizes.push_back(tiles_above(sizes.back()));
    return sizes;
}

std::vector<std::size_t> nodes_above(std::size_t n_blocks, std::size_t n_levels) {
    std::vector<std::size_t> nodes{n_blocks};
    while (nodes.size() < n_levels) nodes.push_back(tiles_above(nodes.back()));
    return nodes;
}

std::string maxima_name(std::size_t level) {
    return concat("maxima.", level);
}

std::shared_ptr<const IndexData> view_index(std::shared_ptr<const Image> image, const std::string& name) {
    auto index = std::make_shared<IndexData>();
    index->file = read_safetensors(image->data(), image->size(), name);
    index->image = std::move(image);
    const Contents contents(*index->image, index->file, name);
    check_version(contents, index->file);

    const std::size_t n_classes = contents.tensor("class_embeddings", "F32", 2).shape[0];
    const std::size_t dimension = contents.tensor("class_embeddings", "F32", 2).shape[1];
    index->n_labels = contents.tensor("label_class", "I32", 1).shape[0];
    index->n_blocks = contents.tensor("row_label", "I32", 2).shape[0];
    if (n_classes < 1 || dimension < 1 || index->n_labels < 1 || index->n_blocks < 1) contents.fail("an empty tensor");
    if (n_classes > 0x7ffffffe || index->n_labels > 0x7ffffffe || index->n_blocks > kNoRow / kBlockRows) {
        contents.fail("ids do not fit in 31 bits, or rows in 32");
    }
    index->class_lengths = contents.data<double>("class_lengths", "F64", {n_classes});
    index->label_embeddings = contents.data<float>("label_embeddings", "F32", {index->n_blocks, dimension, kBlockRows});
    if (contents.find("table") != nullptr) {
        index->table = contents.data<float>("table", "F32", {n_classes, lines_per_class(index->n_blocks), kBlockRows});
    }
    const std::vector<std::size_t> sizes = level_sizes(index->n_blocks);
    index->levels.push_back({nullptr, index->n_blocks});
    for (std::size_t level = 1; level < sizes.size(); ++level) {
        const std::vector<std::uint64_t> shape{n_classes, lines_per_class(sizes[level]), kFanOut};
        index->levels.push_back({contents.data<std::int16_t>(maxima_name(level), "I16", shape), sizes[level]});
    }
    const bool knows_twins = contents.metadata("format_version") == kFormatVersion;
    index->n_twins = knows_twins ? contents.count("n_twins") : 0;
    const std::size_t n_distinct_blocks = knows_twins ? contents.count(kDistinctBlocksKey) : index->n_blocks;
    if (n_distinct_blocks < 1 || n_distinct_blocks > index->n_blocks ||
        (n_distinct_blocks < index->n_blocks) != (index->n_twins > 0)) {
        contents.fail("metadata '", kDistinctBlocksKey, "' is ", n_distinct_blocks, " with ", index->n_blocks,
                      " blocks and ", index->n_twins, " twins");
    }
    index->n_distinct = nodes_above(n_distinct_blocks, sizes.size());
    if (index->n_twins > 0) {
        index->next_twin = contents.data<std::int32_t>("next_twin", "I32", {index->n_labels});
        index->twin_lanes = contents.data<std::uint16_t>("twin_lanes", "U16", {index->n_blocks});
    }
    if (contents.find("nearest_blocks") != nullptr) {
        const std::vector<std::uint64_t> shape{n_classes, NearestBlocks::kCount};
        index->nearest = {contents.data<std::int32_t>("nearest_blocks", "I32", shape),
                          contents.data<std::int16_t>("nearest_maxima", "I16", shape)};
    }
    index->row_label = contents.data<std::int32_t>("row_label", "I32", {index->n_blocks, kBlockRows});
    index->label_class = contents.data<std::int32_t>("label_class", "I32", {index->n_labels});
    index->class_names = contents.texts("class_names", n_classes);
    index->class_ids = contents.texts("class_ids", n_classes);
    index->label_names = contents.texts("label_names", index->n_labels);
    index->label_ids = contents.texts("label_ids", index->n_labels);
    find_label_sets(contents, *index);
    index->n_rows = contents.count("n_rows");
    index->normalize_classes = contents.flag("normalize_classes");
    index->repeated_labels = contents.flag("repeated_labels");
    index->classes = {contents.data<float>("class_embeddings", "F32", {n_classes, dimension}), n_classes, dimension,
                      index->normalize_classes ? nullptr : index->class_lengths};
    if (contents.find("class_products") != nullptr) {
        index->classes.products =
            contents.data<float>("class_products", "F32", {ClassEmbeddings::n_products(n_classes)});
    }
    index->refill = contents.refill();
    for (std::size_t c = 0; index->refill && c < n_classes; ++c) {
        if (index->class_lengths[c] == 0) index->refilled.push_back(static_cast<std::uint32_t>(c));
    }
    index->classes.refilled = index->refilled.data();
    index->classes.n_refilled = index->refilled.size();
    index->maxima_step = std::ldexp(1.0f, contents.exponent(kMaximaExponentKey));
    index->scored_fraction = contents.fraction(kScoredFractionKey);
    contents.metadata("producer");
    return index;
}

const LabelPlaces& IndexData::label_places() const {
    std::call_once(places_known_, [&] {
        places_.offsets.assign(n_labels + 1, 0);
        places_.seen_blocks.assign(n_blocks, 0);
        const std::size_t n_places = n_blocks * kBlockRows;
        const auto is_label = [&](std::size_t row) { return static_cast<std::uint32_t>(row_label[row]) < n_labels; };
        for (std::size_t row = 0; row < n_places; ++row) {
            if (!is_label(row)) continue;
            ++places_.offsets[static_cast<std::size_t>(row_label[row]) + 1];
            if (label_class[row_label[row]] >= 0) places_.seen_blocks[row / kBlockRows] = 1;
        }
        for (std::size_t label = 0; label < n_labels; ++label) places_.offsets[label + 1] += places_.offsets[label];
        places_.rows.resize(places_.offsets.back());
        std::vector<std::uint32_t> next(places_.offsets.begin(), places_.offsets.end() - 1);
        for (std::size_t row = 0; row < n_places; ++row) {
            if (!is_label(row)) continue;
            places_.rows[next[static_cast<std::size_t>(row_label[row])]++] = static_cast<std::uint32_t>(row);
        }
        if (n_twins > 0) find_leading_rows();
    });
    return places_;
}

// In a damaged file twins may follow each other anyhow, and lead to any row.
void IndexData::find_leading_rows() const {
    places_.leading_rows.assign(n_labels, 0);
    for (std::size_t row = 0; row < n_distinct_blocks() * kBlockRows; ++row) {
        if (static_cast<std::uint32_t>(row_label[row]) >= n_labels) continue;
        places_.leading_rows[static_cast<std::size_t>(row_label[row])] = static_cast<std::uint32_t>(row);
    }
    for (std::size_t label = 0; label < n_labels; ++label) {
        const auto twin = static_cast<std::uint32_t>(next_twin[label]);
        if (twin < n_labels) places_.leading_rows[twin] = places_.leading_rows[label];
    }
}

std::size_t first_bad_offset(const TextView& texts) {
    std::size_t i = 0;
    for (std::int64_t low = 0; i <= texts.count; low = texts.offsets[i++]) {
        if (texts.offsets[i] < low || texts.offsets[i] > static_cast<std::int64_t>(texts.size)) break;
    }
    return i;
}

std::size_t first_bad_name(const TextView& names) {
    std::set<std::string_view> met{""};
    std::size_t i = 0;
    while (i < names.count && met.insert(text_at(names, i)).second) ++i;
    return i;
}

std::string checksum_of(const IndexData& index) {
    const std::size_t digits = index.file.metadata_offsets.find(kChecksumKey)->second;
    const char* bytes = index.image->data();
    Xxh64 hash;
    hash.update(bytes, digits);
    hash.update("0000000000000000", kChecksumDigits);
    hash.update(bytes + digits + kChecksumDigits, index.image->size() - digits - kChecksumDigits);
    char text[kChecksumDigits + 1];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash.digest()));
    return text;
}

}  // namespace conse
