// Rows that stand for many.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace conse {

/// Of these rows one in so many that `least` are left, and not twice as many; all where they are too few for that.
inline std::vector<std::uint32_t> even_sample(const std::uint32_t* rows, std::size_t count, std::size_t least) {
    const std::size_t step = std::max<std::size_t>(1, count / least);
    std::vector<std::uint32_t> sample;
    for (std::size_t i = 0; i < count; i += step) sample.push_back(rows[i]);
    return sample;
}

}  // namespace conse
