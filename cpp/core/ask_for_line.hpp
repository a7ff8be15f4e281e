// Asks the memory for what will be read soon.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace conse {

/// The line of the cache that holds this address. The empty statement keeps a function that does nothing else from
/// being taken for one without effect: GCC 12 left such calls out, and with them every line a search asked for.
inline void ask_for_line(const void* address) {
    __builtin_prefetch(address);
    asm volatile("");
}

/// The lines of the first classes, each `stride` elements after that of the class before: few and far from each other,
/// which no hardware foresees.
template <class Element>
void ask_for_lines(const Element* of_class_0, std::size_t stride, const std::vector<std::uint32_t>& classes) {
    constexpr std::size_t kMostLines = 16;
    const std::size_t n_lines = std::min(classes.size(), kMostLines);
    for (std::size_t t = 0; t < n_lines; ++t) ask_for_line(of_class_0 + classes[t] * stride);
}

}  // namespace conse
