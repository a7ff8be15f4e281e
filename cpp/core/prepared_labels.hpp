// Candidates that were prepared for any number of calls.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>

#include "core/filter.hpp"
#include "core/packed.hpp"

namespace conse {

struct PreparedLabels {
    std::shared_ptr<const IndexData> index;
    Filter filter;

    /// The candidates as an index of their own, once so many images have been ranked among them that it pays, those of
    /// this call included; else null.
    const IndexData* packed_for(std::size_t n_images) const {
        const std::lock_guard<std::mutex> guard(mutex_);
        n_images_ += n_images;
        return packed_after(n_images_);
    }
    /// What packed_for() would say.
    const IndexData* packed_if(std::size_t n_images) const {
        const std::lock_guard<std::mutex> guard(mutex_);
        return packed_after(n_images_ + n_images);
    }

  private:
    const IndexData* packed_after(std::size_t n_images) const {
        if (packed_ == nullptr && packing_pays(*index, filter, n_images)) packed_ = pack(*index, filter);
        return packed_.get();
    }

    mutable std::mutex mutex_;
    mutable std::size_t n_images_ = 0;  // that were ranked among them
    mutable std::shared_ptr<const IndexData> packed_;
};

}  // namespace conse
