#include "kernels/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "check.hpp"
#include "core/dispatch.hpp"
#include "kernels/half.hpp"
#include "targets.hpp"

namespace conse {
namespace {

CONSE_TEST(targets, "kernels.targets end with generic and an unknown one is refused with a list") {
    CHECK(supported_targets().back() == "generic");
    testing::for_each_target([] { CHECK(current_target() == std::getenv("CONSE_FAST_TARGET")); });
    setenv("CONSE_FAST_TARGET", "pentium", 1);
    CHECK_THROWS((choose_target(), 0), std::invalid_argument, "generic");
    unsetenv("CONSE_FAST_TARGET");
}

CONSE_TEST(halves, "kernels.half_to_float is exact for every pattern") {
    for (std::uint32_t bits = 0; bits < 0x10000u; ++bits) {
        const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
        const float sign = bits & 0x8000u ? -1.0f : 1.0f, x = half_to_float(static_cast<std::uint16_t>(bits));
        if (exponent == 31) {
            CHECK(fraction ? std::isnan(x) : x == sign * INFINITY);
        } else {
            const int scale = exponent == 0 ? -24 : exponent - 25;
            CHECK(x == sign * std::ldexp(static_cast<float>(exponent == 0 ? fraction : fraction + 1024), scale));
        }
    }
}

// Sums as the contract has them: runs of 32 terms, added up one after the other.
float score_in_runs(const std::vector<float>& weights, const std::vector<std::uint32_t>& rows, const float* lane,
                    std::size_t stride) {
    float total = 0;
    for (std::size_t begin = 0; begin < weights.size(); begin += kRunTerms) {
        float run = 0;
        for (std::size_t t = begin; t < std::min(begin + kRunTerms, weights.size()); ++t) {
            const float x = lane[rows[t] * stride];
            run = kernels().fused ? std::fma(weights[t], x, run) : run + weights[t] * x;
        }
        total += run;
    }
    return total;
}

std::vector<std::uint32_t> rows_of(std::size_t n_terms) {
    std::vector<std::uint32_t> rows(n_terms);
    for (std::size_t t = 0; t < n_terms; ++t) rows[t] = static_cast<std::uint32_t>(t * 37 % 64);
    return rows;
}

CONSE_TEST(blocks, "kernels.score_block sums in runs and marks what reaches the floor") {
    testing::for_each_target([] {
        constexpr std::size_t kStride = 3 * kBlockRows;
        for (const std::size_t n_terms : {0, 1, 10, 31, 32, 33, 64, 65, 100, 127, 128, 129, 300}) {
            const auto weights = testing::random_floats(n_terms, 1), table = testing::random_floats(64 * kStride, 2);
            const auto rows = rows_of(n_terms);
            const float* block = table.data() + kBlockRows;
            float scores[kBlockRows];
            const std::uint32_t mask =
                kernels().score_block(weights.data(), rows.data(), n_terms, block, kStride, 0.5f, scores);
            for (std::size_t lane = 0; lane < kBlockRows; ++lane) {
                CHECK(scores[lane] == score_in_runs(weights, rows, block + lane, kStride));
                CHECK((mask >> lane & 1) == (scores[lane] >= 0.5f));
            }
        }
    });
}

CONSE_TEST(plain_blocks, "kernels.score_plain_block takes the rows in their order") {
    testing::for_each_target([] {
        for (const std::size_t n_terms : {1, 33, 300}) {
            const auto weights = testing::random_floats(n_terms, 1);
            const auto block = testing::exactly(testing::random_floats(n_terms * kBlockRows, 2));
            std::vector<std::uint32_t> rows(n_terms);
            for (std::size_t t = 0; t < n_terms; ++t) rows[t] = static_cast<std::uint32_t>(t);
            float scores[kBlockRows];
            kernels().score_plain_block(weights.data(), n_terms, block.get(), 0, scores);
            for (std::size_t lane = 0; lane < kBlockRows; ++lane) {
                CHECK(scores[lane] == score_in_runs(weights, rows, block.get() + lane, kBlockRows));
            }
        }
    });
}

CONSE_TEST(monotone, "kernels.bound_tile is never below the score of what lies under it, not even in the last bit") {
    testing::for_each_target([] {
        constexpr float kStep = 0x1p-12f;
        for (unsigned seed = 0; seed < 200; ++seed) {
            const auto block = testing::random_floats(kBoundTerms * kBlockRows, 2 * seed);
            auto weights = testing::random_floats(kBoundTerms, 2 * seed + 1);
            for (float& weight : weights) weight = std::abs(weight);
            std::vector<std::uint32_t> rows(kBoundTerms);
            std::vector<std::int16_t> tile(kBoundTerms * kFanOut);
            for (std::size_t t = 0; t < kBoundTerms; ++t) {
                rows[t] = static_cast<std::uint32_t>(t);
                const auto begin = block.begin() + static_cast<std::ptrdiff_t>(t * kBlockRows);
                const float largest = *std::max_element(begin, begin + kBlockRows);
                tile[t * kFanOut + 31] = static_cast<std::int16_t>(std::ceil(largest / kStep));
            }
            float scores[kBlockRows], bounds[kFanOut], best;
            kernels().score_plain_block(weights.data(), kBoundTerms, block.data(), 0, scores);
            const std::uint32_t lane = kernels().bound_tile(weights.data(), rows.data(), kBoundTerms, tile.data(),
                                                            kFanOut, kStep, kFanOut, bounds, &best);
            for (const float score : scores) CHECK(bounds[31] >= score);
            CHECK(bounds[0] == 0);
            CHECK(lane == (bounds[31] > 0 ? 31 : 0) && best == std::max(0.0f, bounds[31]));
        }
    });
}

CONSE_TEST(children, "kernels.bound_tile bounds a tile's children, and nothing where it has none") {
    testing::for_each_target([] {
        const float weight = 1;
        const std::uint32_t row = 0;
        std::vector<std::int16_t> tile(kFanOut);
        for (std::size_t lane = 0; lane < kFanOut; ++lane) tile[lane] = static_cast<std::int16_t>(lane - 40);
        for (std::size_t n_children = 1; n_children <= kFanOut; ++n_children) {
            float bounds[kFanOut], best;
            const std::uint32_t lane =
                kernels().bound_tile(&weight, &row, 1, tile.data(), kFanOut, 1, n_children, bounds, &best);
            CHECK(lane == n_children - 1 && best == static_cast<float>(lane) - 40);
            for (std::size_t i = 0; i < kFanOut; ++i) CHECK(bounds[i] == (i < n_children ? tile[i] : -INFINITY));
        }
    });
}

CONSE_TEST(lanes, "kernels.best_lane finds the first of the highest") {
    testing::for_each_target([] {
        auto bounds = testing::random_floats(kFanOut, 4);
        bounds[5] = bounds[31] = -INFINITY;
        for (const std::size_t first : {31, 17, 16, 3, 0}) {
            bounds[18] = bounds[first] = 9;
            float best;
            CHECK(kernels().best_lane(bounds.data(), &best) == std::min<std::size_t>(first, 18));
            CHECK(best == 9);
            bounds[first] = -1;
        }
    });
}

CONSE_TEST(weight_survey, "kernels.survey_weights finds a floor and whatever is no weight") {
    testing::for_each_target([] {
        for (const std::size_t n : {1, 15, 16, 17, 63, 64, 65, 1000}) {
            auto row = testing::random_floats(n, 12);
            for (float& x : row) x = std::abs(x);
            for (const std::size_t k : {1, 10, 16, 17, 64}) {
                WeightSurvey survey;
                kernels().survey_weights_f32(testing::exactly(row).get(), n, k, &survey);
                CHECK(survey.valid);
                const auto reached = std::count_if(row.begin(), row.end(), [&](float x) { return x >= survey.floor; });
                CHECK(static_cast<std::size_t>(reached) >= std::min(n, k));
            }
            for (const float bad : {-1.0f, -1e-45f, INFINITY, -INFINITY, NAN, -NAN}) {
                for (const std::size_t place : {std::size_t{0}, n / 2, n - 1}) {
                    auto broken = row;
                    broken[place] = bad;
                    WeightSurvey survey;
                    kernels().survey_weights_f32(broken.data(), n, 10, &survey);
                    CHECK(!survey.valid);
                }
            }
        }
    });
}

CONSE_TEST(ranking_few, "kernels.rank_few counts the better ones, ties by the earlier") {
    testing::for_each_target([] {
        for (const std::size_t n : {0, 1, 2, 15, 16, 17, 33, 64}) {
            auto values = testing::random_floats(n, 21);
            for (std::size_t i = 0; i < n; i += 3) values[i] = std::round(values[i]);  // ties, and zeros of both signs
            std::vector<std::uint32_t> places(n);
            kernels().rank_few(testing::exactly(values).get(), n, places.data());
            for (std::size_t i = 0; i < n; ++i) {
                std::uint32_t better = 0;
                for (std::size_t j = 0; j < n; ++j)
                    better += values[j] > values[i] || (values[j] == values[i] && j < i);
                CHECK(places[i] == better);
            }
        }
    });
}

CONSE_TEST(shares, "kernels.total_weight and share_out equal float64 in eight chains") {
    testing::for_each_target([] {
        for (const std::size_t n : {16, 48, 1008}) {
            auto row = testing::random_floats(n, 22);
            for (float& x : row) x = std::abs(x);
            const std::vector<double> wide(row.begin(), row.end());
            const RowScale scale{0.25, 0.125};
            double chains[8] = {}, total = 0;
            for (std::size_t c = 0; c < n; ++c) chains[c % 8] += wide[c] / 32;
            for (const double chain : chains) total += chain;
            CHECK(kernels().total_weight_f32(row.data(), n, scale) == total);
            CHECK(kernels().total_weight_f64(wide.data(), n, scale) == total);
            std::vector<float> narrow_shares(n), wide_shares(n);
            kernels().share_out_f32(row.data(), n, scale, 1 / total, narrow_shares.data());
            kernels().share_out_f64(wide.data(), n, scale, 1 / total, wide_shares.data());
            CHECK(narrow_shares == wide_shares);
            for (std::size_t c = 0; c < n; ++c) {
                CHECK(narrow_shares[c] == static_cast<float>(wide[c] / 32 * (1 / total)));
            }
        }
    });
}

CONSE_TEST(combination, "kernels.combine and squared_length equal plain float64") {
    testing::for_each_target([] {
        for (const std::size_t dimension : {1, 7, 15, 16, 17, 33, 300}) {
            const auto embeddings = testing::exactly(testing::random_floats(20 * dimension, 5));
            const std::vector<std::uint32_t> rows{19, 0, 7};
            const std::vector<double> weights{0.5, 0.25, 0.125};
            std::vector<double> f((dimension + 15) / 16 * 16, -1);
            kernels().combine(weights.data(), rows.data(), 3, embeddings.get(), dimension, f.data());
            double squares = 0;
            for (std::size_t d = 0; d < f.size(); ++d) {
                double exact = 0;
                for (std::size_t t = 0; t < 3 && d < dimension; ++t)
                    exact += weights[t] * static_cast<double>(embeddings[rows[t] * dimension + d]);
                CHECK(std::abs(f[d] - exact) < 1e-15);
                squares += exact * exact;
            }
            CHECK(std::abs(kernels().squared_length(f.data(), dimension) - squares) < 1e-12);
        }
    });
}

// Classes of which every product that belongs to no pair of them is NaN.
struct Pairs {
    std::vector<std::uint32_t> ids;
    std::vector<double> weights;
    std::vector<float> products;

