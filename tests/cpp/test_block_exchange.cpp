#include "core/block_exchange.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <set>
#include <utility>

#include "check.hpp"
#include "core/block_order.hpp"
#include "kernels/kernels.hpp"

namespace conse {
namespace {

constexpr std::size_t kDimension = 24, kClasses = 40;

std::vector<float> to_unit_length(std::vector<float> rows) {
    for (auto row = rows.begin(); row != rows.end(); row += kDimension) {
        const double squares = std::inner_product(row, row + kDimension, row, 0.0);
        for (auto x = row; x != row + kDimension; ++x) *x /= static_cast<float>(std::sqrt(squares));
    }
    return rows;
}

std::vector<float> unit_vectors(std::size_t n, unsigned seed) {
    return to_unit_length(testing::random_floats(n * kDimension, seed));
}

// Labels as they are: near some class, most of them not very; a fifth have its vector.
std::vector<float> labels_near(const std::vector<float>& classes, std::size_t n) {
    auto labels = unit_vectors(n, 2);
    for (std::size_t r = 0; r < n; ++r) {
        for (std::size_t d = 0; d < kDimension; ++d) {
            const float near = classes[r * 7 % kClasses * kDimension + d];
            labels[r * kDimension + d] = r % 5 == 0 ? near : 0.6f * near + 0.8f * labels[r * kDimension + d];
        }
    }
    return to_unit_length(std::move(labels));
}

struct Labels {
    explicit Labels(std::size_t n) : classes(unit_vectors(kClasses, 1)), units(labels_near(classes, n)), rows(n) {
        std::iota(rows.begin(), rows.end(), 0u);
        order_into_blocks(units.data(), kDimension, rows, {});
    }

    void exchange(const Execution& execution = {}) {
        exchange_between_blocks(matrix_view(classes.data(), kClasses, kDimension), units.data(), rows, execution);
    }

    double cosine(std::size_t c, std::size_t row) const {
        return std::inner_product(&classes[c * kDimension], &classes[c * kDimension] + kDimension,
                                  &units[row * kDimension], 0.0);
    }

    // How many groups of so many rows hold one that is as near to a class as the tenth nearest of all; of all classes.
    std::size_t n_read(std::size_t group_rows) const {
        std::size_t n = 0;
        for (std::size_t c = 0; c < kClasses; ++c) {
            std::vector<double> cosines;
            for (const std::uint32_t row : rows) cosines.push_back(cosine(c, row));
            auto ranked = cosines;
            std::nth_element(ranked.begin(), ranked.begin() + 9, ranked.end(), std::greater<>());
            for (std::size_t first = 0; first < rows.size(); first += group_rows) {
                const auto begin = cosines.begin() + static_cast<std::ptrdiff_t>(first);
                const auto n_rows = static_cast<std::ptrdiff_t>(std::min(group_rows, rows.size() - first));
                n += *std::max_element(begin, begin + n_rows) >= ranked[9];
            }
        }
        return n;
    }

    std::vector<float> classes, units;
    std::vector<std::uint32_t> rows;
};

CONSE_TEST(each_row_once, "block_exchange.keeps every row once, for any number of rows") {
    for (const std::size_t n : {0, 1, 15, 16, 17, 32, 100, 511, 512, 513, 1040, 4601}) {
        Labels labels(n);
        labels.exchange();
        CHECK(labels.rows.size() == n && std::set<std::uint32_t>(labels.rows.begin(), labels.rows.end()).size() == n);
    }
}

CONSE_TEST(fewer_read, "block_exchange.lets fewer blocks and tiles reach what searches look for") {
    Labels labels(1040);
    const std::size_t blocks = labels.n_read(kBlockRows), tiles = labels.n_read(kBlockRows * kFanOut);
    labels.exchange();
    CHECK(labels.n_read(kBlockRows) < 0.9 * static_cast<double>(blocks));
    CHECK(labels.n_read(kBlockRows * kFanOut) < tiles);
}

CONSE_TEST(any_threads, "block_exchange.is the same for any number of threads") {
    Labels serial(1040), parallel(1040);
    serial.exchange({1, {}});
    parallel.exchange({3, {}});
    CHECK(serial.rows == parallel.rows);
}

CONSE_TEST(odd_classes, "block_exchange.takes classes without a direction, and any lengths") {
    Labels labels(700), scaled(700);
    std::fill_n(labels.classes.begin(), 3 * kDimension, 0.0f);
    scaled.classes = labels.classes;
    for (float& x : scaled.classes) x *= 0x1p40f;
    labels.exchange();
    scaled.exchange();
    CHECK(labels.rows == scaled.rows);
    std::fill(labels.classes.begin(), labels.classes.end(), 0.0f);
    const auto before = labels.rows;
    labels.exchange();
    CHECK(labels.rows == before);
}

CONSE_TEST(stopped, "block_exchange.can be stopped") {
    Labels labels(1040);
    const auto before = labels.rows;
    const auto stop = [](double) { throw std::runtime_error("stopped"); };
    CHECK_THROWS(labels.exchange({2, stop}), std::runtime_error, "stopped");
    CHECK(labels.rows == before);
}

}  // namespace
}  // namespace conse
