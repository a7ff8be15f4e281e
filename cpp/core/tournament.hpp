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
        if (n_ % kFanOut == 0) begin_group(values_, n_);
        ++n_;
        set(kernels, n_ - 1, value);
    }

    void set(const KernelTable& kernels, std::size_t i, float value) {
        values_[i] = value;
        if (n_ > kFanOut) set_above(kernels, i);
    }

    /// The first of the best; there must be one.
    std::size_t best(const KernelTable& kernels, float* value) const {
        return n_ <= kFanOut ? kernels.best_lane(values_.data(), value) : best_of_groups(kernels, value);
    }

  private:
    static std::size_t groups_of(std::size_t n) { return (n + kFanOut - 1) / kFanOut; }

    static void begin_group(std::vector<float>& values, std::size_t i) {
        if (values.size() < i + kFanOut) values.resize(i + kFanOut);
        std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(i), kFanOut, -std::numeric_limits<float>::infinity());
    }

    // The best of each group that holds entry i, as far up as there are several.
    void set_above(const KernelTable& kernels, std::size_t i) {
        std::size_t level = 0;
        for (std::size_t n = n_; n > kFanOut; n = groups_of(n), ++level) {
            if (level == above_.size()) above_.emplace_back();
            const std::vector<float>& below = level == 0 ? values_ : above_[level - 1];
            std::vector<float>& values = above_[level];
            if (i == kFanOut && i + 1 == n) {  // the group before a second one had nobody above it so far
                begin_group(values, 0);
                kernels.best_lane(below.data(), values.data());
            }
            i /= kFanOut;
            if (i % kFanOut == 0 && i + 1 == groups_of(n)) begin_group(values, i);
            kernels.best_lane(below.data() + i * kFanOut, &values[i]);
        }
    }

    std::size_t best_of_groups(const KernelTable& kernels, float* value) const {
        std::size_t level = 0, i = 0;
        for (std::size_t n = n_; n > kFanOut; n = groups_of(n)) ++level;
        for (; level > 0; --level) i = i * kFanOut + kernels.best_lane(above_[level - 1].data() + i * kFanOut, value);
        return i * kFanOut + kernels.best_lane(values_.data() + i * kFanOut, value);
    }

    std::vector<float> values_;
    std::vector<std::vector<float>> above_;
    std::size_t n_ = 0;
};

}  // namespace conse
