#include "conse/index.hpp"

#include <cstring>

#include "conse/error.hpp"
#include "core/arguments.hpp"
#include "core/convex_combination.hpp"
#include "core/filter.hpp"
#include "core/index_build.hpp"
#include "core/index_data.hpp"
#include "core/index_rank.hpp"
#include "core/index_verify.hpp"
#include "core/plan.hpp"
#include "core/prepared_labels.hpp"
#include "core/row_queries.hpp"
#include "core/score_pairs.hpp"

namespace conse {
namespace {

// Not a global: another one may be made from bytes before it is.
const std::string& in_memory() {
    static const std::string name = "the index in memory";
    return name;
}

const std::string& name_of(const IndexData& index) {
    return index.image->path().empty() ? in_memory() : index.image->path();
}

void require_place(const char* what, std::size_t place, std::size_t count) {
    if (place >= count) invalid_argument("there is no ", what, " ", place, "; the index has ", count);
}

CandidateSet prepare_labels(const std::shared_ptr<const IndexData>& index, const LabelChoice& choice) {
    auto prepared = std::make_shared<PreparedLabels>();
    prepared->index = index;
    fill_filter(*index, choice, true, prepared->filter);
    return prepared;
}

}  // namespace

Index::Index(std::shared_ptr<const IndexData> data) : data_(std::move(data)) {}

Index Index::build(const BuildInput& input, const BuildOptions& options, const Execution& execution) {
    return Index(build_index(input, options, execution));
}

Index Index::open(const std::string& path) {
    return Index(view_index(Image::map(path), path));
}

Index Index::from_bytes(const void* bytes, std::size_t size) {
    if (size == 0) throw FormatError("an index cannot have 0 bytes");
    require_memory("bytes", bytes, size);
    auto image = Image::allocate(size);
    std::memcpy(image->data(), bytes, size);
    return Index(view_index(image, in_memory()));
}

void Index::save(const std::string& path) const {
    FileWriter writer(path, data_->image->size());
    std::memcpy(writer.image()->data(), data_->image->data(), data_->image->size());
    writer.commit();
}

void Index::verify(const Execution& execution) const {
    verify_index(*data_, name_of(*data_), execution);
}

void Index::rank(const MatrixView& probabilities, std::size_t top_t, const RankingView& ranking,
                 const Execution& execution, const RankOptions& options) const {
    rank_rows(*data_, *probability_rows(data_->classes, probabilities), {&top_t, 1}, options, ranking, execution);
}

void Index::rank(const MatrixView& probabilities, const std::vector<std::size_t>& top_t, const RankingView& ranking,
                 const Execution& execution, const RankOptions& options) const {
    const auto rows = probability_rows(data_->classes, probabilities);
    rank_rows(*data_, *rows, {top_t.data(), top_t.size()}, options, ranking, execution);
}

void Index::rank_logits(const MatrixView& logits, std::size_t top_t, double temperature, const RankingView& ranking,
                        const Execution& execution, const RankOptions& options) const {
    rank_rows(*data_, *logit_rows(data_->classes, logits, temperature), {&top_t, 1}, options, ranking, execution);
}

void Index::rank_logits(const MatrixView& logits, const std::vector<std::size_t>& top_t, double temperature,
                        const RankingView& ranking, const Execution& execution, const RankOptions& options) const {
    const auto rows = logit_rows(data_->classes, logits, temperature);
    rank_rows(*data_, *rows, {top_t.data(), top_t.size()}, options, ranking, execution);
}

void Index::rank_pairs(const std::int64_t* classes, const MatrixView& weights, const RankingView& ranking,
                       const Execution& execution, const RankOptions& options) const {
    const auto rows = pair_rows(data_->classes.n_classes, classes, weights);
    rank_rows(*data_, *rows, {&weights.columns, 1}, options, ranking, execution);
}

CandidateSet Index::prepare(const std::uint8_t* mask) const {
    return prepare_labels(data_, {mask});
}

CandidateSet Index::prepare(const LabelIds& labels) const {
    require_memory("candidates", labels.ids, labels.count);
    std::vector<std::int64_t> ids(labels.ids, labels.ids + labels.count);
    require_label_ids("candidates", ids.data(), ids.size(), data_->n_labels);
    ids.push_back(-1);  // without any, the choice would be that of all labels
    return prepare_labels(data_, {nullptr, ids.data(), ids.size()});
}

void Index::score_of(const MatrixView& probabilities, std::size_t top_t, const std::int64_t* pairs, std::size_t count,
                     float* scores, const Execution& execution, const RankOptions& options) const {
    score_pairs(*data_, probabilities, top_t, pairs, count, options, scores, execution);
}

void Index::embed(const MatrixView& probabilities, std::size_t top_t, float* f, const Execution& execution) const {
    combine_rows(probabilities, top_t, data_->classes, f, execution);
}

std::size_t Index::n_labels() const {
    return data_->n_labels;
}

IndexInfo Index::info() const {
    const IndexData& index = *data_;
    const auto metadata = [&](const char* key) { return index.file.metadata.find(key)->second; };
    IndexInfo info{};
    info.n_classes = index.classes.n_classes;
    info.n_labels = index.n_labels;
    info.n_rows = index.n_rows;
    info.dimension = index.classes.dimension;
    info.n_blocks = index.n_blocks;
    info.n_distinct_blocks = index.n_distinct_blocks();
    info.n_twins = index.n_twins;
    info.block_rows = kBlockRows;
    info.nbytes = index.image->size();
    info.compact = index.compact();
    info.normalize_classes = index.normalize_classes;
    info.refill = index.refill;
    info.format_version = metadata("format_version");
    info.producer = metadata("producer");
    info.checksum = metadata(kChecksumKey);
    info.scored_fraction = metadata(kScoredFractionKey);
    info.path = index.image->path();
    return info;
}

Plan Index::plan(std::size_t top_t, std::size_t k, std::size_t n_images, const CandidateSet& candidates) const {
    require_at_least_one("top_t", top_t);
    require_at_least_one("k", k);
    require_at_least_one("n_images", n_images);
    require_own(candidates.get(), *data_);
    const IndexData* packed = candidates == nullptr ? nullptr : candidates->packed_if(n_images);
    const IndexData& index = packed == nullptr ? *data_ : *packed;
    const Extent extent = candidates == nullptr || packed != nullptr ? extent_of(index) : extent_of(candidates->filter);
    const RankPlan plan = make_plan(index, extent, top_t, k, n_images);
    const std::string reason = reason_of(plan, index, extent, top_t, k);
    return {plan.arithmetic == Arithmetic::table, plan.bounded, plan.expected_fraction,
            packed == nullptr ? reason : concat("candidates as an index of their own: ", reason)};
}

const std::int32_t* Index::label_class() const {
    return data_->label_class;
}
TextView Index::class_names() const {
    return data_->class_names;
}
TextView Index::class_ids() const {
    return data_->class_ids;
}
TextView Index::label_names() const {
    return data_->label_names;
}
TextView Index::label_ids() const {
    return data_->label_ids;
}
TextView Index::label_set_names() const {
    return data_->label_set_names;
}
LabelIds Index::label_set(std::size_t place) const {
    const IndexData& index = *data_;
    require_place("label set", place, index.label_set_names.count);
    const std::int64_t begin = index.label_set_offsets[place], end = index.label_set_offsets[place + 1];
    if (begin < 0 || end < begin || end > static_cast<std::int64_t>(index.n_in_label_sets)) {
        throw FormatError(concat("label set ", place, " of the index lies outside its ", index.n_in_label_sets,
                                 " labels; the file is damaged"));
    }
    return {index.label_sets + begin, static_cast<std::size_t>(end - begin)};
}
std::string_view Index::bytes() const {
    return {data_->image->data(), data_->image->size()};
}

std::string_view text_at(const TextView& texts, std::size_t i) {
    require_place("text", i, texts.count);
    const std::int64_t begin = texts.offsets[i], end = texts.offsets[i + 1];
    if (begin < 0 || end < begin || end > static_cast<std::int64_t>(texts.size)) {
        throw FormatError(
            concat("text ", i, " of the index lies outside its ", texts.size, " bytes; the file is damaged"));
    }
    return {texts.bytes + begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace conse