    explicit Pairs(std::size_t n) {
        const std::size_t n_classes = n + 3;
        products.assign(n_classes * (n_classes + 1) / 2, std::numeric_limits<float>::quiet_NaN());
        const auto numbers = testing::random_floats(products.size() + n, 23);
        for (std::size_t i = 0; i < n; ++i) {
            ids.push_back(static_cast<std::uint32_t>(37 * i % n_classes));  // a prime: all are different
            weights.push_back(static_cast<double>(numbers[products.size() + i]));
        }
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) products[place(i, j)] = numbers[place(i, j)];
        }
    }
    std::size_t place(std::size_t i, std::size_t j) const {
        const std::size_t low = std::min(ids[i], ids[j]), high = std::max(ids[i], ids[j]);
        return high * (high + 1) / 2 + low;
    }
    double sum(const KernelTable& kernels) const {
        return kernels.pair_sum(testing::exactly(weights).get(), testing::exactly(ids).get(), ids.size(),
                                testing::exactly(products).get());
    }
};

CONSE_TEST(pairs, "kernels.pair_sum adds up every pair of classes and reads no other") {
    testing::for_each_target([] {
        for (std::size_t n = 0; n <= kBoundTerms; ++n) {
            const Pairs pairs(n);
            double exact = 0;
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < n; ++j) {
                    const auto product = static_cast<double>(pairs.products[pairs.place(i, j)]);
                    exact += pairs.weights[i] * pairs.weights[j] * product;
                }
            }
            CHECK(std::abs(pairs.sum(kernels()) - exact) < 1e-13);
        }
    });
}

