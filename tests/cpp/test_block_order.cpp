#include "core/block_order.hpp"

#include <cmath>
#include <numeric>
#include <set>

#include "check.hpp"
#include "kernels/kernels.hpp"

namespace conse {
namespace {

constexpr std::size_t kDimension = 24;

// Row r is a copy, with a little noise, of direction r mod n_directions.
std::vector<float> copies(std::size_t n_rows, std::size_t n_directions, float noise) {
    const auto directions = testing::random_floats(n_directions * kDimension, 1);
    auto units = testing::random_floats(n_rows * kDimension, 2);
    for (std::size_t r = 0; r < n_rows; ++r) {
        float* unit = units.data() + r * kDimension;
        double squares = 0;
        for (std::size_t d = 0; d < kDimension; ++d) {
            unit[d] = noise * unit[d] + directions[r % n_directions * kDimension + d];
            squares += static_cast<double>(unit[d]) * static_cast<double>(unit[d]);
        }
        for (std::size_t d = 0; d < kDimension; ++d) unit[d] /= static_cast<float>(std::sqrt(squares));
    }
    return units;
}

std::vector<std::uint32_t> ordered(const std::vector<float>& units) {
    std::vector<std::uint32_t> rows(units.size() / kDimension);
    std::iota(rows.begin(), rows.end(), 0u);
    order_into_blocks(units.data(), kDimension, rows, {});
    return rows;
}

CONSE_TEST(each_once, "block_order.keeps every row once, for any number of rows and for equal ones") {
    for (const std::size_t n : {0, 1, 15, 16, 17, 32, 48, 64, 100, 511, 512, 513, 1024, 1040, 2000}) {
        for (const float noise : {0.0f, 1e-7f, 0.5f}) {
            for (const std::size_t n_directions : {1, 3}) {
                const auto rows = ordered(copies(n, n_directions, noise));
                CHECK(rows.size() == n && std::set<std::uint32_t>(rows.begin(), rows.end()).size() == n);
            }
        }
    }
}

CONSE_TEST(like_together, "block_order.brings copies of a direction into one block") {
    for (const std::size_t n_blocks : {2, 4, 32}) {
        const std::size_t n_rows = n_blocks * kBlockRows;
        const auto rows = ordered(copies(n_rows, n_blocks, 0.05f));
        for (std::size_t i = 0; i < n_rows; ++i) {
            CHECK(rows[i] % n_blocks == rows[i / kBlockRows * kBlockRows] % n_blocks);
        }
    }
}

CONSE_TEST(same_again, "block_order.is the same each time") {
    const auto units = copies(3000, 40, 0.3f);
    CHECK(ordered(units) == ordered(units));
}

}  // namespace
}  // namespace conse
