// The best of many bounds that change one at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <vector>

#include "kernels/kernels.hpp"

namespace conse {

/// Groups of 32, groups of those, and so on: a kernel finds the best of a group without a branch for any of them. In
/// place of a heap, whose branches depend on the bounds.
class Tournament {
  public:
    void clear() { n_ = 0; }

    void add(const KernelTable& kernels, float value) {
        if (n_ % kFanOut == 0) groups_.begin(n_ / kFanOut);
        ++n_;
        set(kernels, n_ - 1, value);
    }

    void set(const KernelTable& kernels, std::size_t i, float value) {
        groups_.value(i) = value;
        if (n_ > kFanOut) set_above(kernels, i);
    }

    /// The first of the best; there must be one.
    std::size_t best(const KernelTable& kernels, float* value) const {
        return n_ <= kFanOut ? groups_.best_of(0, kernels, value) : best_of_groups(kernels, value);
    }

  private:
    // Those of a level. The first, mostly the only one, stands in the search itself and is aligned: what the kernel
    // reads at once crossed lines of the cache, and a query takes 0.985 of that time.
    class Groups {
      public:
        void begin(std::size_t group) {
            if (group > others_.size()) others_.resize(group);
            std::fill_n(values_of(group), kFanOut, -std::numeric_limits<float>::infinity());
        }
        float& value(std::size_t i) { return values_of(i / kFanOut)[i % kFanOut]; }
        /// Which of a group is the best.
        std::size_t best_of(std::size_t group, const KernelTable& kernels, float* value) const {
            return kernels.best_lane(group == 0 ? first_.values : others_[group - 1].values, value);
        }

      private:
        struct alignas(64) Group {
            float values[kFanOut];
        };

        float* values_of(std::size_t group) { return group == 0 ? first_.values : others_[group - 1].values; }

        Group first_;
        std::vector<Group> others_;
    };

    static std::size_t groups_of(std::size_t n) { return (n + kFanOut - 1) / kFanOut; }

    // The best of each group that holds entry i, as far up as there are several.
    void set_above(const KernelTable& kernels, std::size_t i) {
        std::size_t level = 0;
        for (std::size_t n = n_; n > kFanOut; n = groups_of(n), ++level) {
            if (level == above_.size()) above_.emplace_back();
            const Groups& below = level == 0 ? groups_ : above_[level - 1];
            Groups& groups = above_[level];
            if (i == kFanOut && i + 1 == n) {  // the group before a second one had nobody above it so far
                groups.begin(0);
                below.best_of(0, kernels, &groups.value(0));
            }
            i /= kFanOut;
            if (i % kFanOut == 0 && i + 1 == groups_of(n)) groups.begin(i / kFanOut);
            below.best_of(i, kernels, &groups.value(i));
        }
    }

    std::size_t best_of_groups(const KernelTable& kernels, float* value) const {
        std::size_t level = 0, i = 0;
        for (std::size_t n = n_; n > kFanOut; n = groups_of(n)) ++level;
        for (; level > 0; --level) i = i * kFanOut + above_[level - 1].best_of(i, kernels, value);
        return i * kFanOut + groups_.best_of(i, kernels, value);
    }

    Groups groups_;
    std::vector<Groups> above_;
    std::size_t n_ = 0;
};

}  // namespace conse
