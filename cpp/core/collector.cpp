#include "core/collector.hpp"

namespace conse {

template <class Value>
void sort_rest_by_id(std::vector<Entry<Value>>& entries, std::size_t n_first) {
    if (entries.size() <= n_first) return;
    std::sort(entries.begin() + static_cast<std::ptrdiff_t>(n_first), entries.end(),
              [](const Entry<Value>& a, const Entry<Value>& b) { return a.id < b.id; });
}

template <class Value>
void Collector<Value>::cut() {
    if (repeated_ids_) keep_best_of_each_id();
    if (entries_.size() >= k_) {
        floor_ = buckets_.cut(entries_, k_);
        full_ = true;
    }
    next_settling_ = entries_.size() + k_;
}

template <class Value>
void Collector<Value>::keep_best_of_each_id() {
    std::sort(entries_.begin(), entries_.end(), [](const Entry<Value>& a, const Entry<Value>& b) {
        return a.id < b.id || (a.id == b.id && a.value > b.value);
    });
    const auto same_id = [](const Entry<Value>& a, const Entry<Value>& b) { return a.id == b.id; };
    entries_.erase(std::unique(entries_.begin(), entries_.end(), same_id), entries_.end());
}

template void sort_rest_by_id(std::vector<Entry<float>>&, std::size_t);
template void sort_rest_by_id(std::vector<Entry<double>>&, std::size_t);
template class Collector<float>;
template class Collector<double>;

}  // namespace conse
