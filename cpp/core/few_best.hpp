// Keeps the best (value, id) pairs while these are few, ordered by (value descending, id ascending).
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "core/entry.hpp"
#include "kernels/kernels.hpp"

namespace conse {

/// A Collector for few distinct ids, which a kernel takes sixteen at a time without a branch for any of them (a
/// simulated predictor went wrong 30 to 56 times a query in comparing entries). Values are no NaN.
class FewBest {
  public:
    static constexpr std::size_t kMost = kFewBest;

    /// 1 <= k <= kMost.
    void reset(std::size_t k) {
        k_ = k;
        for (double& key : keys_) key = 0;
    }

    /// Of sixteen pairs those of `mask` whose id is not negative and below n_ids.
    void take(const KernelTable& kernels, const float* values, const std::int32_t* ids, std::uint32_t mask,
              std::uint32_t n_ids) {
        kernels.keep_best(values, ids, mask, n_ids, keys_);
    }

    /// That of the k-th best, or -infinity while there are fewer: what is strictly below cannot be among them.
    float floor() const { return entry_of(keys_[k_ - 1]).value; }
    bool full() const { return keys_[k_ - 1] != 0; }

    /// Best first, and -infinity and -1 in the places that stay empty.
    void write_to(float* values, std::int64_t* ids, std::size_t n) const {
        for (std::size_t i = 0; i < n; ++i) {
            const Entry<float> entry = entry_of(i < k_ ? keys_[i] : 0);
            values[i] = entry.value;
            ids[i] = entry.id;
        }
    }

    /// Best first.
    void write_to(std::vector<Entry<float>>& entries) const {
        entries.clear();
        for (std::size_t i = 0; i < k_ && keys_[i] != 0; ++i) entries.push_back(entry_of(keys_[i]));
    }

  private:
    // The way back from the keys of kernels/score.hpp.
    static Entry<float> entry_of(double key) {
        constexpr std::uint32_t kMinusInfinity = 0xff800000u;
        std::uint64_t bits;
        std::memcpy(&bits, &key, sizeof bits);
        const auto ordered = static_cast<std::uint32_t>(bits >> 31);
        const std::uint32_t flipped = ordered ^ (0x80000000u | ((ordered >> 31) - 1));
        const std::uint32_t of_value = bits != 0 ? flipped : kMinusInfinity;
        const std::uint32_t id = 0x7fffffffu - (bits & 0x7fffffffu);
        Entry<float> entry{0, static_cast<std::int32_t>(bits != 0 ? id : 0xffffffffu)};
        std::memcpy(&entry.value, &of_value, sizeof of_value);
        return entry;
    }

    std::size_t k_ = 1;
    alignas(64) double keys_[kMost] = {};
};

}  // namespace conse
