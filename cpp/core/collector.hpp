// Keeps the k best (value, id) pairs, ordered by (value descending, id ascending).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/buckets.hpp"
#include "core/entry.hpp"

namespace conse {

template <class Value>
void sort_rest_by_id(std::vector<Entry<Value>>& entries, std::size_t n_first);

/// Few are kept sorted, each newcomer put into its place. Many gather in a reservoir, which is cut back to the k
/// best when twice as many have come, so that an entry costs constant time for any k.
template <class Value>
class Collector {
  public:
    /// `repeated_ids`: the same id may come several times; its best value counts, and floor() is that of the
    /// k-th *distinct* id. k >= 1.
    void reset(std::size_t k, bool repeated_ids = false) {
        k_ = k;
        repeated_ids_ = repeated_ids;
        next_settling_ = k;
        full_ = false;
        floor_ = -std::numeric_limits<Value>::infinity();
        entries_.clear();
    }

    void push(Value value, std::int32_t id) {
        if (k_ <= kFew) {
            insert({value, id});
        } else {
            entries_.push_back({value, id});
        }
    }

    /// Whether k are known; from then on an entry strictly below floor() cannot be among the k best.
    bool full() const { return full_; }
    Value floor() const { return floor_; }

    /// To be called after some pushes.
    void settle_when_due() {
        if (k_ > kFew && entries_.size() >= next_settling_) cut();
    }

    /// Brings floor() up to what has been pushed.
    void settle() {
        if (k_ > kFew) cut();
    }

    /// The k best (or fewer), best first.
    const std::vector<Entry<Value>>& finish() {
        if (k_ > kFew) {
            // Sorting some more costs less than finding out which they are.
            if (repeated_ids_ || entries_.size() > k_ + k_ / 4) cut();
            buckets_.sort(entries_);
            entries_.resize(std::min(k_, entries_.size()));
        }
        return entries_;
    }

  private:
    static constexpr std::size_t kFew = 32;  // moving up to 32 entries costs less than selecting among them

    void insert(const Entry<Value>& entry) {
        if (repeated_ids_) {
            const auto same =
                std::find_if(entries_.begin(), entries_.end(), [&](const auto& e) { return e.id == entry.id; });
            if (same != entries_.end() && same->value >= entry.value) return;
            if (same != entries_.end()) entries_.erase(same);
        }
        if (entries_.size() < k_) {
            entries_.push_back(entry);
        } else if (!ranks_before(entry, entries_.back())) {
            return;
        }
        put_in_order(entries_, entries_.size() - 1, entry);
        if (entries_.size() == k_) {
            full_ = true;
            floor_ = entries_.back().value;
        }
    }

    void cut();
    void keep_best_of_each_id();

    std::size_t k_ = 1;
    std::size_t next_settling_ = 1;
    bool repeated_ids_ = false;
    bool full_ = false;
    Value floor_ = 0;
    std::vector<Entry<Value>> entries_;
    Buckets<Value> buckets_;
};

}  // namespace conse