CONSE_TEST(reading, "kernels.read finds the largest wherever it lies and never reads past the end") {
    testing::for_each_target([] {
        for (const std::size_t n : {16, 112, 128, 144, 400}) {
            auto values = testing::random_floats(n, 12);
            for (std::size_t place = 0; place < n; place += 3) {
                values[place] = static_cast<float>(100 + place);
                CHECK(kernels().read(testing::exactly(values).get(), n) == values[place]);
            }
        }
    });
}

CONSE_TEST(multiply_adds, "kernels.multiply_adds does as many as it says") {
    testing::for_each_target([] {
        float before, after;
        CHECK(kernels().multiply_adds(0, 1, &before) == 0);
        for (const std::size_t rounds : {1, 2, 3, 1000}) {
            const std::size_t count = kernels().multiply_adds(rounds, 1, &after);
            CHECK(count > rounds && count % rounds == 0);
            CHECK(after == before + static_cast<float>(count));
        }
    });
}

CONSE_TEST(many_terms, "kernels.combine_many equals float64 up to float32 runs and never reads past a row") {
    testing::for_each_target([] {
        for (const std::size_t dimension : {1, 7, 15, 16, 17, 33, 50, 63, 64, 65, 100, 256, 300, 321}) {
            const auto embeddings = testing::exactly(testing::random_floats(200 * dimension, 5));
            for (const std::size_t n_terms : {1, 31, 32, 33, 127, 128, 129, 200}) {
                auto weights = testing::random_floats(n_terms, 6);
                for (float& weight : weights) weight = std::abs(weight);
                std::vector<std::uint32_t> rows(n_terms);
                for (std::size_t t = 0; t < n_terms; ++t) rows[t] = static_cast<std::uint32_t>(199 - t);
                std::vector<double> f((dimension + 15) / 16 * 16, -1);
                kernels().combine_many(weights.data(), rows.data(), n_terms, embeddings.get(), dimension, f.data());
                for (std::size_t d = 0; d < f.size(); ++d) {
                    double exact = 0, mass = 0;
                    for (std::size_t t = 0; t < n_terms && d < dimension; ++t) {
                        const double x = static_cast<double>(embeddings[rows[t] * dimension + d]);
                        exact += static_cast<double>(weights[t]) * x;
                        mass += std::abs(static_cast<double>(weights[t]) * x);
                    }
                    CHECK(std::abs(f[d] - exact) <= 33 * 0x1p-24 * mass);
                }
            }
        }
    });
}

