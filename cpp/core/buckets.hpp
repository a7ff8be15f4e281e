// Sorts many entries, or cuts them off behind the k best, by spreading them evenly between the best and the worst
// value: scores of labels lie close enough to evenly that hardly two share a bucket. 1,000 entries are sorted four
// times as fast as by comparing them, and 2,000 are cut to 1,000 in a third of the time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/entry.hpp"

namespace conse {

/// Scratch for entries of one type.
template <class Value>
class Buckets {
  public:
    /// Sorts by (value descending, id ascending).
    void sort(std::vector<Entry<Value>>& entries);

    /// Keeps the k best of at least k, in any order, and returns the value of the last of them.
    Value cut(std::vector<Entry<Value>>& entries, std::size_t k);

  private:
    bool spread(const std::vector<Entry<Value>>& entries);

    std::vector<std::uint32_t> places_, bucket_;
    std::vector<Entry<Value>> sorted_;
};

}  // namespace conse
