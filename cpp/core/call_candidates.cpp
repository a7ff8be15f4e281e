#include "core/call_candidates.hpp"

#include "core/arguments.hpp"
#include "core/message.hpp"
#include "core/prepared_labels.hpp"

namespace conse {

CallCandidates::CallCandidates(const IndexData& index, const RankOptions& options, std::size_t n_images)
    : index_(&index), options_(options), penalty_(penalty_of(options)) {
    const PreparedLabels* prepared = options.candidates.get();
    require_own(prepared, index);
    if ((prepared != nullptr) + (options.mask != nullptr) + (options.ids != nullptr) > 1) {
        invalid_argument("candidates, mask and ids are given; give one of them");
    }
    require_ids("candidates", options.ids, options.n_ids, options.ids_stride, n_images);
    require_ids("exclude", options.excluded, options.n_excluded, options.excluded_stride, n_images);
    if (choices_differ()) return;
    if (prepared != nullptr) {
        common_ = &prepared->filter;
    } else if (options.mask != nullptr || options.ids != nullptr) {
        fill_filter(index, choice_of(0), penalty_ != 0, own_);
        common_ = &own_;
    }
    if (common_ != nullptr) pack_common(n_images);
    if (common_ == nullptr && (penalty_ != 0 || options.excluded != nullptr)) {
        fill_filter(*index_, {}, penalty_ != 0, own_);
        common_ = &own_;
    }
    if (options.excluded == nullptr || options.excluded_stride != 0) return;
    if (common_ != &own_) own_ = *common_;
    common_ = &own_;
    exclude_from(own_, 0);
}

// Of all rows, those without direction among them, before anything is ranked.
void CallCandidates::require_ids(const char* argument, const std::int64_t* ids, std::size_t n_ids,
                                 std::ptrdiff_t stride, std::size_t n_images) const {
    if (stride == 0) return require_label_ids(argument, ids, ids == nullptr ? 0 : n_ids, index_->n_labels);
    for (std::ptrdiff_t row = 0; row < static_cast<std::ptrdiff_t>(n_images); ++row) {
        require_label_ids(argument, ids + row * stride, n_ids, index_->n_labels, row);
    }
}

// Where all labels are candidates no filter is needed any more.
void CallCandidates::pack_common(std::size_t n_images) {
    if (options_.candidates != nullptr) {
        const IndexData* packed = options_.candidates->packed_for(n_images);
        if (packed == nullptr) return;
        index_ = packed;
    } else {
        if (packing_pays(*index_, *common_, n_images)) packed_ = pack(*index_, *common_);
        if (packed_ == nullptr) return;
        index_ = packed_.get();
    }
    common_ = nullptr;
}

Allowed CallCandidates::of_row(std::size_t row, Filter& scratch) const {
    Allowed allowed = of_all();
    if (!differ()) return allowed;
    if (choices_differ()) {
        fill_filter(*index_, choice_of(row), penalty_ != 0, scratch);
    } else {
        scratch = *common_;
    }
    if (options_.excluded != nullptr) exclude_from(scratch, row);
    allowed.filter = &scratch;
    return allowed;
}

bool CallCandidates::choices_differ() const {
    const bool rows = options_.mask != nullptr ? options_.mask_stride != 0 : options_.ids_stride != 0;
    return options_.candidates == nullptr && rows;
}

LabelChoice CallCandidates::choice_of(std::size_t row) const {
    const auto at = static_cast<std::ptrdiff_t>(row);
    if (options_.mask != nullptr) return {options_.mask + at * options_.mask_stride};
    if (options_.ids != nullptr) return {nullptr, options_.ids + at * options_.ids_stride, options_.n_ids};
    return {};
}

void CallCandidates::exclude_from(Filter& filter, std::size_t row) const {
    exclude(*index_, options_.excluded + static_cast<std::ptrdiff_t>(row) * options_.excluded_stride,
            options_.n_excluded, filter);
}

}  // namespace conse