CONSE_TEST(every_class, "kernels.combine_all equals float64 up to float32 runs, whatever goes together") {
    constexpr std::size_t kClasses = 1100, kStride = kClasses + 3, kMost = 11;
    auto shares = testing::random_floats(kMost * kStride, 6);
    for (float& share : shares) share = std::abs(share);
    for (const std::size_t dimension : {16, 17, 47, 48, 50, 64, 65, 127, 128, 300}) {
        const auto embeddings = testing::exactly(testing::random_floats(kClasses * dimension, 5));
        std::vector<float> bits;
        testing::for_each_target([&] {
            std::vector<float> alone(kMost * dimension), together(kMost * dimension);
            for (std::size_t q = 0; q < kMost; ++q) {
                const AllShares one{shares.data() + q * kStride, kStride, 1, kClasses};
                kernels().combine_all(one, embeddings.get(), dimension, alone.data() + q * dimension, dimension);
            }
            for (const std::size_t count : {2, 3, 6, 8, 11}) {
                kernels().combine_all({shares.data(), kStride, count, kClasses}, embeddings.get(), dimension,
                                      together.data(), dimension);
                CHECK(std::equal(together.begin(), together.begin() + static_cast<std::ptrdiff_t>(count * dimension),
                                 alone.begin()));
            }
            for (std::size_t q = 0; q < kMost; q += 5) {
                for (std::size_t d = 0; d < dimension; ++d) {
                    double exact = 0, mass = 0;
                    for (std::size_t c = 0; c < kClasses; ++c) {
                        const double term = static_cast<double>(shares[q * kStride + c]) *
                                            static_cast<double>(embeddings[c * dimension + d]);
                        exact += term;
                        mass += std::abs(term);
                    }
                    CHECK(std::abs(static_cast<double>(alone[q * dimension + d]) - exact) <= 66 * 0x1p-24 * mass);
                }
            }
            if (kernels().fused && bits.empty()) bits = alone;
            if (kernels().fused) CHECK(bits == alone);
        });
    }
}

CONSE_TEST(same_bits, "kernels.all targets with FMA give the same bits") {
    const std::size_t dimension = 301;
    const auto embeddings = testing::random_floats(40 * dimension, 9), weights = testing::random_floats(40, 10);
    std::vector<std::uint32_t> rows(40);
    for (std::uint32_t t = 0; t < 40; ++t) rows[t] = 39 - t;
    std::vector<float> first;
    std::vector<double> first_sums;
    testing::for_each_target([&] {
        if (!kernels().fused) return;
        const std::vector<double> shares(weights.begin(), weights.end());
        std::vector<double> f(304);
        std::vector<float> bits(kBlockRows + 1);
        kernels().combine(shares.data(), rows.data(), 40, embeddings.data(), dimension, f.data());
        kernels().score_block(weights.data(), rows.data(), 40, embeddings.data(), dimension, 0, bits.data());
        bits.back() = static_cast<float>(kernels().squared_length(f.data(), dimension));
        std::vector<double> sums;
        for (std::size_t n = 1; n <= kBoundTerms; ++n) sums.push_back(Pairs(n).sum(kernels()));
        if (first.empty()) first = bits, first_sums = sums;
        CHECK(bits == first);
        CHECK(sums == first_sums);
    });
}

}  // namespace
}  // namespace conse
