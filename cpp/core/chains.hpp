// Sums in several chains side by side, in an order that no compiler or target changes: one chain would wait for itself.
#pragma once

#include <cstddef>

namespace conse {

constexpr std::size_t kChains = 8;

/// Calls add(chain, i) for each i below n, neighbours in chains of their own.
template <class Add>
void in_chains(std::size_t n, const Add& add) {
    std::size_t i = 0;
    for (; i + kChains <= n; i += kChains) {
        for (std::size_t c = 0; c < kChains; ++c) add(c, i + c);
    }
    for (; i < n; ++i) add(i % kChains, i);
}

inline double sum_of(const double (&chains)[kChains]) {
    double total = 0;
    for (const double chain : chains) total += chain;
    return total;
}

}  // namespace conse
