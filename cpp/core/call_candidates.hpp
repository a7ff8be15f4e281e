// The candidates of a call: of each row, or of all rows.
#pragma once

#include <memory>

#include "conse/candidates.hpp"
#include "core/filter.hpp"
#include "core/index_data.hpp"
#include "core/plan.hpp"

namespace conse {

class CallCandidates {
  public:
    /// For a call with so many images. `index` and `options` must outlive it.
    CallCandidates(const IndexData& index, const RankOptions& options, std::size_t n_images);

    /// Where they are to be looked for: the whole index, or one that holds them alone.
    const IndexData& index() const { return *index_; }
    bool dot() const { return options_.dot; }
    /// Whether each row has its own.
    bool differ() const { return choices_differ() || options_.excluded_stride != 0; }
    /// What all rows have in common.
    Allowed of_all() const {
        return {common_, penalty_, penalty_ != 0 ? &index_->label_places().seen_blocks : nullptr};
    }
    Allowed of_row(std::size_t row, Filter& scratch) const;
    /// Of one row; where rows differ, as if they allowed all.
    Extent extent() const { return common_ == nullptr ? extent_of(*index_) : extent_of(*common_); }

  private:
    bool choices_differ() const;
    void require_ids(const char* argument, const std::int64_t* ids, std::size_t n_ids, std::ptrdiff_t stride,
                     std::size_t n_images) const;
    void pack_common(std::size_t n_images);
    LabelChoice choice_of(std::size_t row) const;
    void exclude_from(Filter& filter, std::size_t row) const;

    const IndexData* index_;
    const RankOptions& options_;
    const float penalty_;
    Filter own_;
    const Filter* common_ = nullptr;           // of all rows
    std::shared_ptr<const IndexData> packed_;  // for this call
};

}  // namespace conse
