// What is ranked: a value and whose it is, in the order of all results.
#pragma once

#include <cstdint>

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

}  // namespace conse
