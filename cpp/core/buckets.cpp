#include "core/buckets.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace conse {
namespace {

constexpr std::size_t kMostBuckets = 4096;
constexpr std::uint32_t kFew = 32;  // sorted in one go with their neighbours

// The lowest and the highest value, in four chains, so that no comparison waits for the last.
template <class Value>
std::pair<Value, Value> range_of(const std::vector<Entry<Value>>& entries) {
    constexpr std::size_t kChains = 4;
    Value low[kChains], high[kChains];
    std::fill_n(low, kChains, entries[0].value);
    std::fill_n(high, kChains, entries[0].value);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const Value value = entries[i].value;
        low[i % kChains] = std::min(low[i % kChains], value);
        high[i % kChains] = std::max(high[i % kChains], value);
    }
    return {*std::min_element(low, low + kChains), *std::max_element(high, high + kChains)};
}

}  // namespace

template <class Value>
void Buckets<Value>::sort(std::vector<Entry<Value>>& entries) {
    if (!spread(entries)) return std::sort(entries.begin(), entries.end(), RanksBefore());
    std::uint32_t begin = 0, most = 0;
    for (std::uint32_t& place : places_) {
        most = std::max(most, place);
        begin += std::exchange(place, begin);
    }
    sorted_.resize(entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) sorted_[places_[bucket_[i]]++] = entries[i];
    begin = 0;
    for (std::size_t i = 0; most > kFew && i < places_.size(); ++i) {
        const std::uint32_t end = places_[i];
        if (end > begin + kFew) std::sort(sorted_.begin() + begin, sorted_.begin() + end, RanksBefore());
        begin = end;
    }
    // None leaves its bucket.
    for (std::size_t i = 1; i < sorted_.size(); ++i) put_in_order(sorted_, i, sorted_[i]);
    entries.swap(sorted_);
}

template <class Value>
Value Buckets<Value>::cut(std::vector<Entry<Value>>& entries, std::size_t k) {
    if (entries.size() == k) return range_of(entries).first;
    std::size_t n_better = 0;  // in buckets before the one where the k-th lies
    if (spread(entries)) {
        std::uint32_t last = 0;
        while (n_better + places_[last] < k) n_better += places_[last++];
        sorted_.resize(entries.size());
        std::size_t n_kept = 0, n_last = 0;
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const Entry<Value> entry = entries[i];
            entries[n_kept] = entry;
            sorted_[n_last] = entry;
            n_kept += bucket_[i] < last;
            n_last += bucket_[i] == last;
        }
        std::copy_n(sorted_.begin(), n_last, entries.begin() + static_cast<std::ptrdiff_t>(n_kept));
        entries.resize(n_kept + n_last);
    }
    const auto kth = entries.begin() + static_cast<std::ptrdiff_t>(k - 1);
    std::nth_element(entries.begin() + static_cast<std::ptrdiff_t>(n_better), kth, entries.end(), RanksBefore());
    const Value value = kth->value;
    entries.resize(k);
    return value;
}

// Finds the bucket of each entry, the best first, and counts them; false when there is nothing between the values.
template <class Value>
bool Buckets<Value>::spread(const std::vector<Entry<Value>>& entries) {
    if (entries.empty()) return false;
    const auto [lowest, highest] = range_of(entries);
    std::size_t n_buckets = 64;
    while (n_buckets < entries.size() && n_buckets < kMostBuckets) n_buckets *= 2;
    const Value scale = static_cast<Value>(n_buckets) / (highest - lowest);
    if (!(scale > 0) || !std::isfinite(scale * (highest - lowest))) return false;
    places_.assign(n_buckets, 0);
    bucket_.resize(entries.size());
    const auto last = static_cast<std::int32_t>(n_buckets - 1);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        // Rounding is monotone: a better value never comes into a later bucket.
        const auto bucket = static_cast<std::int32_t>((highest - entries[i].value) * scale);
        bucket_[i] = static_cast<std::uint32_t>(std::min(bucket, last));
    }
    for (const std::uint32_t bucket : bucket_) ++places_[bucket];
    return true;
}

template class Buckets<float>;
template class Buckets<double>;

}  // namespace conse
