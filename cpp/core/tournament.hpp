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
        ++n_;
        set(kernels, n_ - 1, value);
    }

    void set(const KernelTable& kernels, std::size_t i, float value) {
        std::size_t n = n_;
        for (std::size_t level = 0;; ++level, n = groups_of(n), i /= kFanOut) {
            if (level == levels_.size()) levels_.emplace_back();
            std::vector<float>& values = levels_[level];
            if (i % kFanOut == 0 && i + 1 == n) begin_group(values, i);
            values[i] = value;
            if (n <= kFanOut) return;
            // The group before a second one had nobody above it so far.
            if (i == kFanOut && i + 1 == n) add_above(kernels, level);
            kernels.best_lane(levels_[level].data() + i / kFanOut * kFanOut, &value);
        }
    }

    /// The first of the best; there must be one.
    std::size_t best(const KernelTable& kernels, float* value) const {
        std::size_t level = 0, i = 0;
        for (std::size_t n = n_; n > kFanOut; n = groups_of(n)) ++level;
        do {
            i = i * kFanOut + kernels.best_lane(levels_[level].data() + i * kFanOut, value);
        } while (level-- > 0);
        return i;
    }

  private:
    static std::size_t groups_of(std::size_t n) { return (n + kFanOut - 1) / kFanOut; }

    static void begin_group(std::vector<float>& values, std::size_t i) {
        if (values.size() < i + kFanOut) values.resize(i + kFanOut);
        std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(i), kFanOut, -std::numeric_limits<float>::infinity());
    }
    void add_above(const KernelTable& kernels, std::size_t level) {
        if (level + 1 == levels_.size()) levels_.emplace_back();
        begin_group(levels_[level + 1], 0);
        kernels.best_lane(levels_[level].data(), levels_[level + 1].data());
    }

    std::vector<std::vector<float>> levels_;
    std::size_t n_ = 0;
};

}  // namespace conse
