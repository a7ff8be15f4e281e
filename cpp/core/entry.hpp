// What is ranked: a value and whose it is, in the order of all results.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace conse {

template <class Value>
struct Entry {
    Value value;
    std::int32_t id;
};

template <class Value>
bool ranks_before(const Entry<Value>& a, const Entry<Value>& b) {
    return a.value > b.value || (a.value == b.value && a.id < b.id);
}

// A type of its own, since a pointer to the function would be called for every comparison.
struct RanksBefore {
    template <class Value>
    bool operator()(const Entry<Value>& a, const Entry<Value>& b) const {
        return ranks_before(a, b);
    }
};

/// Puts an entry into a list whose first `place` entries are in order, after those that rank before it; the ones behind
/// it move up, over what stood in `place`.
template <class Value>
void put_in_order(std::vector<Entry<Value>>& entries, std::size_t place, Entry<Value> entry) {
    for (; place > 0 && ranks_before(entry, entries[place - 1]); --place) entries[place] = entries[place - 1];
    entries[place] = entry;
}

}  // namespace conse
