#include "conse/index.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "conse/error.hpp"
#include "core/arguments.hpp"
#include "core/convex_combination.hpp"
#include "core/filter.hpp"
#include "core/index_build.hpp"
#include "core/index_data.hpp"
#include "core/index_rank.hpp"
#include "core/index_verify.hpp"
#include "core/missing_classes.hpp"
#include "core/plan.hpp"
#include "core/query_rows.hpp"

namespace conse {
namespace {

const std::string kInMemory = "the index in memory";

const std::string& name_of(const IndexData& index) {
    return index.image->path().empty() ? kInMemory : index.image->path();
}

// The pairs of one row in the order in which selection would have found them.
template <class Element>
void pairs_of_row(const IndexData& index, const std::int64_t* classes, const MatrixView& weights, std::size_t r,
                  std::vector<Entry<typename Selector<Element>::Value>>& pairs) {
    thread_local Selector<Element> selector;
    const Element* row = contiguous_row(weights, r, selector.gathered);
    const auto n_classes = static_cast<std::int64_t>(index.classes.n_classes);
    pairs.clear();
    for (std::size_t t = 0; t < weights.columns; ++t) {
        const std::int64_t class_id = classes[t];
        if (class_id < 0 || class_id >= n_classes) {
            invalid_argument("indices[", r, "] holds ", class_id, " at column ", t, "; expected class ids from 0 to ",
                             n_classes - 1);
        }
        const auto weight = value_of(row[t]);
        if (!(std::isfinite(weight) && weight >= 0)) {
            invalid_argument("weights[", r, "] holds ", word_for(weight), " at column ", t,
                             "; expected finite numbers >= 0");
        }
        pairs.push_back({weight, static_cast<std::int32_t>(class_id)});
    }
    const auto by_class = [](const auto& a, const auto& b) { return a.id < b.id; };
    std::sort(pairs.begin(), pairs.end(), by_class);
    for (std::size_t t = 1; t < pairs.size(); ++t) {
        if (pairs[t].id != pairs[t - 1].id) continue;
        invalid_argument("indices[", r, "] holds class ", pairs[t].id,
                         " twice; add the weights of a repeated class up first");
    }
    std::sort(pairs.begin(), pairs.end(), RanksBefore());
    sort_rest_by_id(pairs, kBoundTerms);
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
    auto image = Image::allocate(size);
    std::memcpy(image->data(), bytes, size);
    return Index(view_index(image, kInMemory));
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
    const IndexData& index = *data_;
    require_class_columns("probabilities", probabilities, index.classes.n_classes);
    visit_dtype(probabilities.dtype, [&](auto element) {
        using Element = decltype(element);
        const auto fill = [&](const KernelTable& table, std::size_t r, Query& query) {
            thread_local std::vector<Element> scratch;
            const MatrixView rows = without_missing(probabilities, r, index.refilled, false, scratch);
            query_of_row<Element>(table, rows, r, top_t, index.classes, query);
        };
        rank_rows(index, {probabilities.rows, top_t, options, fill}, ranking, execution);
    });
}

void Index::rank_logits(const MatrixView& logits, std::size_t top_t, double temperature, const RankingView& ranking,
                        const Execution& execution, const RankOptions& options) const {
    const IndexData& index = *data_;
    require_class_columns("logits", logits, index.classes.n_classes);
    if (!(std::isfinite(temperature) && temperature > 0)) {
        invalid_argument("temperature must be a finite number > 0, got ", temperature);
    }
    // No more than there are: the lowest logits would have a weight, if a small one.
    top_t = std::min(top_t, std::max<std::size_t>(1, index.classes.n_classes - index.refilled.size()));
    visit_dtype(logits.dtype, [&](auto element) {
        using Element = decltype(element);
        const auto fill = [&](const KernelTable& table, std::size_t r, Query& query) {
            thread_local std::vector<Element> scratch;
            const MatrixView rows = without_missing(logits, r, index.refilled, true, scratch);
            query.set_logits(kept_of_row<Element>(table, rows, r, top_t, Domain::finite, "logits"), temperature);
        };
        rank_rows(index, {logits.rows, top_t, options, fill}, ranking, execution);
    });
}

void Index::rank_pairs(const std::int64_t* classes, const MatrixView& weights, const RankingView& ranking,
                       const Execution& execution, const RankOptions& options) const {
    const IndexData& index = *data_;
    if (weights.columns < 1) invalid_argument("weights needs at least one column");
    visit_dtype(weights.dtype, [&](auto element) {
        using Element = decltype(element);
        const auto fill = [&](const KernelTable&, std::size_t r, Query& query) {
            thread_local std::vector<Entry<typename Selector<Element>::Value>> pairs;
            pairs_of_row<Element>(index, classes + r * weights.columns, weights, r, pairs);
            query.set_weights(pairs);
        };
        rank_rows(index, {weights.rows, weights.columns, options, fill}, ranking, execution);
    });
}

CandidateSet Index::prepare(const std::uint8_t* mask) const {
    auto filter = std::make_shared<Filter>();
    fill_filter(*data_, mask, true, *filter);
    filter->prepared_for = data_;
    return filter;
}

void Index::embed(const MatrixView& probabilities, std::size_t top_t, float* f, const Execution& execution) const {
    combine_rows(probabilities, top_t, data_->classes, data_->refilled, f, execution);
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

Plan Index::plan(std::size_t top_t, std::size_t k, std::size_t n_images) const {
    require_at_least_one("top_t", top_t);
    require_at_least_one("k", k);
    require_at_least_one("n_images", n_images);
    const RankPlan plan = make_plan(*data_, extent_of(*data_), top_t, k, n_images);
    return {plan.arithmetic == Arithmetic::table, plan.bounded, plan.expected_fraction,
            reason_of(plan, *data_, top_t, k)};
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
std::string_view Index::bytes() const {
    return {data_->image->data(), data_->image->size()};
}

std::string_view text_at(const TextView& texts, std::size_t i) {
    const std::int64_t begin = texts.offsets[i], end = texts.offsets[i + 1];
    if (begin < 0 || end < begin || end > static_cast<std::int64_t>(texts.size)) {
        throw FormatError(
            concat("text ", i, " of the index lies outside its ", texts.size, " bytes; the file is damaged"));
    }
    return {texts.bytes + begin, static_cast<std::size_t>(end - begin)};
}

}  // namespace conse
