#include "core/twins.hpp"

#include <cstring>

#include "core/xxh64.hpp"

namespace conse {

// A table of rows by their hash, at most half full; a place holds the last label that was found for its row.
std::vector<std::int32_t> next_twins(const float* data, std::size_t dimension,
                                     const std::vector<std::uint32_t>& row_of) {
    const std::size_t n_bytes = dimension * sizeof(float);
    std::size_t n_places = 2;
    while (n_places < 2 * row_of.size()) n_places *= 2;
    std::vector<std::int32_t> last(n_places, -1), next;
    for (std::size_t label = 0; label < row_of.size(); ++label) {
        if (row_of[label] == kNoRow) continue;
        const float* row = data + row_of[label] * dimension;
        const auto is_other = [&](std::int32_t met) {
            return std::memcmp(data + row_of[static_cast<std::size_t>(met)] * dimension, row, n_bytes) != 0;
        };
        Xxh64 hash;
        hash.update(row, n_bytes);
        std::size_t place = hash.digest() % n_places;
        while (last[place] >= 0 && is_other(last[place])) place = (place + 1) % n_places;
        if (last[place] >= 0) {
            if (next.empty()) next.assign(row_of.size(), -1);
            next[static_cast<std::size_t>(last[place])] = static_cast<std::int32_t>(label);
        }
        last[place] = static_cast<std::int32_t>(label);
    }
    return next;
}

}  // namespace conse
