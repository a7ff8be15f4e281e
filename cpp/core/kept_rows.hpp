// What selection keeps of a stretch of rows, for several T that are ranked one after the other.
#pragma once

#include <algorithm>
#include <vector>

#include "core/collector.hpp"
#include "kernels/kernels.hpp"

namespace conse {

template <class Value>
class KeptRows {
  public:
    /// For lists of `most` entries at most; holds as many of them as fit into a core's caches.
    void reset(std::size_t n_rows, std::size_t most) {
        most_ = most;
        n_slots_ = std::max<std::size_t>(1, std::min(n_rows, kEntriesAtOnce / most));
        entries_.resize(n_slots_ * most_);
        counts_.resize(n_slots_);
    }

    std::size_t most() const { return most_; }
    std::size_t n_slots() const { return n_slots_; }

    /// Row r takes the place of row r - n_slots().
    void set(std::size_t r, const std::vector<Entry<Value>>& kept) {
        counts_[r % n_slots_] = kept.size();
        std::copy(kept.begin(), kept.end(), entries_.begin() + place_of(r));
    }

    /// The top_t of row r as selection would give them: the kBoundTerms largest in their order, the others by class id.
    const std::vector<Entry<Value>>& of_row(std::size_t r, std::size_t top_t) const {
        thread_local std::vector<Entry<Value>> kept;
        const std::size_t count = counts_[r % n_slots_], n_kept = std::min(top_t, count);
        const auto begin = entries_.begin() + place_of(r);
        if (n_kept <= kBoundTerms || n_kept == count) {
            kept.assign(begin, begin + static_cast<std::ptrdiff_t>(n_kept));
            return kept;
        }
        kept.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
        const auto end = kept.begin() + static_cast<std::ptrdiff_t>(n_kept);
        std::nth_element(kept.begin() + kBoundTerms, end, kept.end(), RanksBefore());
        kept.erase(end, kept.end());
        sort_rest_by_id(kept, kBoundTerms);
        return kept;
    }

  private:
    static constexpr std::size_t kEntriesAtOnce = std::size_t{1} << 17;

    std::ptrdiff_t place_of(std::size_t r) const { return static_cast<std::ptrdiff_t>(r % n_slots_ * most_); }

    std::size_t most_ = 0, n_slots_ = 0;
    std::vector<Entry<Value>> entries_;
    std::vector<std::size_t> counts_;
};

}  // namespace conse
