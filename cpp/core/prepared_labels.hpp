// Candidates that were prepared for any number of calls.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>

#include "core/filter.hpp"
#include "core/message.hpp"
#include "core/packed.hpp"

namespace conse {

struct PreparedLabels {
    std::shared_ptr<const IndexData> index;
    Filter filter;

    /// The candidates as an index of their own, once so many images have been ranked among them that it pays, those of
    /// this call included; else null, as it is while another thread packs.
    const IndexData* packed_for(std::size_t n_images) const { return packed_after(n_images_ += n_images); }
    /// What packed_for() would say.
    const IndexData* packed_if(std::size_t n_images) const { return packed_after(n_images_ + n_images); }

  private:
    // Never waits: in a forked child a lock that another thread held would stay so.
    const IndexData* packed_after(std::size_t n_images) const {
        const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
        if (!lock.owns_lock()) return nullptr;
        if (packed_ == nullptr && packing_pays(*index, filter, n_images)) packed_ = pack(*index, filter);
        return packed_.get();
    }

    mutable std::mutex mutex_;
    mutable std::atomic<std::size_t> n_images_{0};  // that were ranked among them
    mutable std::shared_ptr<const IndexData> packed_;
};

/// Null, or candidates of this very index.
inline void require_own(const PreparedLabels* candidates, const IndexData& index) {
    if (candidates == nullptr || candidates->index.get() == &index) return;
    invalid_argument("candidates were prepared by another index; prepare them with this one");
}

}  // namespace conse
