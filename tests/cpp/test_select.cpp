#include "core/select.hpp"

#include <cmath>
#include <limits>
#include <numeric>

#include "check.hpp"
#include "core/dispatch.hpp"
#include "targets.hpp"

namespace conse {
namespace {

template <class Value>
std::vector<std::int32_t> sorted_columns(const std::vector<Value>& row, std::size_t k) {
    std::vector<std::int32_t> columns(row.size());
    std::iota(columns.begin(), columns.end(), 0);
    std::sort(columns.begin(), columns.end(), [&](std::int32_t a, std::int32_t b) {
        const Value x = row[static_cast<std::size_t>(a)], y = row[static_cast<std::size_t>(b)];
        return x > y || (x == y && a < b);
    });
    columns.resize(std::min(k, columns.size()));
    return columns;
}

template <class Value>
void check_row(const std::vector<Value>& row, std::size_t k) {
    Selector<Value> selector;
    const auto& kept = selector.select(kernels(), row.data(), row.size(), k, Domain::ordered, "x", 0);
    const auto expected = sorted_columns(row, k);
    CHECK(kept.size() == expected.size());
    for (std::size_t i = 0; i < kept.size(); ++i) {
        CHECK(kept[i].id == expected[i]);
        CHECK(kept[i].value == row[static_cast<std::size_t>(expected[i])]);
    }
    // As terms of a query: the first ones in this order, the others by column.
    const auto terms = selector.select_terms(kernels(), row.data(), row.size(), k, Domain::ordered, "x", 0);
    const auto first = static_cast<std::ptrdiff_t>(std::min(expected.size(), kBoundTerms));
    auto columns = expected;
    std::sort(columns.begin() + first, columns.end());
    CHECK(terms.size() == columns.size());
    for (std::size_t i = 0; i < terms.size(); ++i) CHECK(terms[i].id == columns[i]);
}

CONSE_TEST(shapes, "select.equals a stable sort for every shape of row on every target") {
    testing::for_each_target([] {
        for (const std::size_t n : {1, 2, 15, 16, 63, 64, 65, 127, 1000, 2500}) {
            const auto noise = testing::random_floats(n, static_cast<unsigned>(n));
            std::vector<std::vector<float>> rows(6, std::vector<float>(n));
            for (std::size_t i = 0; i < n; ++i) {
                rows[0][i] = noise[i];
                rows[1][i] = 0.5f;                               // constant
                rows[2][i] = static_cast<float>(i);              // ascending
                rows[3][i] = -static_cast<float>(i);             // descending, negative
                rows[4][i] = std::round(noise[i]);               // ties
                rows[5][i] = i % 3 == 0 ? -INFINITY : noise[i];  // holes
            }
            for (const auto& row : rows) {
                for (const std::size_t k :
                     {std::size_t{1}, std::size_t{10}, std::size_t{64}, std::size_t{65}, n, n + 5}) {
                    check_row(row, k);
                    check_row(std::vector<double>(row.begin(), row.end()), k);
                }
            }
        }
    });
}

CONSE_TEST(samples,
           "select.equals a stable sort where a sample guesses well, too high or too low, and where values tie") {
    testing::for_each_target([] {
        for (const std::size_t n : {4095, 4096, 4105, 20'000}) {
            const auto noise = testing::random_floats(n, static_cast<unsigned>(n));
            std::vector<std::vector<float>> rows(6, noise);
            for (std::size_t i = 0; i < n; ++i) {
                const bool sampled = i / 16 % 4 == 0;  // where k = 100
                rows[1][i] += sampled ? 10.0f : 0.0f;
                rows[2][i] -= sampled ? 10.0f : 0.0f;
                rows[3][i] = i % 50 == 0 ? noise[i] : 0.0f;
                rows[4][i] = std::round(noise[i]);
                rows[5][i] = i % 3 == 0 ? -INFINITY : 0.5f;
            }
            for (const auto& row : rows) {
                for (const std::size_t k : {std::size_t{64}, std::size_t{65}, std::size_t{100}, n / 4, n / 4 + 1}) {
                    check_row(row, k);
                    check_row(std::vector<double>(row.begin(), row.end()), k);
                }
            }
        }
    });
}

CONSE_TEST(alike, "select.equals a stable sort where many values agree in all bits, or in all but the last ones") {
    testing::for_each_target([] {
        const std::size_t n = 1500;
        const auto noise = testing::random_floats(n, 9);
        for (const float base : {0.0f, 0.25f, -3.0f, 1e-40f}) {
            std::vector<float> few(n), steps(n);
            for (std::size_t i = 0; i < n; ++i) {
                few[i] = i % 20 == 0 ? std::abs(noise[i]) : base;
                steps[i] = base + std::ldexp(static_cast<float>(i * 7 % 5), -24);
            }
            for (const auto& row : {few, steps}) {
                for (const std::size_t k : {65, 75, 76, 100, 700, 1499}) {
                    check_row(row, k);
                    check_row(std::vector<double>(row.begin(), row.end()), k);
                }
            }
        }
    });
}

CONSE_TEST(bad_values, "select.names the row, the column and the value that is wrong") {
    testing::for_each_target([] {
        Selector<float> selector;
        const auto select = [&](float value, Domain domain) {
            std::vector<float> row(100, 0.25f);
            row[77] = value;
            selector.select(kernels(), row.data(), row.size(), 3, domain, "p", 5);
        };
        CHECK_THROWS(select(NAN, Domain::ordered), std::invalid_argument, "p[5] holds NaN at column 77");
        CHECK_THROWS(select(INFINITY, Domain::finite), std::invalid_argument, "holds inf at column 77");
        CHECK_THROWS(select(-1, Domain::weights), std::invalid_argument, "holds a negative value at column 77");
        select(INFINITY, Domain::ordered);
        select(-1, Domain::finite);
        select(-0.0f, Domain::weights);
    });
}

CONSE_TEST(hidden_values, "select.finds what is wrong behind a zero with a sign, whose bits are the larger") {
    testing::for_each_target([] {
        Selector<float> selector;
        for (const float hidden : {INFINITY, NAN}) {
            std::vector<float> row(1000, 0.25f);
            row[5] = -0.0f;
            row[5 + kSurveyLanes] = hidden;
            CHECK_THROWS(selector.select(kernels(), row.data(), row.size(), 3, Domain::weights, "p", 0),
                         std::invalid_argument, "at column 69");
        }
    });
}

CONSE_TEST(beyond_float32, "select.ranks doubles that float32 cannot hold or tell apart") {
    testing::for_each_target([] {
        const double largest = std::numeric_limits<double>::max(), smallest = std::numeric_limits<double>::denorm_min();
        for (const double unit : {largest / 512, -largest / 512, smallest, -smallest, 1 + 0x1p-40, 1e-46, 3e38}) {
            std::vector<double> row;
            for (std::size_t i = 0; i < 257; ++i) row.push_back(unit * static_cast<double>(1 + i * 97 % 257));
            for (const std::size_t k : {1, 10, 40, 64, 100}) check_row(row, k);
        }
    });
}

}  // namespace
}  // namespace conse
